"""Taking and sending by AS4: receipts, duplicates, refusals, resends."""

import re
import threading
from base64 import b64encode
from datetime import timedelta

import pytest
import requests
from django.db import connection
from django.utils import timezone

from testbed.authorities import Validity
from tests.world import work_is_clean
from transport.access_point import outbound
from transport.access_point.models import InboundTransfer, OutboundTransfer, TransferEvent
from transport.message_service.models import IncomingMessage
from transport.protocol.as4.messages import ErrorSignal
from transport.protocol.identifiers import SDK_MESSAGE, DocumentType, ParticipantId
from transport.storage import blobs

from .build import Peer, a_transfer

pytestmark = pytest.mark.xdist_group("federation")


def _refused(peer, **changes) -> tuple[str, str]:
    message, packed = peer.pack(**changes)
    with packed:
        signal = peer.answer(packed, message)
    assert isinstance(signal, ErrorSignal)
    assert signal.ref_to_message_id == message.message_id
    assert not InboundTransfer.objects.exists()
    event = TransferEvent.objects.get(kind="REFUSED")
    assert signal.errors[0].code in event.cause
    return signal.errors[0].code, signal.errors[0].detail


def test_a_message_is_on_disk_and_committed_before_its_receipt(peer, world, settings):
    message, packed = peer.pack()
    with packed:
        receipt = peer.answer(packed, message)
    assert receipt.ref_to_message_id == message.message_id
    transfer = InboundTransfer.objects.get()
    with blobs.open_stored(transfer.envelope_name, transfer.envelope_binding) as envelope:
        assert envelope.read() == b"<envelope/>"
    assert IncomingMessage.objects.get().transfer_id == transfer.pk
    assert work_is_clean(settings.SDK_WORK_DIR)


