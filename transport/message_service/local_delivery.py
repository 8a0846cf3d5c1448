"""Local delivery: messages between organisations of this node, with no access point between.

No service of the federation is asked: no address, no certificate and no key of another party is needed. The
same signed envelope as elsewhere is delivered, validated by the same rules and answered with the same
receipt, so the history is the same too. Either organisation may choose that its messages are sent through
the access point all the same (`Organisation.goes_out_and_back`).
"""

import logging
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import BinaryIO, Protocol
from uuid import UUID

from cryptography import x509
from django.db.models import QuerySet
from django.utils import timezone

from transport import access_point_port
from transport.access_point_port import ArrivedEnvelope
from transport.protocol.certificates import fingerprint
from transport.queues import wake_queue
from transport.remote_service_port import OwnFunction, remote_services
from transport.storage import blobs

from .message_types import registry
from .models import IncomingMessage, Organisation, OrganisationKey, OutgoingMessage

logger = logging.getLogger(__name__)


class EnvelopeStore(Protocol):
    """Storage of inbound envelopes, as `access_point_port.AccessPoint` has it."""

    def envelopes(self, transfer_ids: Collection[UUID]) -> dict[UUID, ArrivedEnvelope]: ...
    def open(self, transfer_id: UUID) -> AbstractContextManager[BinaryIO]: ...
    def discard(self, transfer_id: UUID, envelope_id: str, cause: str) -> None: ...
    def receipt_of_arrived(self, transfer_id: UUID) -> bytes | None: ...


def local_recipients(rows: Iterable[OutgoingMessage]) -> dict[UUID, Organisation]:
    """The organisations of this node that messages are delivered to, by the messages' keys; without those
    that go by access points.

    A receipt goes the way of the message that it answers, whatever has been set since.
    """
    here = Organisation.objects.filter(participant_id__in={row.recipient for row in rows})
    by_participant = {organisation.participant_id: organisation for organisation in here}
    found = {row.pk: _local_recipient(row, by_participant.get(row.recipient)) for row in rows}
    local = {key: recipient for key, recipient in found.items() if recipient is not None}
    return _without_carried(rows, local) if local else {}


def _without_carried(
    rows: Iterable[OutgoingMessage], local: dict[UUID, Organisation]
) -> dict[UUID, Organisation]:
    """Without messages to functions that receive through another message service: only that can answer
    them."""
    functions = {
        row.pk: OwnFunction(local[row.pk].pk, row.handling_service_id)
        for row in rows
        if row.pk in local and not row.is_receipt
    }
    carried = remote_services().carried(functions.values())
    return {key: recipient for key, recipient in local.items() if functions.get(key) not in carried}


def _local_recipient(row: OutgoingMessage, recipient: Organisation | None) -> Organisation | None:
    if recipient is None:
        return None
    if row.answers is not None:
        return recipient if row.answers.is_local else None
    return None if row.organisation.goes_out_and_back or recipient.goes_out_and_back else recipient


def encryption_certificate(recipient: Organisation) -> x509.Certificate | None:
    """The newest certificate of the recipient's that this node has, or None.

    Sealing for it lets an envelope be read as a stream. Without one it is signed only: it stays in this
    node, where its file is sealed like every other.
    """
    now = timezone.now()
    key = (
        recipient.keys.filter(
            purpose=OrganisationKey.Purpose.ENCRYPTION, valid_from__lte=now, valid_until__gte=now
        )
        .order_by("-valid_from", "-id")
        .first()
    )
    return x509.load_pem_x509_certificate(key.certificate.encode()) if key is not None else None


def copy_name(envelope_name: str) -> str:
    """The name of the recipient's own copy of an envelope, which is kept or deleted by the recipient's
    rules."""
    return f"{envelope_name}.inside"


def store_copy(name: str, envelope: BinaryIO, recipient: Organisation, transfer_id: UUID) -> str:
    """Store the recipient's copy, encrypted for the recipient; the name that it got."""
    return blobs.store(name, envelope, blobs.BlobBinding(recipient.participant_id, "envelope", transfer_id))


