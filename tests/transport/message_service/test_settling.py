"""What becomes of a message that was sent: receipts late, early, doubled and foreign, in any order."""

import copy
import io
import uuid
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from testbed.authorities import load_certificate, load_key
from transport.access_point.models import OutboundTransfer
from transport.access_point_port import Outcome, TransferChange
from transport.message_service import local_delivery, orders, outbound, receipts
from transport.message_service.models import Event, IncomingMessage, OutgoingMessage
from transport.message_service.states import OUTGOING, OutgoingState
from transport.message_service.tracking import deadlines
from transport.message_service.tracking.deliveries import deliveries_of, delivery_of
from transport.protocol.findings import Reason
from transport.protocol.identifiers import MESSAGE_RECEIPT, RECEIPT_TYPE_CODE, ParticipantId
from transport.protocol.message_receipt import Cause, MessageReceipt, ResponseCode, write_receipt
from transport.protocol.xhe.envelope import Envelope
from transport.protocol.xhe.opening import verify_envelope
from transport.protocol.xhe.sealing import seal
from transport.storage import blobs

pytestmark = pytest.mark.xdist_group("federation-messages")


def submitted(world) -> OutgoingMessage:
    """A message that has been handed to the access point, and not sent."""
    message_id = orders.order(world.message(), actor="Karin")
    row = OutgoingMessage.objects.get(message_id=message_id)
    outbound.seal_and_submit(row.pk)
    OutboundTransfer.objects.update(due_at=None)
    row.refresh_from_db()
    return row


def receipt_from_recipient(world, row: OutgoingMessage, **changes) -> None:
    """The recipient's message service answers, over the network."""
    receipt = replace(
        MessageReceipt(
            receipt_id=str(uuid.uuid4()),
            issued_at=timezone.now(),
            sender=world.recipient.participant,
            recipient=world.sender.participant,
            ref_message_id=str(row.message_id),
            code=ResponseCode.ACCEPTED,
        ),
        **changes,
    )
    files = world.recipient.files.signing
    out = io.BytesIO()
    seal(
        Envelope(
            str(uuid.uuid4()),
            timezone.now(),
            world.recipient.participant,
            world.sender.participant,
            MESSAGE_RECEIPT,
            RECEIPT_TYPE_CODE,
            False,
            world.recipient.mailbox.address,
        ),
        io.BytesIO(write_receipt(receipt)),
        out,
        signing_key=load_key(files.key),
        signing_certificate=load_certificate(files.certificate),
        encryption_certificate=None,
    )
    turned = copy.copy(world)
    turned.sender, turned.recipient = world.recipient, world.sender
    turned.transfer(out.getvalue(), document_type=MESSAGE_RECEIPT)
    row.refresh_from_db()


def transfer_became(row: OutgoingMessage, outcome: Outcome, cause: str = "") -> None:
    """The access point tells, in its own transaction."""
    with transaction.atomic():
        outbound.transfers_changed([TransferChange(row.pk, outcome, cause)])
    row.refresh_from_db()


REJECTION = Cause(Reason.BV, "Okänd funktion", "not-found")


def test_a_receipt_may_come_before_the_transport_receipt(world, client):
    row = submitted(world)
    receipt_from_recipient(world, row)
    assert row.state == "ACCEPTED"
    transfer_became(row, Outcome.DELIVERED)
    assert (row.state, row.receipt_due_at) == ("ACCEPTED", None)
    assert row.transport_receipt_at is not None


def test_a_receipt_counts_after_the_transfer_was_given_up(world, client):
    row = submitted(world)
    transfer_became(row, Outcome.FAILED, "unreachable")
    receipt_from_recipient(world, row)
    assert (row.state, row.cause) == ("ACCEPTED", "")


def test_a_rejection_keeps_its_causes_and_the_signed_receipt(world, client):
    row = submitted(world)
    receipt_from_recipient(world, row, code=ResponseCode.REJECTED, causes=(REJECTION,))
    delivery = delivery_of(world.sender.participant.value, row.message_id)
    assert (row.state, row.cause) == ("REJECTED", "BV/not-found")
    assert [(cause.reason, cause.detail, cause.text) for cause in delivery.causes] == [
        ("BV", "not-found", "Okänd funktion")
    ]
    with blobs.open_stored(row.message_receipt_name, row.message_receipt_binding) as evidence:
        verified = verify_envelope(evidence)
    assert verified.envelope.sender == world.recipient.participant


def test_the_first_receipt_counts(world, client):
    row = submitted(world)
    receipt_from_recipient(world, row)
    receipt_from_recipient(world, row, code=ResponseCode.REJECTED, causes=(REJECTION,))
    assert row.state == "ACCEPTED"
    assert sorted(IncomingMessage.objects.values_list("cause", flat=True)) == [
        "receipt ACCEPTED",
        "receipt after another",
    ]


@pytest.mark.parametrize("reference", ["5c0f8f0e-3f5b-4f3f-9d3b-0d2a3b6f6f11", "no-uuid"])
def test_a_receipt_for_no_message_of_ours_changes_nothing(world, client, reference):
    row = submitted(world)
    receipt_from_recipient(world, row, ref_message_id=reference)
    assert row.state == "SUBMITTED"
    assert IncomingMessage.objects.get().cause == "receipt for no message of ours"


