"""By hand: sending again what failed or lacks a receipt, and cancelling what has not left."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.db import connections, transaction
from django.utils import timezone

from mailbox.delivery.ladder import ladder_of
from mailbox.models import Message as MailboxMessage
from transport.access_point import outbound as access_point_sending
from transport.access_point import transfer_log as access_point_log
from transport.access_point.http_client import NoAnswer
from transport.access_point.models import OutboundTransfer, TransferEvent
from transport.access_point_port import Outcome, TransferChange
from transport.federation.errors import LookupUnavailable
from transport.message_service import inbound, orders, outbound
from transport.message_service.models import IncomingMessage, OutgoingMessage
from transport.message_service.tracking import deadlines, resend
from transport.message_service.tracking.deliveries import delivery_of
from transport.message_service.tracking.evidence import Kind, evidence_of
from transport.storage import blobs

pytestmark = pytest.mark.xdist_group("federation-messages")


def ordered(world) -> OutgoingMessage:
    message_id = orders.order(world.message(), actor="Karin")
    return OutgoingMessage.objects.get(message_id=message_id)


def failed(world) -> OutgoingMessage:
    """A message that was handed over, and given up."""
    row = ordered(world)
    outbound.seal_and_submit(row.pk)
    OutboundTransfer.objects.update(due_at=None, state="FAILED")
    with transaction.atomic():
        outbound.transfers_changed([TransferChange(row.pk, Outcome.FAILED, "unreachable")])
    row.refresh_from_db()
    return row


def without_receipt(world) -> OutgoingMessage:
    """A message that got there; the receipt is on its way and comes too late."""
    row = ordered(world)
    outbound.seal_and_submit(row.pk)
    access_point_sending.send(OutboundTransfer.objects.get().pk)
    OutgoingMessage.objects.filter(pk=row.pk).update(receipt_due_at=timezone.now())
    assert deadlines.mark_overdue() == 1
    row.refresh_from_db()
    return row


def again(world, row: OutgoingMessage, actor: str = "Nils") -> None:
    resend.send_again(world.sender.participant.value, row.message_id, actor=actor)
    row.refresh_from_db()


def cancelled(world, row: OutgoingMessage, actor: str = "Nils") -> None:
    resend.cancel(world.sender.participant.value, row.message_id, actor=actor)
    row.refresh_from_db()


def ladder(world, row: OutgoingMessage):
    return ladder_of(delivery_of(world.sender.participant.value, row.message_id))


def test_what_failed_is_sent_again_by_the_same_id_in_a_new_transfer(world):
    row = failed(world)
    first = row.envelope_name
    assert ladder(world, row).may_be_sent_again
    again(world, row)
    assert row.state == "SCHEDULED"
    assert not default_storage.exists(first)
    assert not ladder(world, row).may_be_sent_again
    world.pump()
    row.refresh_from_db()
    assert row.state == "ACCEPTED"
    assert MailboxMessage.objects.get().message_id == row.message_id
    transfers = OutboundTransfer.objects.filter(envelope_id=str(row.message_id)).order_by("created_at")
    assert [transfer.state for transfer in transfers] == ["FAILED", "DELIVERED"]
    assert len({transfer.as4_message_id for transfer in transfers}) == 2
    shown = [(name, who) for _, name, who in ladder(world, row).history]
    assert ("Lagt för sändning igen", "Nils") in shown
    assert shown[0] == ("Lagt för sändning", "Karin")
    pieces = evidence_of(world.sender.participant.value, row.message_id, was_sent=True)
    assert set(pieces) == {Kind.ENVELOPE, Kind.TRANSPORT_RECEIPT, Kind.MESSAGE_RECEIPT}
    for piece in pieces.values():
        with piece.open() as source:
            assert source.read()


def test_the_sender_s_system_is_patient_anew(world, settings):
    """What was given up a day ago is not given up at the first trouble of today."""
    row = failed(world)
    OutgoingMessage.objects.update(created_at=timezone.now() - timedelta(days=3))
    again(world, row)
    settings.SDK_CLAMD = "/nowhere/clamd.sock"
    outbound.seal_and_submit(row.pk)
    row.refresh_from_db()
    assert (row.state, row.cause) == ("SCHEDULED", "scanner-unavailable")


def test_what_lacks_its_receipt_is_sent_again_and_the_late_receipt_settles_it_before_it_leaves(world):
    row = without_receipt(world)
    again(world, row)
    held = OutgoingMessage.claim(row.pk)
    assert held is not None
    inbound.process(IncomingMessage.objects.get().pk)
    for outgoing in OutgoingMessage.objects.filter(kind="receipt"):
        outbound.seal_and_submit(outgoing.pk)
    access_point_sending.send(OutboundTransfer.objects.get(envelope_id__isnull=False, state="PENDING").pk)
    inbound.process(IncomingMessage.objects.get(is_accepted=None).pk)
    row.refresh_from_db()
    assert (row.state, row.due_at, row.lease) == ("ACCEPTED", None, None)
    outbound.seal_and_submit(row.pk)
    assert OutboundTransfer.objects.filter(envelope_id=str(row.message_id)).count() == 1


def test_a_recipient_that_had_it_already_says_duplicate_and_the_sender_reads_that_it_arrived(world):
    """The recipient accepted it, and its receipt was lost."""
    row = without_receipt(world)
    inbound.process(IncomingMessage.objects.get().pk)
    OutgoingMessage.objects.filter(kind="receipt").update(due_at=None)
    again(world, row)
    world.pump()
    row.refresh_from_db()
    assert (row.state, row.cause) == ("REJECTED", "BV/duplicate")
    assert ladder(world, row).problem == "Mottagaren hade redan fått meddelandet när det skickades igen."
    assert MailboxMessage.objects.count() == 1


@pytest.mark.parametrize("state", ["on its way", "waits", "settled", "content gone", "malware", "a receipt"])
def test_what_cannot_be_sent_again_is_not(world, state):
    row = failed(world)
    changes = {
        "on its way": {"state": "SUBMITTED"},
        "waits": {"state": "WAITING_FOR_RECEIPT"},
        "settled": {"state": "ACCEPTED"},
        "content gone": {"payload_name": ""},
        "malware": {"cause": "malware-found"},
        "a receipt": {"kind": "receipt"},
    }[state]
    OutgoingMessage.objects.update(**changes)
    with pytest.raises(resend.CannotBeSentAgain):
        again(world, row)
    with pytest.raises(resend.CannotBeSentAgain):
        resend.send_again(world.recipient.participant.value, row.message_id, actor="Nils")
    assert OutboundTransfer.objects.count() == 1


def test_a_transfer_of_which_nothing_is_heard_is_sent_again_and_what_is_told_of_it_later_is_no_matter(world):
    row = ordered(world)
    outbound.seal_and_submit(row.pk)
    OutboundTransfer.objects.update(due_at=None)
    OutgoingMessage.objects.update(transport_due_at=timezone.now())
    deadlines.mark_overdue()
    row.refresh_from_db()
    again(world, row)
    with transaction.atomic():
        outbound.transfers_changed([TransferChange(row.pk, Outcome.FAILED, "unreachable")])
    row.refresh_from_db()
    assert row.state == "SCHEDULED"
    world.pump()
    row.refresh_from_db()
    assert row.state == "ACCEPTED"


def test_two_who_press_at_once_send_it_once_more(world):
    row = failed(world)
    done = at_once(lambda: resend.send_again(world.sender.participant.value, row.message_id, actor="x"), 2)
    assert sorted(done) == ["CannotBeSentAgain", "done"]
    world.pump()
    assert OutboundTransfer.objects.filter(envelope_id=str(row.message_id)).count() == 2


def test_what_has_not_left_is_cancelled_and_nothing_of_it_is_kept_for_sending(world):
    row = ordered(world)
    payload = row.payload_name
    assert ladder(world, row).may_be_cancelled
    cancelled(world, row)
    assert (row.state, row.cause, row.due_at) == ("MESSAGE_EXCHANGE_ERROR", "cancelled", None)
    assert not default_storage.exists(payload)
    world.pump()
    assert not OutboundTransfer.objects.exists()
    shown = ladder(world, row)
    assert shown.problem == "Sändningen avbröts. Meddelandet lämnade aldrig er organisation."
    assert not shown.may_be_sent_again
    assert not shown.may_be_cancelled
    assert [(name, who) for _, name, who in shown.history][-1] == ("Avbrutet", "Nils")
    assert deadlines.mark_overdue() == 0


def test_what_waits_for_others_can_be_cancelled(world, settings):
    settings.SDK_CLAMD = "/nowhere/clamd.sock"
    row = ordered(world)
    outbound.seal_and_submit(row.pk)
    cancelled(world, row)
    assert row.cause == "cancelled"


def handed_over(world) -> OutgoingMessage:
    row = ordered(world)
    outbound.seal_and_submit(row.pk)
    row.refresh_from_db()
    return row


def nothing_left(row: OutgoingMessage) -> bool:
    """It is cancelled, and no access point has been asked to take it."""
    return (row.state, row.cause) == ("MESSAGE_EXCHANGE_ERROR", "cancelled") and not (
        IncomingMessage.objects.exists() or TransferEvent.objects.filter(kind="SENT").exists()
    )


def test_what_the_access_point_has_not_begun_to_send_is_cancelled(world):
    row = handed_over(world)
    envelope = row.envelope_name
    assert ladder(world, row).may_be_cancelled
    cancelled(world, row)
    assert not default_storage.exists(envelope)
    world.pump()
    row.refresh_from_db()
    assert nothing_left(row)
    shown = ladder(world, row)
    assert shown.problem == "Sändningen avbröts. Meddelandet lämnade aldrig er organisation."
    assert not shown.may_be_cancelled
    transfer = OutboundTransfer.objects.get()
    assert (transfer.state, transfer.cause, transfer.due_at) == ("FAILED", "cancelled", None)
    assert [event.cause for event in TransferEvent.objects.all()] == ["cancelled"]


def test_what_waits_because_the_recipient_cannot_be_looked_up_is_cancelled(world, monkeypatch):
    row = handed_over(world)

    def away(*_):
        raise LookupUnavailable("DNS")

    monkeypatch.setattr(access_point_sending.lookup, "endpoint_of", away)
    access_point_sending.send(OutboundTransfer.objects.get().pk)
    row.refresh_from_db()
    assert row.state == "SCHEDULED_FOR_RESEND"
    assert ladder(world, row).may_be_cancelled
    cancelled(world, row)
    assert nothing_left(row)


def test_what_was_posted_once_may_have_arrived_and_cannot_be_cancelled(world, monkeypatch):
    row = handed_over(world)

    def no_answer(*_):
        raise NoAnswer("broke off")

    monkeypatch.setattr(access_point_sending, "post", no_answer)
    access_point_sending.send(OutboundTransfer.objects.get().pk)
    row.refresh_from_db()
    assert row.state == "SCHEDULED_FOR_RESEND"
    assert not ladder(world, row).may_be_cancelled
    with pytest.raises(resend.HasLeft):
        cancelled(world, row)
    row.refresh_from_db()
    assert (row.state, OutboundTransfer.objects.get().state) == ("SCHEDULED_FOR_RESEND", "PENDING")
    assert default_storage.exists(row.envelope_name)


def test_a_message_that_is_cancelled_while_a_worker_packs_it_is_not_posted(world, monkeypatch):
    row = handed_over(world)
    write = access_point_sending.write_user_message

    def cancelled_meanwhile(*args, **options):
        cancelled(world, row)
        return write(*args, **options)

    monkeypatch.setattr(access_point_sending, "write_user_message", cancelled_meanwhile)
    access_point_sending.send(OutboundTransfer.objects.get().pk)
    row.refresh_from_db()
    assert nothing_left(row)
    assert OutboundTransfer.objects.get().state == "FAILED"


def test_a_worker_that_is_about_to_post_is_waited_for_and_wins(world, monkeypatch):
    """It holds the transfer's lock: whoever cancels waits, and then finds that it may be on its way."""
    row = handed_over(world)
    holds, waited, outcome = threading.Event(), [], []
    outbound = access_point_log.outbound

    def slow(kind, *args, **options):
        if kind == TransferEvent.Kind.SENT:
            holds.set()
            canceller.join(0.3)
            waited.append(canceller.is_alive())
        outbound(kind, *args, **options)

    def cancel() -> None:
        holds.wait(20)
        outcome.extend(
            at_once(lambda: resend.cancel(world.sender.participant.value, row.message_id, actor="x"), 1)
        )

    canceller = threading.Thread(target=cancel)
    canceller.start()
    monkeypatch.setattr(access_point_log, "outbound", slow)
    access_point_sending.send(OutboundTransfer.objects.get().pk)
    canceller.join(20)
    assert (waited, outcome) == ([True], ["HasLeft"])
    world.pump()
    row.refresh_from_db()
    assert row.state == "ACCEPTED"


