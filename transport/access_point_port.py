"""Where message service and access point meet, and all that they share.

The message service submits sealed envelopes to the access point and is called back with what became of
them; the access point calls it with each envelope that arrived. Each side is a Protocol, and the settings
name the class behind it (`SDK_ACCESS_POINT_ADAPTER`, `SDK_MESSAGE_SERVICE`): either can be somebody else's.
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
from django.utils.module_loading import import_string

from transport.protocol.identifiers import DocumentType, ParticipantId
from transport.storage.blobs import Place


class Outcome(StrEnum):
    """The fate of a transfer."""

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


class MessageService(Protocol):
    """What a message service offers an access point. Every call is part of the access point's transaction."""

    def serves(self, participant: ParticipantId, document_type: DocumentType) -> bool:
        """Whether it takes messages of this type for this participant (C3.2.1 2.5 a)."""

    def envelope_arrived(
        self, transfer_id: UUID, sender: ParticipantId, recipient: ParticipantId, document_type: DocumentType
    ) -> None:
        """An envelope has been stored, in the transaction that stores it."""

    def transfer_changed(self, reference: UUID, outcome: Outcome, cause: str) -> None:
        """What became of a transfer; `cause` is a `Cause` or empty."""


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
