"""Writing a record bundle: metadata, page, evidence, attachments and a manifest of them."""

import hashlib
import json
import zipfile
from datetime import datetime
from typing import BinaryIO, Final

from django.utils import timezone

from mailbox.attachments.file_names import safe_name
from mailbox.models import Attachment, Conversation, Message, Registration
from transport.message_service.api import EvidenceKind as Kind
from transport.message_service.api import Organisation, evidence_of
from transport.storage import blobs

from . import page
from .conversation_record import (
    FORMAT,
    folder_of,
    messages_of,
    record_as_xml,
    record_of,
    registrations_of,
    sent_deliveries,
    utc_text,
)

MANIFEST: Final = "manifest.json"
METADATA_JSON: Final = "metadata.json"
METADATA_XML: Final = "metadata.xml"
PAGE: Final = "conversation.pdf"
EVIDENCE_NAMES: Final = {
    Kind.ENVELOPE: "envelope.xml",
    Kind.TRANSPORT_RECEIPT: "transport-receipt.xml",
    Kind.MESSAGE_RECEIPT: "message-receipt.xml",
}
_CHUNK: Final = 64 * 1024
# In bytes: some systems allow 260 characters for a whole path.
_LONGEST_NAME: Final = 120
_LONGEST_CASE_NUMBER: Final = 40
# Of a reference that is a case number, as drafts write it (`drafts.message_builder.REFERENCE_KINDS`).
CASE_NUMBER_ROOT: Final = "dnr"


def file_name_of(conversation: Conversation, made_at: datetime) -> str:
    """The file name of a bundle: organisation, time, and our case number unless the conversation is
    confidential."""
    parts = ["arkivpaket", _organisation_of(conversation), f"{timezone.localtime(made_at):%Y-%m-%d %H%M}"]
    case_number = "" if conversation.is_confidential else _case_number_of(conversation)
    if case_number:
        parts.append(case_number.replace("/", "-").replace("\\", "-")[:_LONGEST_CASE_NUMBER])
    return safe_name(" ".join(parts) + ".zip")


def _organisation_of(conversation: Conversation) -> str:
    """The name of the organisation, or its participant identifier where the node has no name for it."""
    participant = conversation.mailbox.participant_id
    name = Organisation.objects.filter(participant_id=participant).values_list("name", flat=True).first()
    return name or participant


def _case_number_of(conversation: Conversation) -> str:
    """The case number that was registered last and holds, else our newest in the conversation; or empty."""
    registered = conversation.registrations.filter(kind=Registration.Kind.CASE, ended_at=None)
    if latest := registered.order_by("-at", "-pk").first():
        return str(latest.case_number)
    for message in conversation.messages.order_by("-at", "-pk"):
        was_sent = message.direction == Message.Direction.OUT
        for reference in message.sender_references if was_sent else message.recipient_references:
            if reference["root"] == CASE_NUMBER_ROOT and reference["value"]:
                return str(reference["value"])
    return ""


def write_bundle(conversation: Conversation, out: BinaryIO, *, made_by: str, made_at: datetime) -> None:
    """Write the bundle of a conversation. Files are streamed; the page is made in memory.

    Raises `rendering.RenderingFailed`.
    """
    messages = messages_of(conversation)
    deliveries = sent_deliveries(conversation, messages)
    registrations = registrations_of(conversation)
    record = record_of(conversation, messages, deliveries, registrations, made_by=made_by, made_at=made_at)
    html = page.html_of(
        conversation,
        messages,
        deliveries,
        registrations,
        organisation=_organisation_of(conversation),
        made_by=made_by,
        made_at=made_at,
    )
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        contents = _Contents(archive, made_at)
        contents.add(METADATA_JSON, json.dumps(record, ensure_ascii=False, indent=1).encode())
        contents.add(METADATA_XML, record_as_xml(record))
        contents.add(PAGE, page.as_pdf(html))
        for position, message in enumerate(messages, 1):
            _add_message(contents, folder_of(position, message), conversation, message)
        manifest = {"format": FORMAT, "made_at": utc_text(made_at), "files": contents.files}
        contents.add(MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())


class _Contents:
    """The ZIP archive, and its files for the manifest: [{path, size, sha256}]."""

    def __init__(self, archive: zipfile.ZipFile, made_at: datetime) -> None:
        self._archive = archive
        self._date = made_at.timetuple()[:6]
        self.files: list[dict[str, str | int]] = []

    def add(self, path: str, content: bytes | BinaryIO) -> None:
        """Add a file."""
        digest, size = hashlib.sha256(), 0
        entry = zipfile.ZipInfo(path, self._date)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o600 << 16
        with self._archive.open(entry, "w", force_zip64=True) as target:
            if isinstance(content, bytes):
                pieces = iter((content,))
            else:
                pieces = iter(lambda: content.read(_CHUNK), b"")
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                target.write(piece)
        self.files.append({"path": path, "size": size, "sha256": digest.hexdigest()})


def _add_message(contents: _Contents, folder: str, conversation: Conversation, message: Message) -> None:
    was_sent = message.direction == Message.Direction.OUT
    found = evidence_of(conversation.mailbox.participant_id, message.message_id, was_sent=was_sent)
    for kind, piece in found.items():
        with piece.open() as source:
            contents.add(f"{folder}/{EVIDENCE_NAMES[kind]}", source)
    number = 0
    for document in message.documents.all():
        for attachment in document.attachments.all():
            number += 1
            with blobs.open_stored(attachment.file_name, attachment.binding) as source:
                path = f"{folder}/attachments/{number:02d}-{_safe_name(attachment)}"
                contents.add(path, source)


def _safe_name(attachment: Attachment) -> str:
    """The file's own name, without characters that lead out of its folder or that archive systems refuse."""
    name = safe_name(attachment.name, _LONGEST_NAME)
    return "".join(letter if letter.isalnum() or letter in " ._-()" else "_" for letter in name)