def test_a_duplicate_is_answered_with_the_first_receipt_and_delivered_once(peer):
    _, packed = peer.pack()
    with packed:
        first, second = peer.post(packed), peer.post(packed)
    assert first.content == second.content
    assert InboundTransfer.objects.count() == IncomingMessage.objects.count() == 1
    kinds = list(TransferEvent.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["RECEIVED", "DUPLICATE"]


def test_the_same_message_over_several_connections_at_once_is_one_delivery(peer, settings):
    _, packed = peer.pack()
    with packed:
        body = b"".join(packed.chunks())
    answers = []

    def post() -> None:
        headers = {"Content-Type": packed.content_type}
        answers.append(requests.post(peer.world.url, data=body, headers=headers, timeout=30).content)

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert len(set(answers)) == 1
    assert InboundTransfer.objects.count() == IncomingMessage.objects.count() == 1
    assert len(list((settings.MEDIA_ROOT / "inbound").rglob("*-*"))) == 1
    assert work_is_clean(settings.SDK_WORK_DIR)


def test_an_unknown_recipient_is_0004_not_serviced(peer):
    assert _refused(peer, final_recipient=ParticipantId("0203:nagon-annan.se")) == (
        "EBMS:0004",
        "NOT_SERVICED",
    )


def test_a_message_type_that_is_not_served_is_0004_not_serviced(peer):
    assert _refused(peer, action=DocumentType("urn:annan").action) == ("EBMS:0004", "NOT_SERVICED")


def test_a_party_id_that_is_not_the_certificate_s_is_0003(peer):
    code, detail = _refused(peer, sender_party="AP-NAGON-ANNAN")
    assert (code, "From/PartyId" in detail) == ("EBMS:0003", True)


def test_a_message_for_another_access_point_is_0003(peer):
    assert _refused(peer, recipient_party="AP-NAGON-ANNAN")[0] == "EBMS:0003"


def test_another_process_is_0001(peer):
    assert _refused(peer, service="urn:annan")[0] == "EBMS:0001"


def test_a_revoked_access_point_is_0101(peer, world):
    world.federation.revoke("access-points", peer.files.certificate)
    code, detail = _refused(peer)
    assert (code, "revoked" in detail) == ("EBMS:0101", True)


def test_an_expired_access_point_is_0101(world, tmp_path):
    code, detail = _refused(Peer(world, tmp_path, validity=Validity(-20, -1)))
    assert (code, "expired" in detail) == ("EBMS:0101", True)


def test_an_expired_certificate_of_no_ca_of_the_federation_leaves_no_event(world, tmp_path, settings):
    """Anybody can make such a certificate, and events are kept for more than a year."""
    peer = Peer(world, tmp_path, validity=Validity(-20, -1))
    settings.SDK_ACCESS_POINT_CA_DIR = world.federation.trust_dir / "smp"
    message, packed = peer.pack()
    with packed:
        signal = peer.answer(packed, message)
    assert isinstance(signal, ErrorSignal)
    assert signal.errors[0].code == "EBMS:0101"
    assert not TransferEvent.objects.exists()


def test_an_expired_certificate_with_another_s_signature_leaves_no_event(world, tmp_path):
    """Certificates are public: whoever shows one has to sign with its key before an event is kept."""
    peer = Peer(world, tmp_path, validity=Validity(-20, -1))
    _, packed = peer.pack()
    with packed:
        body = re.sub(
            rb"(SignatureValue[^>]*>)[^<]+", rb"\1" + b64encode(bytes(256)), b"".join(packed.chunks())
        )
    answer = requests.post(world.url, data=body, headers={"Content-Type": packed.content_type}, timeout=10)
    assert b"EBMS:0101" in answer.content
    assert not TransferEvent.objects.exists()


def test_what_is_no_as4_message_is_415(world):
    response = requests.post(world.url, data=b"{}", headers={"Content-Type": "application/json"}, timeout=10)
    assert response.status_code == 415
    assert requests.get(world.url, timeout=10).status_code == 405


def test_a_transfer_is_resent_with_the_same_id_at_most_four_times(world, settings):
    world.federation.add_access_point(world.access_point, "http://localhost:9/as4")
    transfer = a_transfer(world)
    for attempt in range(1, 6):
        outbound.send(transfer.pk)
        transfer.refresh_from_db()
        assert transfer.attempts == attempt
        if attempt <= 4:
            assert transfer.due_at > timezone.now()
            assert transfer.due_at <= transfer.first_attempt_at + timedelta(seconds=720)
            with connection.cursor() as cursor:
                cursor.execute("UPDATE access_point_outboundtransfer SET due_at = now()")
    assert (transfer.state, transfer.cause, transfer.due_at) == ("FAILED", "unreachable", None)
    ids = set(TransferEvent.objects.filter(kind="SENT").values_list("as4_message_id", flat=True))
    assert ids == {transfer.as4_message_id}


def test_a_lost_receipt_is_made_good_by_the_resend(world):
    transfer = a_transfer(world)
    outbound.send(transfer.pk)
    transfer.refresh_from_db()
    receipt = bytes(transfer.receipt)
    OutboundTransfer.objects.update(state="PENDING", receipt=None, due_at=timezone.now())
    outbound.send(transfer.pk)
    transfer.refresh_from_db()
    assert transfer.state == "DELIVERED"
    assert receipt
    assert transfer.receipt
    assert InboundTransfer.objects.count() == 1


def test_a_revoked_receiver_is_never_sent_to(world):
    own = world.federation.add_access_point(world.access_point, world.url)
    world.federation.revoke("access-points", own.certificate)
    transfer = a_transfer(world)
    outbound.send(transfer.pk)
    transfer.refresh_from_db()
    assert (transfer.state, transfer.cause) == ("FAILED", "access-point-untrusted")
    assert not InboundTransfer.objects.exists()


def test_the_log_tells_of_every_transfer_and_holds_no_content(world, caplog):
    transfer = a_transfer(world)
    with caplog.at_level("INFO"):
        outbound.send(transfer.pk)
    events = list(TransferEvent.objects.filter(as4_message_id=transfer.as4_message_id).order_by("pk"))
    assert [event.kind for event in events] == ["SENT", "RECEIVED", "DELIVERED"]
    for event in events:
        assert (event.sender, event.recipient) == (transfer.sender, transfer.recipient)
        assert event.sending_access_point == event.receiving_access_point == world.access_point
        assert event.document_id == SDK_MESSAGE.identifier
    assert "<envelope/>" not in caplog.text