def test_what_has_left_cannot_be_cancelled(world):
    row = handed_over(world)
    access_point_sending.send(OutboundTransfer.objects.get().pk)
    with pytest.raises(resend.HasLeft):
        cancelled(world, row)
    with pytest.raises(resend.HasLeft):
        resend.cancel(world.sender.participant.value, uuid.uuid4(), actor="Nils")
    world.pump()
    row.refresh_from_db()
    assert row.state == "ACCEPTED"


def test_a_new_attempt_that_is_cancelled_may_be_made_again(world):
    row = failed(world)
    again(world, row)
    cancelled(world, row)
    shown = ladder(world, row)
    assert shown.problem == "Omsändningen avbröts. Den första sändningen kan ha kommit fram."
    assert shown.may_be_sent_again
    again(world, row)
    world.pump()
    row.refresh_from_db()
    assert row.state == "ACCEPTED"


def test_a_message_that_is_cancelled_while_a_worker_seals_it_does_not_leave(world, monkeypatch):
    row = ordered(world)
    seal = outbound.seal

    def cancelled_meanwhile(*args, **options):
        seal(*args, **options)
        cancelled(world, row)

    monkeypatch.setattr(outbound, "seal", cancelled_meanwhile)
    outbound.seal_and_submit(row.pk)
    row.refresh_from_db()
    assert (row.state, row.cause) == ("MESSAGE_EXCHANGE_ERROR", "cancelled")
    assert not OutboundTransfer.objects.exists()
    kept = default_storage.listdir(row.events.first().at.strftime("outgoing/%Y/%m/%d"))[1]
    assert kept == []


