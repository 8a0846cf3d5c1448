"""Another operator's access point, as the message service calls it (`access_point_port.AccessPoint`)."""

import logging
from collections.abc import Collection
from contextlib import AbstractContextManager
from functools import partial
from typing import BinaryIO
from uuid import UUID

from django.utils import timezone

from transport.access_point_port import ArrivedEnvelope, OutgoingTransfer
from transport.jobs import task_named, wake
from transport.storage import blobs

from ..protocol.identifiers import DocumentType, ParticipantId
from .models import DroppedTransfer, FoundTransfer

logger = logging.getLogger(__name__)


class DirectoryDrop:
    """Rows in the same database; files that a gateway moves to and from its access point."""

    def submit(self, transfer: OutgoingTransfer) -> None:
        row, _ = DroppedTransfer.objects.get_or_create(
            reference=transfer.reference,
            defaults={
                "envelope_name": transfer.envelope_name,
                "envelope_id": transfer.envelope_id,
                "conversation_id": transfer.conversation_id,
                "sender": transfer.sender.value,
                "recipient": transfer.recipient.value,
                "document_id": transfer.document_type.identifier,
                "document_scheme": transfer.document_type.scheme,
                "due_at": timezone.now(),
            },
        )
        wake(task_named("transport.directory_drop.tasks.write"), row.pk)

    def cancellable(self, references: Collection[UUID]) -> set[UUID]:
        """None: a gateway may have found the files as soon as they are written."""
        return set()

    def cancel(self, reference: UUID) -> bool:
        return False

    def envelopes(self, transfer_ids: Collection[UUID]) -> dict[UUID, ArrivedEnvelope]:
        return {
            row.pk: ArrivedEnvelope(
                row.pk,
                ParticipantId(row.sender),
                ParticipantId(row.recipient),
                DocumentType(row.document_id, row.document_scheme),
                row.conversation_id,
                row.sending_access_point,
                row.created_at,
                partial(_opened, row),
            )
            for row in FoundTransfer.objects.defer("receipt").filter(pk__in=transfer_ids)
        }

    def open(self, transfer_id: UUID) -> AbstractContextManager[BinaryIO]:
        return _opened(FoundTransfer.objects.only("recipient", "envelope_name").get(pk=transfer_id))

    def receipt_of_sent(self, reference: UUID) -> bytes | None:
        receipt = DroppedTransfer.objects.filter(pk=reference).values_list("receipt", flat=True).first()
        return bytes(receipt) if receipt else None

    def receipt_of_arrived(self, transfer_id: UUID) -> bytes | None:
        receipt = FoundTransfer.objects.values_list("receipt", flat=True).get(pk=transfer_id)
        return bytes(receipt) if receipt else None

    def discard(self, transfer_id: UUID, envelope_id: str, cause: str) -> None:
        row = FoundTransfer.objects.select_for_update().get(pk=transfer_id)
        blobs.remove_on_commit(row.envelope_name)
        row.envelope_name = ""
        row.save(update_fields=["envelope_name"])
        fields = {"transfer_id": transfer_id, "envelope_id": envelope_id, "cause": cause}
        logger.info("transfer_discarded", extra={"fields": fields})


def _opened(row: FoundTransfer) -> AbstractContextManager[BinaryIO]:
    return blobs.open_stored(row.envelope_name, row.envelope_binding)
