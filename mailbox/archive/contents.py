"""The files of a ZIP archive that is being written, each with its size and SHA-256."""

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Final

from mailbox.attachments.file_names import safe_name
from mailbox.models import Attachment, Conversation, Message
from transport.message_service.api import EvidenceKind as Kind
from transport.message_service.api import evidence_of
from transport.storage import blobs

EVIDENCE_NAMES: Final = {
    Kind.ENVELOPE: "envelope.xml",
    Kind.TRANSPORT_RECEIPT: "transport-receipt.xml",
    Kind.MESSAGE_RECEIPT: "message-receipt.xml",
}
_CHUNK: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file of the archive: its path there, its size in bytes, and its SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class MessageFile:
    """A file that belongs to a message: its path in the message's folder, its name and type as they were,
    and the attachment that it is, or None for evidence."""

    path: str
    name: str
    content_type: str
    attachment: Attachment | None


class Contents:
    """A ZIP archive that is being written. Every entry has the time at which the archive was made."""

    def __init__(self, archive: zipfile.ZipFile, made_at: datetime) -> None:
        self._archive = archive
        self._date = made_at.timetuple()[:6]
        self.files: list[WrittenFile] = []

    def add(self, path: str, content: bytes | BinaryIO) -> WrittenFile:
        """Add a file, at most 64 KiB of it in memory at a time."""
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
        written = WrittenFile(path, size, digest.hexdigest())
        self.files.append(written)
        return written


def evidence_files(conversation: Conversation, message: Message) -> Iterator[tuple[MessageFile, BinaryIO]]:
    """The envelope and receipts of a message, each with its content, which is closed after its turn."""
    was_sent = message.direction == Message.Direction.OUT
    found = evidence_of(conversation.mailbox.participant_id, message.message_id, was_sent=was_sent)
    for kind, piece in found.items():
        name = EVIDENCE_NAMES[kind]
        with piece.open() as source:
            yield MessageFile(name, name, "application/xml", None), source


def attachment_files(message: Message, longest_name: int) -> Iterator[tuple[MessageFile, BinaryIO]]:
    """The attachments of a message, each with its content, which is closed after its turn.

    A number before each name keeps files of one name apart. Names have at most `longest_name` bytes.
    """
    number = 0
    for document in message.documents.all():
        for attachment in document.attachments.all():
            number += 1
            with blobs.open_stored(attachment.file_name, attachment.binding) as source:
                path = f"attachments/{number:02d}-{_archived_name(attachment, longest_name)}"
                yield MessageFile(path, attachment.name, attachment.content_type, attachment), source


def _archived_name(attachment: Attachment, longest: int) -> str:
    """The file's own name, without characters that lead out of its folder or that archive systems refuse."""
    name = safe_name(attachment.name, longest)
    return "".join(letter if letter.isalnum() or letter in " ._-()" else "_" for letter in name)
