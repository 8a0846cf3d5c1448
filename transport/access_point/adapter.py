"""This project's own access point, as the message service meets it."""

import uuid
from collections.abc import Collection, Generator
from contextlib import contextmanager
from typing import BinaryIO
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from transport.access_point_port import ArrivedEnvelope, OutgoingTransfer
from transport.causes import Cause
from transport.jobs import task_named, wake
from transport.storage import blobs

from . import transfer_log
from .keys import own_keys
from .models import InboundTransfer, OutboundTransfer

# Before a message is posted it is written down what was signed, each time.
_IS_UNSENT = Q(state=OutboundTransfer.State.PENDING, sent_references=[])


class OwnAccessPoint:
    """Rows in the same database; workers of the same installation."""

    def submit(self, transfer: OutgoingTransfer) -> None:
        row = OutboundTransfer.objects.filter(reference=transfer.reference).first()
        if row is None:
            row = OutboundTransfer.objects.create(
                reference=transfer.reference,
                as4_message_id=f"{uuid.uuid4()}@{own_keys().party_id}",
                conversation_id=transfer.conversation_id,
                envelope_id=transfer.envelope_id,
                sender=transfer.sender.value,
                recipient=transfer.recipient.value,
                document_id=transfer.document_type.identifier,
                document_scheme=transfer.document_type.scheme,
                envelope_name=transfer.envelope_name,
                due_at=timezone.now(),
            )

        wake(task_named("transport.access_point.tasks.send"), row.pk)

    def unsent(self, references: Collection[UUID]) -> set[UUID]:
        rows = OutboundTransfer.objects.filter(reference__in=references)
        return set(rows.filter(_IS_UNSENT).values_list("reference", flat=True))

    def take_back(self, reference: UUID) -> bool:
        """What is about to be posted is committed first (`sending`): a worker that has not come as far finds
        its lease gone, and one that has is waited for here."""
        row = OutboundTransfer.objects.select_for_update().filter(reference=reference).first()
        if row is None or row.state != row.State.PENDING or row.sent_references:
            return False
        row.state, row.cause, row.settled_at = row.State.FAILED, Cause.CANCELLED, timezone.now()
        row.due_at = row.lease = row.lease_until = None
        row.save()
        transfer_log.outbound(transfer_log.Kind.FAILED, row, own_keys().party_id, cause=Cause.CANCELLED)
        return True

    def arrived(self, transfer_id: UUID) -> ArrivedEnvelope:
        row = InboundTransfer.objects.get(pk=transfer_id)
        return ArrivedEnvelope(
            row.pk,
            row.sender_id,
            row.recipient_id,
            row.document_type,
            row.conversation_id,
            row.sending_access_point,
            row.created_at,
        )

    @contextmanager
    def open(self, transfer_id: UUID) -> Generator[BinaryIO, None, None]:
        row = InboundTransfer.objects.only("recipient", "envelope_name").get(pk=transfer_id)
        with blobs.open_stored(row.envelope_name, row.envelope_place) as envelope:
            yield envelope

    def receipt_of_sent(self, reference: UUID) -> bytes | None:
        rows = OutboundTransfer.objects.filter(reference=reference)
        receipt = rows.values_list("receipt", flat=True).first()
        return bytes(receipt) if receipt else None

    def receipt_of_arrived(self, transfer_id: UUID) -> bytes | None:
        receipt = InboundTransfer.objects.values_list("receipt", flat=True).get(pk=transfer_id)
        return bytes(receipt) if receipt else None

    def discard(self, transfer_id: UUID, envelope_id: str, cause: str) -> None:
        row = InboundTransfer.objects.select_for_update().get(pk=transfer_id)
        blobs.remove_on_commit(row.envelope_name)
        row.envelope_name = ""
        row.save(update_fields=["envelope_name"])
        transfer_log.discarded(row, own_keys().party_id, envelope_id, cause)
