"""The interface between message service and access point, and all that they share.

The message service submits sealed envelopes to the access point, which calls back with the status of each
transfer, and with each envelope that arrived. Each side is a Protocol, and the settings
name the class behind it (`SDK_ACCESS_POINT_ADAPTER`, `SDK_MESSAGE_SERVICE`): either can be somebody else's.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import BinaryIO, Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from transport.protocol.identifiers import DocumentType, ParticipantId
from transport.storage.blobs import BlobBinding


class Outcome(StrEnum):
    """The status of a transfer: resending may be reported several times, the others once."""

    DELIVERED = "delivered"
    RESENDING = "resending"
    FAILED = "failed"


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
    def envelope_binding(self) -> BlobBinding:
        return BlobBinding(self.sender.value, "envelope", self.reference)


@dataclass(frozen=True, slots=True)
class ArrivedEnvelope:
    """An envelope that an access point has received, and what its AS4 header says.

    `sending_access_point` is the party id, the CN of the certificate that signed the AS4 message; `open`
    gives its bytes, as a seekable file.
    """

    transfer_id: UUID
    sender: ParticipantId
    recipient: ParticipantId
    document_type: DocumentType
    conversation_id: str
    sending_access_point: str
    arrived_at: datetime
    open: Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to send a transfer, for traces.

    Times are nanoseconds since 1970. `code` is the HTTP status or AS4 error that it was answered with, `size`
    the bytes that were posted.
    """

    number: int
    began: int
    ended: int
    code: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class TransferChange:
    """What has become of a transfer; `cause` is a `Cause` or empty. Without `attempt` nothing is traced."""

    reference: UUID
    outcome: Outcome
    cause: str
    attempt: Attempt | None = None


class AccessPoint(Protocol):
    """The interface of an access point, as the message service calls it."""

    def submit(self, transfer: OutgoingTransfer) -> None:
        """Accept a transfer, in the caller's transaction; the same reference again changes nothing."""

    def cancellable(self, references: Collection[UUID]) -> set[UUID]:
        """The transfers among these that can be cancelled now: nothing of them has ever been sent."""

    def cancel(self, reference: UUID) -> bool:
        """Send a transfer no more, in the caller's transaction; False where it may have been sent already.

        Locks the transfer: the caller must not have locked the message that it carries.
        """

    def envelopes(self, transfer_ids: Collection[UUID]) -> dict[UUID, ArrivedEnvelope]:
        """The envelopes that arrived by these transfers."""

    def open(self, transfer_id: UUID) -> AbstractContextManager[BinaryIO]:
        """Its bytes, as a seekable file."""

    def discard(self, transfer_id: UUID, envelope_id: str, cause: str) -> None:
        """Delete its bytes and log why, in the caller's transaction: it was not accepted (C3.4.6 3.2.1,
        3.2.2).

        `envelope_id` is empty where it could not be read; `cause` is a code without content.
        """

    def receipt_of_sent(self, reference: UUID) -> bytes | None:
        """The transport receipt that a transfer of ours was answered with; None before it came."""

    def receipt_of_arrived(self, transfer_id: UUID) -> bytes | None:
        """The transport receipt that an envelope which arrived was answered with."""


class MessageService(Protocol):
    """The interface of a message service, as an access point calls it, always within a transaction."""

    def serves(self, participant: ParticipantId, document_type: DocumentType) -> bool:
        """Whether it accepts messages of this type for this participant (C3.2.1 2.5 a)."""

    def envelope_arrived(
        self, transfer_id: UUID, sender: ParticipantId, recipient: ParticipantId, document_type: DocumentType
    ) -> None:
        """An envelope has been stored, in the transaction that stores it."""

    def transfers_changed(self, changes: Sequence[TransferChange]) -> None:
        """The status of transfers has changed; each is named once."""


@cache
def _adapter(path: str) -> AccessPoint:
    adapter: AccessPoint = import_string(path)()
    return adapter


def access_point() -> AccessPoint:
    """The configured access point."""
    return _adapter(settings.SDK_ACCESS_POINT_ADAPTER)


@cache
def _service(path: str) -> MessageService:
    service: MessageService = import_string(path)()
    return service


def message_service() -> MessageService:
    """The configured message service."""
    return _service(settings.SDK_MESSAGE_SERVICE)
