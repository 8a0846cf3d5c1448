"""Messages that are held for external clients until one of them deletes them: header and documents,
encrypted.

The file is the JSON of the contract's `digitalDocument`, so that a message is fetched by copying it. `pieces`
tells where texts and files are in it.
"""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final
from uuid import UUID

import pybase64
from django.db import IntegrityError, transaction

from transport.message_api.clients.tokens import Caller
from transport.message_service import orders
from transport.message_service.client_port import Delivered
from transport.message_service.models import IncomingMessage, Organisation, OutgoingMessage
from transport.message_service.tracking import erasure
from transport.protocol.sdk_message.message import (
    Attention,
    CharacterNotAllowed,
    Document,
    File,
    Header,
    Message,
    timestamp,
)
from transport.storage import blobs
from transport.storage.work_files import workspace

from .models import HeldMessage
from .problems import BadRequest, Issue

FOLDER: Final = "held"
STRUCTURE: Final = "structure"
TEXTS: Final = "texts"
FILES: Final = "files"
# A multiple of three, so that chunks of base64 join without padding between them.
_CHUNK: Final = 48 * 1024


def send(caller: Caller, message: Message, resource_id: UUID | None) -> HeldMessage:
    """Order a message to be sent, and hold it, in one transaction. Raises `BadRequest`."""
    identity = UUID(message.header.message_id)
    organisation = caller.client.organisation
    try:
        with transaction.atomic():
            orders.order(message, actor=f"API {caller.client.client_id}"[:200])
            row = HeldMessage(
                organisation=organisation,
                resource_id=resource_id or identity,
                outgoing=OutgoingMessage.objects.get(organisation=organisation, message_id=identity),
                own_function=message.header.sender.function_address,
                is_shared=False,
            )
            _hold(row, message)
    except orders.MessageInvalid as invalid:
        raise BadRequest(
            *(Issue(finding.text, finding.xpath, finding.rule) for finding in invalid.findings)
        ) from None
    except CharacterNotAllowed as refused:
        raise BadRequest(Issue("A character that XML cannot carry", refused.element)) from None
    except IntegrityError:
        raise BadRequest(Issue("A message by this id has been sent before", "/data")) from None
    return row


def hold_inbound(delivered: Delivered, function_address: str, *, is_shared: bool) -> None:
    """Hold an inbound message, in the message service's transaction; a repeated message is ignored."""
    organisation = Organisation.objects.get(participant_id=delivered.participant)
    identity = UUID(delivered.message.header.message_id)
    incoming = IncomingMessage.objects.get(organisation=organisation, message_id=identity, is_accepted=True)
    if HeldMessage.objects.filter(incoming=incoming).exists():
        return
    is_used = HeldMessage.objects.filter(organisation=organisation, resource_id=identity).exists()
    row = HeldMessage(
        organisation=organisation,
        resource_id=uuid.uuid4() if is_used else identity,
        incoming=incoming,
        own_function=function_address,
        is_shared=is_shared,
    )
    _hold(row, delivered.message)


def delete(row: HeldMessage) -> None:
    """Delete a message's content, here and in the message service, in the caller's transaction.

    The built-in client keeps its copy. Raises `erasure.StillInProgress`.
    """
    if not row.is_shared:
        erasure.erase(row.organisation.participant_id, row.message_id, was_sent=row.outgoing_id is not None)
    blobs.remove_on_commit(row.payload_name)
    row.delete()


@contextmanager
def opened(row: HeldMessage) -> Iterator[BinaryIO]:
    """The JSON of the documents, as an open file."""
    with blobs.open_stored(row.payload_name, row.payload_binding) as source:
        yield source


def _hold(row: HeldMessage, message: Message) -> None:
    header = message.header
    row.message_id = UUID(header.message_id)
    row.sender_function, row.recipient_function = (
        header.sender.function_address,
        header.recipient.function_address,
    )
    row.message_created_at = header.created_at
    row.head = attributes_of(header)
    with workspace("holding") as directory:
        path = directory / "documents"
        with path.open("xb") as out:
            row.pieces = DocumentsWriter(out).written(message.documents)
        with path.open("rb") as source:
            name = blobs.dated(FOLDER, f"{row.pk}.json")
            row.payload_name = blobs.store(name, source, row.payload_binding)
    row.save(force_insert=True)


def attributes_of(header: Header) -> dict[str, Any]:
    """The contract's attributes without status, documents and events; missing required ones are empty."""
    system = header.generating_system
    found = {
        "creationDateTime": timestamp(header.created_at),
        "messageId": header.message_id,
        "conversationId": header.conversation_id,
        "refToMessageId": header.ref_to_message_id,
        "confidentiality": header.is_confidential,
        "generatingSystem": {"root": system.root, "extension": system.extension} if system else None,
        "recipientAttention": _attention(header.recipient.attention),
        "senderAttention": _attention(header.sender.attention),
        "sender": header.sender.identifier.extension,
        "recipient": header.recipient.identifier.extension,
        "label": header.label or "",
    }
    return {name: value for name, value in found.items() if value is not None}


def _attention(attention: Attention | None) -> dict[str, Any] | None:
    if attention is None:
        return None
    part = attention.sub_organization
    found: dict[str, Any] = {
        "subOrganization": {
            "root": part.identifier.root,
            "extension": part.identifier.extension,
            "label": part.label or "",
        }
    }
    for name, items in (("attentionPerson", attention.persons), ("referenceId", attention.references)):
        if items:
            found[name] = [
                {
                    "root": item.identifier.root if item.identifier else "",
                    "extension": item.identifier.extension if item.identifier else "",
                    "label": item.label or "",
                }
                for item in items
            ]
    return found


class DocumentsWriter:
    """Writes `digitalDocument`, and records its pieces."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._pieces: list[list[Any]] = []

    def written(self, documents: tuple[Document, ...]) -> list[list[Any]]:
        self._write(STRUCTURE, b"[")
        for number, document in enumerate(documents):
            self._document(document, is_first=number == 0)
        self._write(STRUCTURE, b"]")
        return self._pieces

    def _document(self, document: Document, *, is_first: bool) -> None:
        values = {"documentName": document.name, "documentId": document.document_id, "index": document.index}
        start = _json({name: value for name, value in values.items() if value is not None})[:-1]
        self._write(STRUCTURE, start if is_first else b"," + start)
        if document.texts:
            self._write(TEXTS, b',"contentTextBody":' + _json(list(document.texts)))
        for number, file in enumerate(document.files):
            self._write(FILES, b',"contentFiles":[' if number == 0 else b",")
            self._file(file)
        if document.files:
            self._write(FILES, b"]")
        self._write(STRUCTURE, b"}")

    def _file(self, file: File) -> None:
        start = _json({"fileName": file.name, "contentType": file.content_type})[:-1]
        self._write(FILES, start + b',"content":"')
        with file.content.open() as source:
            rest = b""
            while chunk := source.read(_CHUNK):
                data = rest + chunk
                cut = len(data) - len(data) % 3
                self._write(FILES, pybase64.b64encode(data[:cut]))
                rest = data[cut:]
            self._write(FILES, pybase64.b64encode(rest))
        self._write(FILES, b'"}')

    def _write(self, kind: str, data: bytes) -> None:
        self._out.write(data)
        if self._pieces and self._pieces[-1][0] == kind:
            self._pieces[-1][1] += len(data)
        else:
            self._pieces.append([kind, len(data)])


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
