"""Writing a record bundle."""

import hashlib
import json
import zipfile
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from django.conf import settings
from django.template.loader import render_to_string

from mailbox import rendering
from mailbox.attachments.file_names import safe_name
from mailbox.models import Attachment, Conversation, Message
from mailbox.rendering import html_pages
from mailbox.texts import message_text
from transport.message_service.api import EvidenceKind as Kind
from transport.message_service.api import evidence_of
from transport.storage import blobs

from .conversation_record import FORMAT, account_of, as_xml, folder_of, messages_of, moment

MANIFEST: Final = "manifest.json"
METADATA_JSON: Final = "metadata.json"
METADATA_XML: Final = "metadata.xml"
PAGE: Final = "conversation.pdf"
EVIDENCE_NAMES: Final = {
    Kind.ENVELOPE: "envelope.xml",
    Kind.TRANSPORT_RECEIPT: "transport-receipt.xml",
    Kind.MESSAGE_RECEIPT: "message-receipt.xml",
}
_PDF_VARIANT: Final = "pdf/a-2u"
_CHUNK: Final = 64 * 1024
# In bytes; some systems end at 260 characters for the whole path.
_LONGEST_NAME: Final = 120
_PAGES: Final = rendering.Job(
    Path(html_pages.__file__),
    rendering.Limits(
        memory=2 * 1024 * 1024 * 1024, seconds=240, input=64 * 1024 * 1024, output=256 * 1024 * 1024
    ),
)
_STYLE: Final = Path(settings.BASE_DIR) / "static" / "archive" / "page.css"


def write_bundle(conversation: Conversation, out: BinaryIO, *, made_by: str, made_at: datetime) -> None:
    """Write the bundle of a conversation. Files are streamed; the page is made in memory."""
    messages = messages_of(conversation)
    account = account_of(conversation, messages, made_by=made_by, made_at=made_at)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        contents = _Contents(archive, made_at)
        contents.add(METADATA_JSON, json.dumps(account, ensure_ascii=False, indent=1).encode())
        contents.add(METADATA_XML, as_xml(account))
        contents.add(PAGE, _page(conversation, messages, made_by, made_at))
        for position, message in enumerate(messages, 1):
            _add_message(contents, folder_of(position, message), conversation, message)
        manifest = {"format": FORMAT, "made_at": moment(made_at), "files": contents.files}
        contents.add(MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())


class _Contents:
    """The archive, and what has been put into it: [{path, size, sha256}]."""

    def __init__(self, archive: zipfile.ZipFile, made_at: datetime) -> None:
        self._archive = archive
        self._date = made_at.timetuple()[:6]
        self.files: list[dict[str, str | int]] = []

    def add(self, path: str, content: bytes | BinaryIO) -> None:
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
            with blobs.open_stored(attachment.file_name, attachment.place) as source:
                path = f"{folder}/attachments/{number:02d}-{_safe(attachment)}"
                contents.add(path, source)


def _safe(attachment: Attachment) -> str:
    """The file's own name, without what could lead out of its folder or trouble an archive's system."""
    name = safe_name(attachment.name, _LONGEST_NAME)
    return "".join(letter if letter.isalnum() or letter in " ._-()" else "_" for letter in name)


def _page(conversation: Conversation, messages: list[Message], made_by: str, made_at: datetime) -> bytes:
    """The conversation as PDF/A-2u: readable by itself, its fonts and colours within it."""
    deliveries = account_of(conversation, messages, made_by=made_by, made_at=made_at)["messages"]
    for message, told in zip(messages, deliveries, strict=True):
        message.delivery = told["delivery"]  # type: ignore[attr-defined]
        message.is_sent = message.direction == Message.Direction.OUT  # type: ignore[attr-defined]
        # Each message by itself: in an archive what stands before another takes nothing from it.
        message_text.Page().render_texts([message])
    context = {
        "conversation": conversation,
        "mailbox": conversation.mailbox,
        "messages_shown": messages,
        "made_by": made_by,
        "made_at": made_at,
    }
    asked = {
        "html": render_to_string("archive/conversation.html", context),
        "css": _STYLE.read_text(),
        "variant": _PDF_VARIANT,
    }
    return rendering.render(_PAGES, json.dumps(asked).encode())
