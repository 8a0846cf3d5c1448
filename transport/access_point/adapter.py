"""This project's own access point, as the message service calls it (`access_point_port.AccessPoint`)."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from functools import partial
from typing import BinaryIO
from uuid import UUID

from transport.access_point_port import ArrivedEnvelope, OutgoingTransfer
from transport.storage import blobs

from . import outbound, transfer_log
from .keys import own_keys
from .models import InboundTransfer, OutboundTransfer


class OwnAccessPoint:
    """Rows in the same database; workers of the same installation."""

    def submit(self, transfer: OutgoingTransfer) -> None:
        outbound.submit(transfer)

    def cancellable(self, references: Collection[UUID]) -> set[UUID]:
        return outbound.cancellable(references)

    def cancel(self, reference: UUID) -> bool:
        return outbound.cancel(reference)

    def envelopes(self, transfer_ids: Collection[UUID]) -> dict[UUID, ArrivedEnvelope]:
        rows = InboundTransfer.objects.defer("signing_certificate", "signed_references", "receipt")
        return {
            row.pk: ArrivedEnvelope(
                row.pk,
                row.sender_id,
                row.recipient_id,
                row.document_type,
                row.conversation_id,
                row.sending_access_point,
                row.created_at,
                partial(_opened, row),
            )
            for row in rows.filter(pk__in=transfer_ids)
        }

    def open(self, transfer_id: UUID) -> AbstractContextManager[BinaryIO]:
        return _opened(InboundTransfer.objects.only("recipient", "envelope_name").get(pk=transfer_id))

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


def _opened(row: InboundTransfer) -> AbstractContextManager[BinaryIO]:
    return blobs.open_stored(row.envelope_name, row.envelope_binding)