@pytest.mark.parametrize("changed", ["sender", "recipient"])
def test_a_receipt_in_the_name_of_another_changes_nothing(world, client, changed):
    row = submitted(world)
    receipt_from_recipient(world, row, **{changed: ParticipantId("0203:nagon-annan.se")})
    assert row.state == "SUBMITTED"
    assert IncomingMessage.objects.get().cause == "receipt-parties"


def test_the_message_in_the_clear_is_let_go_of_when_it_is_settled_and_not_before(world, client):
    row = submitted(world)
    payload = row.payload_name
    transfer_became(row, Outcome.DELIVERED)
    assert default_storage.exists(payload)
    receipt_from_recipient(world, row)
    assert row.payload_name == ""
    assert not default_storage.exists(payload)
    assert default_storage.exists(row.envelope_name)


def test_a_receipt_that_is_missing_is_said_once_and_is_no_rejection(world, client):
    row = submitted(world)
    transfer_became(row, Outcome.DELIVERED)
    assert deadlines.mark_overdue() == 0
    OutgoingMessage.objects.update(receipt_due_at=timezone.now() - timedelta(seconds=1))
    assert [deadlines.mark_overdue(), deadlines.mark_overdue()] == [1, 0]
    row.refresh_from_db()
    assert row.state == "WAITING_FOR_RECEIPT"
    assert row.receipt_missing_at is not None
    assert [event.name for event in row.events.all()].count("RECEIPT_MISSING") == 1
    receipt_from_recipient(world, row)
    assert row.state == "ACCEPTED"


def test_a_transfer_of_somebody_else_is_no_matter_of_ours(world, client):
    with transaction.atomic():
        outbound.transfers_changed([TransferChange(uuid.uuid4(), Outcome.DELIVERED, "")])
    assert not client.notified


def test_deliveries_are_of_one_organisation_and_take_two_queries_or_three_while_something_is_on_its_way(
    world, client, django_assert_num_queries
):
    rows = [submitted(world) for _ in range(4)]
    ids = [row.message_id for row in rows]
    with django_assert_num_queries(3):
        found = deliveries_of(world.sender.participant.value, ids)
    assert set(found) == set(ids)
    OutgoingMessage.objects.update(state="ACCEPTED")
    with django_assert_num_queries(2):
        deliveries_of(world.sender.participant.value, ids)
    assert deliveries_of(world.recipient.participant.value, ids) == {}


HAPPENINGS = st.lists(
    st.sampled_from([Outcome.DELIVERED, Outcome.RESENDING, Outcome.FAILED, "ACCEPTED", "REJECTED", "LATE"]),
    max_size=8,
)


def test_whatever_happens_in_whatever_order_the_history_tells_one_story(world, client, monkeypatch):
    """Every change is one that the table allows and has its event; what a receipt settled stays."""
    row = submitted(world)
    arrived = IncomingMessage(organisation=row.organisation, transfer_id=uuid.uuid4())
    monkeypatch.setattr(local_delivery.access_point_port, "access_point", _Archive)

    @hypothesis_settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(HAPPENINGS)
    def any_order(happenings):
        with transaction.atomic():
            for happening in happenings:
                _happen(row.pk, arrived, happening)
            after = OutgoingMessage.objects.get(pk=row.pk)
            states = [
                OutgoingState(event.name)
                for event in after.events.all()
                if event.name in OutgoingState.values
            ]
            assert states[-1] == after.state
            assert all(following in OUTGOING[state] for state, following in pairwise(states))
            first = next((item for item in happenings if item in ("ACCEPTED", "REJECTED")), None)
            assert first is None or after.state == first
            assert (after.transport_receipt_at is not None) == (Outcome.DELIVERED in happenings)
            transaction.set_rollback(True)

    any_order()
    assert Event.objects.filter(outgoing=row).count() == 2


class _Archive:
    """An access point of which only an arrived envelope is asked."""

    def open(self, transfer_id: uuid.UUID) -> io.BytesIO:
        return io.BytesIO(b"<receipt/>")


def _happen(key: uuid.UUID, arrived: IncomingMessage, happening: str) -> None:
    if isinstance(happening, Outcome):
        outbound.transfers_changed(
            [TransferChange(key, happening, "" if happening is Outcome.DELIVERED else "unreachable")]
        )
        return
    if happening == "LATE":
        OutgoingMessage.objects.filter(pk=key, receipt_due_at__isnull=False).update(
            receipt_due_at=timezone.now()
        )
        deadlines.mark_overdue()
        return
    message = OutgoingMessage.objects.select_for_update().get(pk=key)
    if OutgoingState(happening) not in OUTGOING[OutgoingState(message.state)]:
        return
    someone = message.organisation.participant
    receipt = MessageReceipt(
        "id", timezone.now(), someone, someone, str(message.message_id), ResponseCode(happening)
    )
    envelope = Envelope(
        str(uuid.uuid4()), timezone.now(), someone, someone, MESSAGE_RECEIPT, RECEIPT_TYPE_CODE, False, None
    )
    receipts.settle(message, receipt, arrived, envelope)
    message.save()
