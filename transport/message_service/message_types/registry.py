"""The message types that this service takes, each with its rules.

A new type of the federation is a module with a `MessageType` and a function that judges it, named in the
setting `SDK_MESSAGE_TYPES`; what takes it further is its verdict (`validation.Judgement`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.module_loading import import_string

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


@cache
def _known(names: tuple[str, ...]) -> dict[DocumentType, MessageType]:
    types: list[MessageType] = [import_string(name) for name in names]
    return {message_type.document_type: message_type for message_type in types}


def known_types() -> dict[DocumentType, MessageType]:
    """The types that the settings name (`SDK_MESSAGE_TYPES`)."""
    return _known(tuple(settings.SDK_MESSAGE_TYPES))


def of_kind(kind: str) -> MessageType:
    """The type of a message that leaves here."""
    return next(message_type for message_type in known_types().values() if message_type.kind == kind)


def known(document_type: DocumentType) -> MessageType | None:
    """The type as it is registered; None for one that is not taken."""
    return known_types().get(document_type)
