"""Taking what arrived: judged, delivered and answered together or not at all."""

import threading
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.db import connections
from django.utils import timezone

from tests.world import work_is_clean
from transport.access_point import outbound as access_point_sending
from transport.access_point.models import InboundTransfer, OutboundTransfer
from transport.federation import lookup
from transport.message_service import inbound, orders, validation
from transport.message_service.models import IncomingMessage, OutgoingMessage
from transport.protocol.certificates import RevocationUnknown
from transport.protocol.identifiers import MESSAGE_RECEIPT
from transport.protocol.message_receipt import ResponseCode
from transport.protocol.sdk_message.message import BytesContent, File

pytestmark = pytest.mark.xdist_group("federation-messages")


def codes(receipt) -> set[tuple[str, str | None]]:
    return {(cause.reason, cause.detail_code) for cause in receipt.causes}


def arrived(world, envelope: bytes, **options) -> IncomingMessage:
    """An envelope that has come as far as the message service, and is not judged yet."""
    before = set(IncomingMessage.objects.values_list("pk", flat=True))
    reference = world.transfer(envelope, pump=False, **options)
    access_point_sending.send(OutboundTransfer.objects.get(reference=reference).pk)
    return IncomingMessage.objects.exclude(pk__in=before).get()


def test_a_client_is_given_the_message_its_files_and_the_time_of_arrival(world, client, settings):
    file = File("vårdplan.pdf", "application/pdf", BytesContent(b"%PDF" + bytes(500_000)))
    orders.order(world.message(text="Hej", files=(file,)), actor="Karin")
    world.pump()
    (delivered,) = client.delivered
    assert delivered.participant == world.recipient.participant.value
    assert delivered.sender == world.sender.participant.value
    assert delivered.message.documents[0].texts == ("Hej",)
    assert client.files == [("vårdplan.pdf", file.content.data)]
    incoming = IncomingMessage.objects.get(message_id=delivered.message.header.message_id)
    assert delivered.arrived_at == incoming.arrived_at
    assert work_is_clean(settings.SDK_WORK_DIR)


def test_a_client_is_notified_of_each_change_of_its_messages_and_of_no_receipts(world, client):
    message_id = orders.order(world.message(), actor="Karin")
    world.pump()
    assert {notified[:2] for notified in client.notified} == {(world.sender.participant.value, message_id)}
    assert all(in_transaction for _, _, in_transaction in client.notified)
    assert len(client.notified) == 3


def test_a_client_that_fails_leaves_nothing_half_done_and_is_tried_again(world, client, settings, caplog):
    client.failing = 1
    message = world.message()
    row = arrived(world, world.sealed(message)[1])
    inbound.process(row.pk)
    row.refresh_from_db()
    assert (row.state, row.cause, row.is_accepted) == ("ARRIVED", "unexpected", None)
    assert not OutgoingMessage.objects.filter(kind="receipt").exists()
    assert not row.events.exists()
    assert "Karin" not in caplog.text
    assert work_is_clean(settings.SDK_WORK_DIR)
    IncomingMessage.objects.update(due_at=timezone.now())
    world.pump()
    row.refresh_from_db()
    assert (row.state, row.cause) == ("NEW", "")
    assert len(client.delivered) == 1


def test_two_transfers_of_one_message_at_once_are_one_delivery(world, client):
    message = world.message()
    rows = [arrived(world, world.sealed(message)[1]) for _ in range(2)]
    start = threading.Barrier(2)

    def process(row: IncomingMessage) -> None:
        try:
            start.wait(10)
            inbound.process(row.pk)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=process, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(client.delivered) == 1
    assert sorted(str(row.is_accepted) for row in IncomingMessage.objects.all()) == ["False", "True"]
    world.pump()
    rejected = OutgoingMessage.objects.get(answers__is_accepted=False)
    assert rejected.state == "ACKNOWLEDGE"


def test_the_constraint_decides_where_both_looked_before_either_wrote(world, client, monkeypatch):
    message = world.message()
    first, second = (arrived(world, world.sealed(message)[1]) for _ in range(2))
    monkeypatch.setattr(validation, "accepted_before", lambda *_: set())
    inbound.process(first.pk)
    inbound.process(second.pk)
    second.refresh_from_db()
    assert (second.is_accepted, second.cause) == (False, "rejected: messageId")
    assert len(client.delivered) == 1


