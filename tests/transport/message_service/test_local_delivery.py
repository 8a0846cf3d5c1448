"""Messages between organisations of this node: nobody outside is asked, and the history is the same."""

import io
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from mailbox.delivery.ladder import ladder_of
from mailbox.models import FunctionMailbox
from mailbox.models import Message as MailboxMessage
from transport.access_point.models import InboundTransfer, OutboundTransfer
from transport.message_service import orders, outbound
from transport.message_service.models import (
    IncomingMessage,
    Organisation,
    OrganisationKey,
    OutgoingMessage,
)
from transport.message_service.states import OutgoingState
from transport.message_service.tasks import remove_orphaned_files
from transport.message_service.tracking import erasure
from transport.message_service.tracking.deliveries import delivery_of
from transport.message_service.tracking.evidence import Kind, evidence_of
from transport.protocol.message_receipt import ResponseCode, read_receipt
from transport.protocol.sdk_message.message import BytesContent, File
from transport.protocol.xhe.opening import verify_envelope
from transport.protocol.xml.safe_xml import parse
from transport.storage import blobs

pytestmark = pytest.mark.xdist_group("federation-messages")


@pytest.fixture
def inside(world, settings):
    """Both organisations leave messages inside, and the federation does not answer anybody."""
    Organisation.objects.update(goes_out_and_back=False)
    settings.SDK_DNS_SERVERS = ["127.0.0.1:9"]
    settings.SDK_HTTP_TIMEOUT_SECONDS = 1
    return world


def histories(world, message_id: uuid.UUID) -> tuple[list[str], list[str], list[str]]:
    """What is told of a message on both sides, and of its receipt."""
    sent = delivery_of(world.sender.participant.value, message_id)
    incoming = IncomingMessage.objects.get(message_id=message_id)
    return (
        [event.name for event in sent.events],
        [event.name for event in incoming.events.all()],
        [event.name for event in incoming.receipts.get().events.all()],
    )


def went_out() -> bool:
    return OutboundTransfer.objects.exists() or InboundTransfer.objects.exists()


def sent_by(world, **changes) -> uuid.UUID:
    message_id = orders.order(world.message(**changes), actor="Karin")
    world.pump()
    return message_id


def test_a_message_to_another_function_of_the_organisation_asks_nobody_outside(inside):
    here = inside.sender.participant
    other = FunctionMailbox.objects.create(participant_id=here.value, address="sdk:granne", name="Granne")
    file = File("a.pdf", "application/pdf", BytesContent(b"%PDF" + bytes(200_000)))
    message_id = sent_by(inside, recipient=here, recipient_function=other.address, files=(file,))
    assert delivery_of(here.value, message_id).state is OutgoingState.ACCEPTED
    row = MailboxMessage.objects.get(message_id=message_id)
    assert row.conversation.mailbox == other
    assert row.documents.get(attachments__isnull=False).attachments.get().size == 200_004
    assert not went_out()


def test_it_leaves_the_same_history_as_one_that_went_out_and_back(world, settings):
    outside = sent_by(world)
    assert went_out()
    Organisation.objects.update(goes_out_and_back=False)
    settings.SDK_DNS_SERVERS = ["127.0.0.1:9"]
    within = sent_by(world)
    assert histories(world, within) == histories(world, outside)
    assert "RECEIPT_SENT" in histories(world, within)[1]
    assert OutboundTransfer.objects.count() == 2
    history = [
        words for _, words, _ in ladder_of(delivery_of(world.sender.participant.value, within)).history
    ]
    assert "Signerat och lämnat direkt, inom den här installationen" in history
    assert not any("Transportkvittens" in words for words in history)


def test_no_key_of_the_other_party_is_needed(inside):
    OrganisationKey.objects.filter(purpose="encryption").delete()
    for _ in range(2):
        message_id = sent_by(inside)
        assert delivery_of(inside.sender.participant.value, message_id).state is OutgoingState.ACCEPTED
        assert MailboxMessage.objects.get(message_id=message_id).subject == inside.message().header.label
    assert not went_out()


@pytest.mark.parametrize("who", ["sender", "recipient"])
def test_either_organisation_may_have_its_messages_go_out_and_back(world, who):
    Organisation.objects.update(goes_out_and_back=False)
    Organisation.objects.filter(participant_id=getattr(world, who).participant.value).update(
        goes_out_and_back=True
    )
    message_id = sent_by(world)
    assert delivery_of(world.sender.participant.value, message_id).state is OutgoingState.ACCEPTED
    # The message and its receipt.
    assert OutboundTransfer.objects.count() == 2


def test_a_receipt_goes_the_way_of_its_message_whatever_is_set_since(inside):
    message_id = orders.order(inside.message(), actor="Karin")
    outbound.seal_and_submit(OutgoingMessage.objects.get().pk)
    Organisation.objects.update(goes_out_and_back=True)
    inside.pump()
    assert delivery_of(inside.sender.participant.value, message_id).state is OutgoingState.ACCEPTED
    assert not went_out()


