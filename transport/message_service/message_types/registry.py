"""The message types that this service takes, each with its rules.

A new type of the federation is a module with a function that judges it, registered here by `register`; what
takes it further is its judgement (`judging.Judgement`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from transport.message_service.models import IncomingMessage
from transport.protocol.findings import Finding
from transport.protocol.identifiers import DocumentType
from transport.protocol.xhe.opening import VerifiedEnvelope

if TYPE_CHECKING:
    from transport.message_service.validation import Judgement


@dataclass(frozen=True, slots=True)
class MessageType:
    """A type of the federation (C3.2.7 1.3).

    `kind` is what rows of messages that leave here call it; `payload_code` is the payload's root element as
    an EQName. `judge` is given an envelope whose sender is proven, what is wrong with the envelope so far,
    its row and a directory for files. `is_answered`: a message receipt answers it, so a broken signature is
    answered too. `is_encrypted`: how it is sent (C3.2.2).
    """

    kind: str
    document_type: DocumentType
    payload_code: str
    judge: Callable[[VerifiedEnvelope, list[Finding], IncomingMessage, Path], "Judgement"]
    is_answered: bool
    is_encrypted: bool


_known: dict[DocumentType, MessageType] = {}


def register(message_type: MessageType) -> None:
    """Take messages of this type from now on; the same again changes nothing."""
    _known[message_type.document_type] = message_type


def of_kind(kind: str) -> MessageType:
    """The type of a message that leaves here."""
    return next(one for one in _known.values() if one.kind == kind)


def known(document_type: DocumentType) -> MessageType | None:
    """The type as it is registered; None for one that is not taken."""
    return _known.get(document_type)
