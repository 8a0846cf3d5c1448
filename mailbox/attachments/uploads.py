"""Files that people attach: type and size checked, content in the default storage."""

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, BinaryIO, Final, cast

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from mailbox.models import Attachment, DraftAttachment
from transport.storage import blobs, malware
from transport.storage.blobs import BlobBinding

from .file_names import safe_name

_CHUNK: Final = 64 * 1024
__all__ = [
    "FOLDERS",
    "FileRefused",
    "StoredFile",
    "accepted_suffixes",
    "copied",
    "remove_forgotten",
    "room_for_files",
    "safe_name",
    "store",
    "store_upload",
]
FOLDERS: Final = ("attachments", "drafts")
# Readers find a PDF's header behind a byte order mark, a printer's commands or a mail's remains.
_PDF: Final = "application/pdf"
_PDF_HEADER: Final = b"%PDF-"
_PDF_HEADER_WITHIN: Final = 1024
# How files of other types begin; types without a signature are not checked.
_SIGNATURES: Final = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/tiff": (b"II*\0", b"MM\0*"),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": (b"PK\x03\x04",),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": (b"PK\x03\x04",),
    "application/vnd.oasis.opendocument.text": (b"PK\x03\x04",),
}
_BY_SUFFIX: Final = {
    ".pdf": "application/pdf",
    ".txt": "text/plain",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".odt": "application/vnd.oasis.opendocument.text",
}
# Room for the message's own text and structure beside its files.
_MESSAGE_ROOM: Final = 256 * 1024


class FileRefused(Exception):
    """A file that cannot be attached; `reason` is type, content, empty, size, malware or unscannable."""

    def __init__(self, reason: str, signature: str = "") -> None:
        self.reason = reason
        self.signature = signature
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that has been stored; `size` in bytes."""

    name: str
    content_type: str
    size: int
    sha256: str
    file_name: str
    file_key: uuid.UUID


def room_for_files() -> int:
    """How many bytes of files fit in a message: base64 makes four of three (B1.3.3 4.3.3.3)."""
    return (settings.SDK_MAX_MESSAGE_BYTES - _MESSAGE_ROOM) * 3 // 4


def store_upload(upload: "UploadedFile[Any]", directory: str, participant: str, *, room: int) -> StoredFile:
    """Check and store an upload. Raises `FileRefused`."""
    name = safe_name(upload.name or "")
    content_type = _BY_SUFFIX.get(PurePath(name).suffix.lower(), "")
    if content_type not in settings.SDK_ACCEPTED_CONTENT_TYPES:
        raise FileRefused("type")
    if not upload.size:
        raise FileRefused("empty")
    if upload.size > room:
        raise FileRefused("size")
    first = upload.read(_PDF_HEADER_WITHIN)
    upload.seek(0)
    if not _has_signature_of_type(content_type, first):
        raise FileRefused("content")
    _scan_for_malware(cast(BinaryIO, upload))
    return store(cast(BinaryIO, upload), name, content_type, directory, participant)


def _has_signature_of_type(content_type: str, first: bytes) -> bool:
    """Whether a file begins as files of its type do."""
    if content_type == _PDF:
        return _PDF_HEADER in first
    signatures = _SIGNATURES.get(content_type)
    return signatures is None or first.startswith(signatures)


def _scan_for_malware(upload: BinaryIO) -> None:
    """Raises `FileRefused`. Without the scanner the upload is accepted: the message is scanned before it
    leaves."""
    try:
        signature = malware.signature_in(upload)
    except malware.TooLargeToScan:
        raise FileRefused("unscannable") from None
    except malware.NotScanned:
        signature = None
    if signature is not None:
        raise FileRefused("malware", signature)
    upload.seek(0)


def store(source: BinaryIO, name: str, content_type: str, directory: str, participant: str) -> StoredFile:
    """Store a stream for an organisation, encrypted, under a name that reveals nothing about it."""
    digest = hashlib.sha256()
    size = 0
    for chunk in _chunks(source):
        digest.update(chunk)
        size += len(chunk)
    source.seek(0)
    key = uuid.uuid4()
    file_name = blobs.store(blobs.dated(directory, str(key)), source, BlobBinding(participant, "file", key))
    return StoredFile(name, content_type, size, digest.hexdigest(), file_name, key)


def copied(attachment: Attachment | DraftAttachment, directory: str, participant: str) -> StoredFile:
    """A copy of an attached file, in a file of its own."""
    with blobs.open_stored(attachment.file_name, attachment.binding) as source:
        return store(source, attachment.name, attachment.content_type, directory, participant)


def accepted_suffixes() -> list[str]:
    """What a file picker offers."""
    accepted = set(settings.SDK_ACCEPTED_CONTENT_TYPES)
    return [suffix for suffix, content_type in _BY_SUFFIX.items() if content_type in accepted]


def remove_forgotten() -> int:
    """Remove orphaned files of messages and drafts, left by transactions that were rolled back."""
    return sum(blobs.remove_orphaned(folder, _file_names_in_use) for folder in FOLDERS)


def _file_names_in_use(keys: set[uuid.UUID]) -> list[str]:
    return [
        name
        for model in (Attachment, DraftAttachment)
        for name in model.objects.filter(file_key__in=keys).values_list("file_name", flat=True)
    ]


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    while chunk := source.read(_CHUNK):
        yield chunk