def test_the_same_envelope_reported_twice_is_one_message(world, client):
    row = arrived(world, world.sealed(world.message())[1])
    inbound.envelope_arrived(row.transfer_id, world.sender.participant, world.recipient.participant)
    assert IncomingMessage.objects.count() == 1


def test_an_envelope_that_is_not_taken_is_deleted_and_one_that_is_kept_is_evidence(world, client):
    client.closed = {world.recipient.mailbox.address}
    refused = arrived(world, world.sealed(world.message())[1])
    world.pump()
    client.closed = set()
    dropped = arrived(world, world.sealed(b"not xml")[1])
    taken = arrived(world, world.sealed(world.message())[1])
    world.pump()
    names = {
        row: InboundTransfer.objects.get(pk=row.transfer_id).envelope_name
        for row in (refused, dropped, taken)
    }
    assert (names[refused], names[dropped]) == ("", "")
    assert default_storage.exists(names[taken])
    kept = {path.name for path in Path(default_storage.location, "inbound").rglob("*") if path.is_file()}
    assert kept == {str(item.pk) for item in InboundTransfer.objects.exclude(envelope_name="")}


def test_the_receipt_goes_to_the_function_that_the_message_was_for(world, client):
    message_id = orders.order(world.message(), actor="Karin")
    world.pump()
    receipt = OutgoingMessage.objects.get(answers__message_id=message_id)
    assert receipt.handling_service_id == world.recipient.mailbox.address
    assert receipt.recipient == world.sender.participant.value


def test_a_receipt_is_never_answered(world, client):
    orders.order(world.message(), actor="Karin")
    world.pump()
    assert OutgoingMessage.objects.filter(kind="receipt").count() == 1
    assert IncomingMessage.objects.count() == 2


def test_a_signing_key_that_was_published_after_the_last_look_is_known(world, client):
    lookup.service_metadata(world.sender.participant, MESSAGE_RECEIPT)
    renewed = world.federation.issue_organisation_key(uuid.uuid4().hex, "Förnyad")
    world.federation.change_participant(
        world.sender.participant.value,
        signing=[str(renewed.certificate), str(world.sender.files.signing.certificate)],
    )
    message_id, envelope = world.sealed(world.message(), signer=renewed)
    world.transfer(envelope)
    assert world.answer_to(message_id).code is ResponseCode.ACCEPTED


def test_what_another_access_point_sends_in_the_sender_s_name_gets_no_receipt(world, client):
    """originalSender does not match the sending access point's configuration: nothing proves the sender."""
    stranger = world.party("annorstades", is_here=False)
    world.federation.add_access_point("AP-ANNORSTADES-TEST", world.url)
    world.federation.change_participant(stranger.participant.value, access_point="AP-ANNORSTADES-TEST")
    message_id, envelope = world.sealed(world.message(sender=stranger.participant), sender=stranger)
    world.transfer(envelope, sender=stranger)
    assert world.answer_to(message_id) is None
    assert IncomingMessage.objects.get(message_id=message_id).cause == "access-point"
    assert not client.delivered


def test_11_a_reference_to_a_message_of_ours_that_failed_is_not_supported(world, client):
    message_id = orders.order(world.message(), actor="Karin")
    OutgoingMessage.objects.update(state="MESSAGE_EXCHANGE_ERROR", due_at=None)
    back = world.message(
        sender=world.recipient.participant,
        sender_function=world.recipient.mailbox.address,
        recipient=world.sender.participant,
        recipient_function=world.sender.mailbox.address,
        ref_to=str(message_id),
    )
    reply_id = orders.order(back, actor="Nils")
    world.pump()
    reply = OutgoingMessage.objects.get(message_id=reply_id)
    assert (reply.state, reply.cause) == ("REJECTED", "BV/not-supported")
    assert not client.delivered