def deliver_locally(row: OutgoingMessage, recipient: Organisation, transfer_id: UUID, copy: str) -> None:
    """Create the inbound message of the recipient, in the caller's transaction."""
    IncomingMessage.objects.create(
        transfer_id=transfer_id,
        organisation=recipient,
        sender=row.organisation.participant_id,
        sent_as=row,
        envelope_name=copy,
        arrived_at=timezone.now(),
        due_at=timezone.now(),
    )
    wake_queue("transport.message_service.tasks.validate_due")


def envelope_store_of(incoming: IncomingMessage) -> EnvelopeStore:
    """The store of an inbound message's envelope: this service's own, or the access point's."""
    return _LocalEnvelopes() if incoming.is_local else access_point_port.access_point()


def envelopes_of(rows: Iterable[IncomingMessage]) -> dict[UUID, ArrivedEnvelope]:
    """The envelopes of inbound messages, by their transfers."""
    found: dict[UUID, ArrivedEnvelope] = {}
    stores: list[tuple[EnvelopeStore, bool]] = [
        (_LocalEnvelopes(), True),
        (access_point_port.access_point(), False),
    ]
    for store, is_local in stores:
        keys = [row.transfer_id for row in rows if row.is_local == is_local]
        found |= store.envelopes(keys) if keys else {}
    return found


def discard(incoming: IncomingMessage, envelope_id: str, cause: str) -> None:
    """Delete the envelope of an inbound message, in the caller's transaction, and log why.

    `envelope_id` is empty where it could not be read; `cause` is a code without content.
    """
    envelope_store_of(incoming).discard(incoming.transfer_id, envelope_id, cause)
    incoming.envelope_name = ""


def is_signer(sender: str, certificate: x509.Certificate) -> bool:
    """Whether the organisation of this node signs with the certificate."""
    keys = OrganisationKey.objects.filter(
        organisation__participant_id=sender, purpose=OrganisationKey.Purpose.SIGNING
    )
    return keys.filter(fingerprint=fingerprint(certificate)).exists()


class _LocalEnvelopes:
    """Envelopes that were delivered locally, by the rows of this service."""

    def envelopes(self, transfer_ids: Collection[UUID]) -> dict[UUID, ArrivedEnvelope]:
        rows = _with_senders().filter(transfer_id__in=transfer_ids)
        return {row.transfer_id: _arrived(row, row.sent_as) for row in rows if row.sent_as is not None}

    def open(self, transfer_id: UUID) -> AbstractContextManager[BinaryIO]:
        return _opened(_with_senders().get(transfer_id=transfer_id))

    def discard(self, transfer_id: UUID, envelope_id: str, cause: str) -> None:
        row = IncomingMessage.objects.select_for_update().get(transfer_id=transfer_id)
        blobs.remove_on_commit(row.envelope_name)
        row.envelope_name = ""
        row.save(update_fields=["envelope_name"])
        fields = {"transfer_id": transfer_id, "envelope_id": envelope_id, "cause": cause}
        logger.info("envelope_discarded", extra={"fields": fields})

    def receipt_of_arrived(self, transfer_id: UUID) -> bytes | None:
        """None: no access point was involved."""
        return None


def _with_senders() -> QuerySet[IncomingMessage]:
    return IncomingMessage.objects.select_related("organisation", "sent_as__organisation")


def _arrived(row: IncomingMessage, sent: OutgoingMessage) -> ArrivedEnvelope:
    return ArrivedEnvelope(
        row.transfer_id,
        sent.organisation.participant,
        row.organisation.participant,
        registry.of_kind(sent.kind).document_type,
        str(sent.conversation_id),
        "",
        row.arrived_at,
        partial(_opened, row),
    )


def _opened(row: IncomingMessage) -> AbstractContextManager[BinaryIO]:
    return blobs.open_stored(row.envelope_name, row.envelope_binding)
