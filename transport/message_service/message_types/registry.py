"""The message types that this service accepts, each with its rules.

A new type of the federation is a module with a `MessageType` and a function that validates it, named in the
setting `SDK_MESSAGE_TYPES`; what is done with it then is decided by its verdict (`verdicts.Verdict`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings
from django.utils.module_loading import import_string

from transport.message_service.models import IncomingMessage
from transport.protocol.findings import Finding
from transport.protocol.identifiers import DocumentType
from transport.protocol.xhe.opening import VerifiedEnvelope

from .verdicts import AcceptReceipt, ReceiptUse, Verdict

ApplyReceipts = Callable[[Sequence[tuple[IncomingMessage, AcceptReceipt]]], list[ReceiptUse]]


@dataclass(frozen=True, slots=True)
class MessageType:
    """A type of the federation (C3.2.7 1.3).

    `kind` is what rows of outgoing messages call it; `payload_code` is the payload's root element as an
    EQName. `validate` is given an envelope whose sender is proven, the findings about the envelope so far,
    its row and a directory for files. `is_answered`: a message receipt answers it, so a broken signature is
    answered too. `is_encrypted`: how it is sent (C3.2.2). `apply_receipts` is for types that are receipts:
    it is given rows with the accepted receipts, settles the messages that they are for, and says of each
    whether there is one.
    """

    kind: str
    document_type: DocumentType
    payload_code: str
    validate: Callable[[VerifiedEnvelope, list[Finding], IncomingMessage, Path], Verdict]
    is_answered: bool
    is_encrypted: bool
    apply_receipts: Callable[[Sequence[tuple[IncomingMessage, AcceptReceipt]]], list[ReceiptUse]] | None = (
        None
    )


@cache
def _types(names: tuple[str, ...]) -> dict[DocumentType, MessageType]:
    types: list[MessageType] = [import_string(name) for name in names]
    return {message_type.document_type: message_type for message_type in types}


def known_types() -> dict[DocumentType, MessageType]:
    """The types that the settings name (`SDK_MESSAGE_TYPES`), by document type."""
    return _types(tuple(settings.SDK_MESSAGE_TYPES))


def of_kind(kind: str) -> MessageType:
    """The type of an outgoing message, by its row's `kind`. Raises StopIteration for one that is not
    known."""
    return next(message_type for message_type in known_types().values() if message_type.kind == kind)


def of_document_type(document_type: DocumentType) -> MessageType | None:
    """The registered type; None for a document type that is not accepted."""
    return known_types().get(document_type)