def test_what_breaks_a_rule_is_refused_with_a_receipt_as_elsewhere(inside):
    message_id = sent_by(inside, recipient_function="sdk:finns-inte")
    delivery = delivery_of(inside.sender.participant.value, message_id)
    assert delivery.state is OutgoingState.REJECTED
    assert [(cause.reason, cause.detail) for cause in delivery.causes] == [("BV", "not-found")]
    incoming = IncomingMessage.objects.get(message_id=message_id)
    assert incoming.envelope_name == ""
    program = File("program.exe", "application/x-msdownload", BytesContent(b"MZ"))
    message_id = sent_by(inside, files=(program,))
    delivery = delivery_of(inside.sender.participant.value, message_id)
    assert [(cause.reason, cause.detail) for cause in delivery.causes] == [("BV", "not-supported")]
    assert not MailboxMessage.objects.filter(direction="in").exists()


def test_it_is_validated_by_the_sender_s_own_certificates(inside):
    message_id = orders.order(inside.message(), actor="Karin")
    outbound.seal_and_submit(OutgoingMessage.objects.get().pk)
    stranger = inside.party("annan").organisation
    stranger.keys.all().delete()
    inside.sender.organisation.keys.filter(purpose="signing").update(organisation=stranger)
    incoming = IncomingMessage.objects.get()
    inside.pump()
    incoming.refresh_from_db()
    assert (incoming.is_accepted, incoming.cause) == (False, "rejected: signature")
    assert not MailboxMessage.objects.filter(message_id=message_id, direction="in").exists()


def test_each_organisation_holds_the_envelope_and_the_receipt_under_its_own_key(inside):
    message_id = sent_by(inside)
    sender, recipient = inside.sender.participant.value, inside.recipient.participant.value
    sent = evidence_of(sender, message_id, was_sent=True)
    arrived = evidence_of(recipient, message_id, was_sent=False)
    assert set(sent) == set(arrived) == {Kind.ENVELOPE, Kind.MESSAGE_RECEIPT}
    for kind in sent:
        with sent[kind].open() as ours, arrived[kind].open() as theirs:
            content = ours.read()
            assert content == theirs.read()
    out = io.BytesIO()
    verify_envelope(io.BytesIO(content)).write_payload(out)
    assert read_receipt(parse(out.getvalue())).code is ResponseCode.ACCEPTED
    incoming, outgoing = (
        IncomingMessage.objects.get(message_id=message_id),
        OutgoingMessage.objects.get(message_id=message_id),
    )
    keys = {blobs.sealed_with(row.envelope_name) for row in (incoming, outgoing)}
    assert len(keys) == 2


def test_what_one_deletes_by_its_rules_the_other_keeps(inside):
    message_id = sent_by(inside)
    sender, recipient = inside.sender.participant.value, inside.recipient.participant.value
    erasure.erase(recipient, message_id, was_sent=False)
    assert IncomingMessage.objects.get(message_id=message_id).envelope_name == ""
    with evidence_of(sender, message_id, was_sent=True)[Kind.ENVELOPE].open() as envelope:
        assert verify_envelope(envelope).envelope.message_id == str(message_id)
    erasure.erase(sender, message_id, was_sent=True)
    assert Kind.ENVELOPE not in evidence_of(sender, message_id, was_sent=True)


def test_a_worker_that_dies_leaves_neither_a_second_arrival_nor_a_file(inside, settings, monkeypatch):
    orders.order(inside.message(), actor="Karin")
    row = OutgoingMessage.objects.get()

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(outbound.OutgoingMessage, "steps", die)
        with pytest.raises(KeyboardInterrupt):
            outbound.seal_and_submit(row.pk)
    assert not IncomingMessage.objects.exists()
    OutgoingMessage.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    outbound.seal_and_submit(row.pk)
    files = [path.suffix for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]
    assert sorted(files) == [".inside", ".sealed", ".xml"]
    inside.pump()
    assert MailboxMessage.objects.filter(direction="in").count() == 1


def test_copies_are_not_removed_as_orphaned_files(inside, monkeypatch):
    message_id = sent_by(inside)
    monkeypatch.setattr(blobs, "_ORPHANED_AFTER", timedelta(seconds=-5))
    remove_orphaned_files()
    incoming = IncomingMessage.objects.get(message_id=message_id)
    with blobs.open_stored(incoming.envelope_name, incoming.envelope_binding) as envelope:
        assert envelope.read(4) == b"<x:X"


def test_copies_are_sealed_again_when_keys_are_rotated(inside):
    incoming = IncomingMessage.objects.get(message_id=sent_by(inside))
    before = blobs.sealed_with(incoming.envelope_name)
    call_command("rotate_data_keys")
    call_command("seal_at_rest")
    assert blobs.sealed_with(incoming.envelope_name) != before
    with blobs.open_stored(incoming.envelope_name, incoming.envelope_binding) as envelope:
        assert envelope.read(4) == b"<x:X"
