"""The test service of AS4, both ways: answered by whoever is asked, and delivered to nobody."""

import io

import pytest
from django.core.management import CommandError, call_command

from testbed.services import free_port
from tests.transport.protocol.as4.build import with_soap
from transport.access_point import inbound
from transport.access_point.models import InboundTransfer, TransferEvent
from transport.access_point.ping import Step, ping
from transport.message_service.models import IncomingMessage
from transport.protocol.as4.messages import ErrorSignal, Receipt
from transport.protocol.as4.names import TEST_ACTION, TEST_SERVICE
from transport.protocol.identifiers import ParticipantId

from .build import Peer

pytestmark = pytest.mark.xdist_group("federation")
TEST = {"service": TEST_SERVICE, "service_type": None, "action": TEST_ACTION}


def test_a_message_of_the_test_service_gets_a_signed_receipt_and_is_delivered_to_nobody(peer: Peer):
    message, packed = peer.pack(**TEST, final_recipient=ParticipantId("0203:nagon-annan.se"))
    with packed:
        assert isinstance(peer.answer(packed, message), Receipt)
        assert isinstance(peer.answer(packed, message), Receipt)
    assert not InboundTransfer.objects.exists()
    assert not IncomingMessage.objects.exists()
    event = TransferEvent.objects.latest("pk")
    assert (event.kind, event.as4_message_id, event.sending_access_point) == (
        "TESTED",
        message.message_id,
        peer.name,
    )


def test_a_test_without_a_payload_is_answered(peer: Peer):
    message, packed = peer.pack(**TEST, parts=())
    with packed:
        assert isinstance(peer.answer(packed, message), Receipt)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({**TEST, "recipient_party": "AP-ANNAN"}, "EBMS:0003"),
        ({**TEST, "action": "annat"}, "EBMS:0001"),
        ({"service": "annat", "action": TEST_ACTION}, "EBMS:0001"),
    ],
    ids=["for another access point", "another action", "another service"],
)
def test_what_is_no_test_of_ours_is_refused(peer: Peer, changes, code):
    message, packed = peer.pack(**changes)
    with packed:
        signal = peer.answer(packed, message)
    assert isinstance(signal, ErrorSignal)
    assert signal.errors[0].code == code


def test_a_test_by_an_access_point_that_is_not_trusted_is_refused(peer: Peer, world):
    world.federation.revoke("access-points", peer.files.certificate)
    message, packed = peer.pack(**TEST)
    with packed:
        assert isinstance(peer.answer(packed, message), ErrorSignal)


def test_every_step_towards_a_counterpart_is_told(world):
    told = list(ping(world.sender.participant, world.recipient.participant))
    assert [(one.step, one.works) for one in told] == [(step, True) for step in Step]
    assert not InboundTransfer.objects.exists()
    written = io.StringIO()
    call_command("ping", world.recipient.participant.value, stdout=written)
    assert [line.split()[:2] for line in written.getvalue().splitlines()] == [[step, "ok"] for step in Step]


def test_the_first_step_that_does_not_work_is_told_and_why(world, settings):
    def last(participant: ParticipantId):
        return list(ping(world.sender.participant, participant))[-1]

    unknown = last(ParticipantId("0203:finns-inte.se"))
    assert (unknown.step, unknown.works) == (Step.DNS, False)
    assert unknown.detail.startswith("participant-unknown")

    revoked = world.party("sparrad")
    files = world.federation.add_access_point("AP-SPARRAD-TEST", world.url)
    world.federation.change_participant(revoked.participant.value, access_point="AP-SPARRAD-TEST")
    world.federation.revoke("access-points", files.certificate)
    certificate = last(revoked.participant)
    assert (certificate.step, certificate.works) == (Step.CERTIFICATE, False)
    assert "revoked" in certificate.detail
    with pytest.raises(CommandError, match="certificate does not work"):
        call_command("ping", revoked.participant.value, stdout=io.StringIO())

    silent = world.party("tyst")
    world.federation.add_access_point("AP-TYST-TEST", f"http://localhost:{free_port()}/as4")
    world.federation.change_participant(silent.participant.value, access_point="AP-TYST-TEST")
    line = last(silent.participant)
    assert (line.step, line.works) == (Step.TLS, False)


def test_a_peer_that_does_not_know_the_test_service_is_told_by_its_code(world):
    """Another access point's endpoint, at which this one answers: the message is not for it."""
    other = world.party("annan")
    world.federation.add_access_point("AP-ANNAN-TEST", world.url)
    world.federation.change_participant(other.participant.value, access_point="AP-ANNAN-TEST")
    last = list(ping(world.sender.participant, other.participant))[-1]
    assert (last.step, last.works) == (Step.AS4, False)
    assert last.detail.startswith("EBMS:")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<eb:Timestamp>2", b"<eb:Timestamp>0001-01-01T00:00:00+23:00</eb:Timestamp><eb:X>2"),
        (b"<env:Header>", b'<env:Header xmlns:r="relative">'),
        (b"<eb:MessageId>", b"<eb:MessageId>\xef\xbf\xbe"),
    ],
    ids=["impossible time", "relative namespace", "no character of XML"],
)
def test_a_header_that_nobody_thought_of_is_answered_with_an_error_and_leaves_nothing(
    peer: Peer, world, old, new
):
    import requests

    _, packed = peer.pack()
    with packed:
        body = with_soap(
            packed.content_type, b"".join(packed.chunks()), lambda soap: soap.replace(old, new, 1)
        )
    answer = requests.post(world.url, data=body, headers={"Content-Type": packed.content_type}, timeout=30)
    assert answer.status_code == 200
    assert b"eb:Error" in answer.content
    assert not InboundTransfer.objects.exists()
    assert not TransferEvent.objects.exists()


@pytest.mark.parametrize("error", [OverflowError, KeyError, RecursionError, AttributeError])
def test_an_error_in_reading_that_nobody_foresaw_is_answered_as_the_message_s(
    peer: Peer, monkeypatch, caplog, error
):
    """Whatever a stranger has found: an AS4 error, in the log by its name only, and nothing is stored."""

    def failing(*_: object, **__: object) -> None:
        raise error("content of a stranger")

    monkeypatch.setattr(inbound, "read_user_message", failing)
    message, packed = peer.pack()
    with packed:
        answer = peer.answer(packed, message)
    assert isinstance(answer, ErrorSignal)
    assert [item.code for item in answer.errors] == ["EBMS:0009"]
    assert not InboundTransfer.objects.exists()
    assert not TransferEvent.objects.exists()
    logged = [record.fields for record in caplog.records if record.getMessage() == "unexpected_error"]
    assert [fields["error"] for fields in logged] == [error.__name__]
    assert "content of a stranger" not in caplog.text