def test_while_revocation_cannot_be_asked_a_message_waits_and_is_not_let_through(world, client, monkeypatch):
    def unknown(certificate, purpose):
        raise RevocationUnknown(certificate)

    row = arrived(world, world.sealed(world.message())[1])
    with monkeypatch.context() as patched:
        patched.setattr(validation.trust, "check_organisation", unknown)
        for expected in (30, 60, 120):
            IncomingMessage.objects.update(due_at=timezone.now())
            inbound.process(row.pk)
            row.refresh_from_db()
            assert (row.state, row.cause) == ("ARRIVED", "revocation-unknown")
            assert timedelta(0) < row.due_at - timezone.now() <= timedelta(seconds=expected)
    assert not client.delivered
    IncomingMessage.objects.update(due_at=timezone.now())
    world.pump()
    assert len(client.delivered) == 1


def test_a_receipt_that_cannot_be_delivered_leaves_the_message_unacknowledged(world, client, monkeypatch):
    """KV Meddelandestatus 6: no transport receipt for the message receipt. The message is delivered."""
    row = arrived(world, world.sealed(world.message())[1])
    inbound.process(row.pk)
    world.federation.change_participant(
        world.sender.participant.value, published=False, not_served=[MESSAGE_RECEIPT.action]
    )
    lookup.drop_cached(world.sender.participant, MESSAGE_RECEIPT)
    world.pump()
    row.refresh_from_db()
    assert (row.state, row.cause) == ("MESSAGE_EXCHANGE_ERROR", "receipt participant-unknown")
    assert row.is_accepted is True
    assert len(client.delivered) == 1


@pytest.mark.parametrize("damage", [b"", b"<a/>", b"<not-closed", b"\x00\x01"])
def test_what_is_no_envelope_is_discarded_without_an_answer(world, client, damage):
    row = arrived(world, damage or b" ")
    world.pump()
    row.refresh_from_db()
    assert (row.state, row.cause) == ("MESSAGE_EXCHANGE_ERROR", "envelope-malformed")
    assert not OutgoingMessage.objects.exists()


def test_a_function_that_stands_in_takes_what_nobody_serves(world, client):
    function = world.recipient.mailbox.address
    client.closed, client.standing_in = {function, "sdk:closed-too"}, ["sdk:closed-too", "sdk:efter"]
    message_id, envelope = world.sealed(world.message())
    world.transfer(envelope)
    assert world.answer_to(message_id).code is ResponseCode.ACCEPTED
    assert [one.stands_in for one in client.delivered] == ["sdk:efter"]
    event = IncomingMessage.objects.get(message_id=message_id).events.first()
    assert (event.name, event.cause) == ("RETRIEVED", "stands-in")


def test_nothing_that_is_served_is_taken_by_another(world, client):
    client.standing_in = ["sdk:efter"]
    world.transfer(world.sealed(world.message())[1])
    assert [one.stands_in for one in client.delivered] == [""]


def several(world, count: int) -> list[IncomingMessage]:
    for _ in range(count):
        arrived(world, world.sealed(world.message())[1])
    return IncomingMessage.claim_due(count)


def test_a_batch_is_delivered_and_answered_in_one_transaction(world, client):
    inbound.process_all(several(world, 3))
    assert len(client.delivered) == 3
    assert set(IncomingMessage.objects.values_list("state", "is_accepted")) == {("RETRIEVED", True)}
    receipts = OutgoingMessage.objects.filter(kind="receipt")
    assert len({receipt.answers_id for receipt in receipts}) == 3


def test_one_that_fails_costs_the_others_of_its_batch_nothing(world, client):
    batch = several(world, 3)
    client.failing = 2
    inbound.process_all(batch)
    # The batch failed, then the first of it by itself: the others were delivered by themselves.
    assert len(client.delivered) == 2
    failed = IncomingMessage.objects.get(state="ARRIVED")
    assert (failed.failures, failed.lease) == (1, None)
    assert failed.due_at > timezone.now()


def test_a_message_twice_in_a_batch_is_accepted_once(world, client):
    message = world.message()
    for _ in range(2):
        arrived(world, world.sealed(message)[1])
    inbound.process_all(IncomingMessage.claim_due(2))
    assert len(client.delivered) == 1
    assert sorted(str(row.is_accepted) for row in IncomingMessage.objects.all()) == ["False", "True"]
    world.pump()
    assert OutgoingMessage.objects.filter(kind="receipt", state="ACKNOWLEDGE").count() == 2