def test_a_worker_that_is_about_to_hand_over_is_waited_for_and_wins(world, monkeypatch):
    """The worker holds the row's lock: whoever cancels waits for it, and then finds that it has left."""
    row = ordered(world)
    holds, waited = threading.Event(), []
    submit = outbound._submit

    def slow(current, envelope_name):
        holds.set()
        # The other one is waiting for the lock by now, or will find it.
        canceller.join(0.3)
        waited.append(canceller.is_alive())
        submit(current, envelope_name)

    outcome: list[str] = []

    def cancel() -> None:
        holds.wait(20)
        outcome.extend(
            at_once(lambda: resend.cancel(world.sender.participant.value, row.message_id, actor="x"), 1)
        )

    canceller = threading.Thread(target=cancel)
    canceller.start()
    monkeypatch.setattr(outbound, "_submit", slow)
    outbound.seal_and_submit(row.pk)
    canceller.join(20)
    assert waited == [True]
    assert outcome == ["HasLeft"]
    row.refresh_from_db()
    assert row.state == "SUBMITTED"
    assert OutboundTransfer.objects.count() == 1


def at_once(action, count: int) -> list[str]:
    """How each of some threads that begin together came out."""
    start, outcomes = threading.Barrier(count), []

    def run() -> None:
        try:
            start.wait(10)
            action()
            outcomes.append("done")
        except Exception as error:  # noqa: BLE001
            outcomes.append(type(error).__name__)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return outcomes


def test_the_stored_envelope_opens_as_that_of_the_new_transfer(world):
    row = failed(world)
    again(world, row)
    outbound.seal_and_submit(row.pk)
    row.refresh_from_db()
    assert row.envelope_binding.key == row.transfer_reference
    with blobs.open_stored(row.envelope_name, row.envelope_binding) as envelope:
        assert envelope.read(5)
