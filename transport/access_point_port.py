"""Where message service and access point meet, and all that they share.

The message service hands over a sealed envelope and is told of its fate; an access point tells of an
envelope that has arrived. Whose access point it is, is an adapter's matter (SDK_ACCESS_POINT_ADAPTER).
"""

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import BinaryIO, Protocol
from uuid import UUID

from django.conf import settings
from django.dispatch import Signal
from django.utils.module_loading import import_string

from transport.protocol.identifiers import DocumentType, ParticipantId
from transport.storage.blobs import Place


class Outcome(StrEnum):
    """The fate of a transfer."""

    DELIVERED = "delivered"
    RESENDING = "resending"
    FAILED = "failed"


class Cause(StrEnum):
    """Why something waits or has failed: codes that last, for histories, logs and people's own language.

    The first five are `transport.federation.errors`' codes.
    """

    PARTICIPANT_UNKNOWN = "participant-unknown"
    DOCUMENT_TYPE_NOT_SERVED = "document-type-not-served"
    CERTIFICATE_NOT_PUBLISHED = "certificate-not-published"
    METADATA_UNTRUSTED = "metadata-untrusted"
    LOOKUP_UNAVAILABLE = "lookup-unavailable"
    REVOCATION_UNKNOWN = "revocation-unknown"
    # The message service's own: the envelope was never sealed.
    RECIPIENT_CERTIFICATE_UNTRUSTED = "recipient-certificate-untrusted"
    NO_SIGNING_KEY = "no-signing-key"
    SCANNER_UNAVAILABLE = "scanner-unavailable"
    TOO_LARGE_TO_SCAN = "too-large-to-scan"
    MALWARE_FOUND = "malware-found"
    CANCELLED = "cancelled"
    MESSAGE_INVALID = "message-invalid"
    # The access point's: sending did not succeed.
    ACCESS_POINT_UNTRUSTED = "access-point-untrusted"
    UNREACHABLE = "unreachable"
    RECEIPT_INVALID = "receipt-invalid"
    RECEIPT_UNTRUSTED = "receipt-untrusted"
    NOT_SERVICED = "not-serviced"
    REFUSED = "refused"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True)
class OutgoingTransfer:
    """An envelope to be sent.

    `envelope_name` is a stored file (`transport.storage.blobs`), kept by its owner.
    """

    reference: UUID
    envelope_name: str
    envelope_id: str
    sender: ParticipantId
    recipient: ParticipantId
    document_type: DocumentType
    conversation_id: str

    @property
    def envelope_place(self) -> Place:
        return Place(self.sender.value, "envelope", self.reference)


@dataclass(frozen=True, slots=True)
class ArrivedEnvelope:
    """An envelope that an access point has taken, and what its AS4 header said."""

    transfer_id: UUID
    sender: ParticipantId
    recipient: ParticipantId
    document_type: DocumentType
    conversation_id: str
    sending_access_point: str
    arrived_at: datetime


class AccessPoint(Protocol):
    """What an adapter offers the message service."""

    def submit(self, transfer: OutgoingTransfer) -> None:
        """Take a transfer, in the caller's transaction; the same reference again changes nothing."""

    def unsent(self, references: Collection[UUID]) -> set[UUID]:
        """Those of our transfers that can be taken back now: nothing of them has ever been on its way."""

    def take_back(self, reference: UUID) -> bool:
        """Send a transfer no more, in the caller's transaction; False where it may have been on its way.

        Locks the transfer: who holds the lock of what it is a transfer of must not call this.
        """

    def arrived(self, transfer_id: UUID) -> ArrivedEnvelope:
        """What is known of an envelope that arrived."""

    def open(self, transfer_id: UUID) -> AbstractContextManager[BinaryIO]:
        """Its bytes, as a seekable file."""

    def discard(self, transfer_id: UUID, envelope_id: str, cause: str) -> None:
        """Delete its bytes and log why, in the caller's transaction: it was not taken (C3.4.6 3.2.1, 3.2.2).

        `envelope_id` is empty where it could not be read; `cause` is a code without content.
        """

    def receipt_of_sent(self, reference: UUID) -> bytes | None:
        """The transport receipt that a transfer of ours was answered with; None before it came."""

    def receipt_of_arrived(self, transfer_id: UUID) -> bytes | None:
        """The transport receipt that an envelope which arrived was answered with."""


transfer_changed = Signal()
"""Sent in the access point's transaction: `reference` (UUID), `outcome` (Outcome), `cause` (Cause or "")."""

envelope_arrived = Signal()
"""Sent in the transaction that puts a transfer in: `transfer_id` (UUID), `transfer_sender`, `recipient`,
`document_type`."""


@cache
def _adapter(path: str) -> AccessPoint:
    adapter: AccessPoint = import_string(path)()
    return adapter


def access_point() -> AccessPoint:
    """The configured access point."""
    return _adapter(settings.SDK_ACCESS_POINT_ADAPTER)


class ServedParticipants(Protocol):
    """How an access point learns whom it serves (C3.2.1 2.5 a)."""

    def __call__(self, participant: ParticipantId, document_type: DocumentType) -> bool: ...


_served: list[ServedParticipants] = []


def register_served(question: ServedParticipants) -> None:
    """A message service says which participants and message types it takes."""
    if question not in _served:
        _served.append(question)


def is_served(participant: ParticipantId, document_type: DocumentType) -> bool:
    """Whether any message service here takes this type for this participant."""
    return any(question(participant, document_type) for question in _served)
