"""The directory and its files: names, notices, and how they are written and taken.

A notice is a JSON file. It counts from the moment when it has its name: files are written under another
name, made safe on disk and renamed, the notice last.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final
from uuid import UUID

from django.conf import settings

from transport.access_point_port import Outcome
from transport.protocol.identifiers import DocumentType, ParticipantId, ParticipantIdInvalid

OUT: Final = "out"
TOLD: Final = "told"
IN: Final = "in"
WRONG: Final = "wrong"
_MAX_NOTICE_BYTES: Final = 64 * 1024
_MAX_RECEIPT_BYTES: Final = 4 * 1024 * 1024
_CHUNK: Final = 256 * 1024


class NoticeWrong(Exception):
    """A notice that cannot be followed; `reason` says why, without quoting it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TransferStatus:
    """What became of a transfer: the gateway's word. `receipt` names a file beside the notice."""

    reference: UUID
    outcome: Outcome
    cause: str
    receipt: str | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """An envelope that has arrived. `size` in bytes, `sha256` in hexadecimal."""

    transfer_id: UUID
    envelope: str
    size: int
    sha256: str
    sender: ParticipantId
    recipient: ParticipantId
    document_type: DocumentType
    conversation_id: str
    sending_access_point: str
    arrived_at: datetime
    receipt: str | None


def folder(name: str) -> Path:
    """One of the four directories, made if need be."""
    path = Path(settings.SDK_DROP_DIR) / name
    path.mkdir(mode=0o770, parents=True, exist_ok=True)
    return path


def put_file(place: Path, source: BinaryIO) -> tuple[int, str]:
    """Write a file so that it is there whole or not at all; its size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    partial = place.with_name(f".{place.name}.part")
    with partial.open("wb") as target:
        while piece := source.read(_CHUNK):
            digest.update(piece)
            size += len(piece)
            target.write(piece)
        target.flush()
        os.fsync(target.fileno())
    partial.rename(place)
    _sync(place.parent)
    return size, digest.hexdigest()


def put_notice(place: Path, notice: Mapping[str, Any]) -> None:
    """Write a notice: whatever it names has to be there already."""
    partial = place.with_name(f".{place.name}.part")
    with partial.open("w", encoding="utf-8") as target:
        json.dump(notice, target, ensure_ascii=False, indent=1)
        target.flush()
        os.fsync(target.fileno())
    partial.rename(place)
    _sync(place.parent)


def notices(where: str) -> Iterator[Path]:
    """The notices of a directory, by name: whoever writes several names them in order."""
    yield from sorted(
        path for path in folder(where).iterdir() if path.suffix == ".json" and not path.name.startswith(".")
    )


def read_status(notice: Path) -> TransferStatus:
    """A notice in `told/`. Raises `NoticeWrong`, and `FileNotFoundError` where another took it."""
    told = _read(notice)
    try:
        outcome = Outcome(told.get("outcome", ""))
    except ValueError:
        raise NoticeWrong("outcome is none of delivered, resending, failed") from None
    return TransferStatus(
        _uuid(told, "reference"), outcome, _text(told, "cause", "")[:100], _beside(told, "receipt")
    )


def read_arrival(notice: Path) -> Arrival:
    """A notice in `in/`. Raises `NoticeWrong`, and `FileNotFoundError` where another took it."""
    told = _read(notice)
    size = told.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise NoticeWrong("size is no number of bytes")
    kind = told.get("document_type")
    if not isinstance(kind, dict):
        raise NoticeWrong("document_type is no object")
    try:
        arrived_at = datetime.fromisoformat(_text(told, "arrived_at"))
    except ValueError:
        raise NoticeWrong("arrived_at is no time") from None
    if arrived_at.tzinfo is None:
        raise NoticeWrong("arrived_at has no time zone")
    envelope = _beside(told, "envelope")
    if envelope is None:
        raise NoticeWrong("envelope is missing")
    return Arrival(
        _uuid(told, "transfer_id"),
        envelope,
        size,
        _text(told, "sha256").lower(),
        _participant(told, "sender"),
        _participant(told, "recipient"),
        DocumentType(_text(kind, "identifier"), _text(kind, "scheme")),
        _text(told, "conversation_id")[:255],
        _text(told, "sending_access_point")[:200],
        arrived_at,
        _beside(told, "receipt"),
    )


def open_beside(notice: Path, name: str) -> BinaryIO:
    """A file that a notice names; a link is no file. Raises `NoticeWrong` where it is not there."""
    try:
        return os.fdopen(os.open(notice.with_name(name), os.O_RDONLY | os.O_NOFOLLOW), "rb")
    except OSError:
        if not notice.exists():
            raise FileNotFoundError(notice.name) from None
        raise NoticeWrong("a file that it names is not there") from None


def measured(source: BinaryIO, most: int) -> tuple[int, str]:
    """Size and SHA-256 of a file, not read much further than `most` bytes."""
    digest, size = hashlib.sha256(), 0
    while size <= most and (piece := source.read(_CHUNK)):
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


def receipt_beside(notice: Path, name: str | None) -> bytes | None:
    """The transport receipt that a notice names."""
    if name is None:
        return None
    with open_beside(notice, name) as source:
        content = source.read(_MAX_RECEIPT_BYTES + 1)
    if len(content) > _MAX_RECEIPT_BYTES:
        raise NoticeWrong("the receipt is too large")
    return content


def remove(notice: Path, *beside: str | None) -> None:
    """Take away the files that a notice names, and then the notice: nothing is left that nobody names."""
    for name in beside:
        if name is not None:
            notice.with_name(name).unlink(missing_ok=True)
    notice.unlink(missing_ok=True)


def set_aside(notice: Path, reason: str) -> None:
    """Move a notice that cannot be followed to `wrong/`, with the reason beside it; its files stay."""
    try:
        shutil.move(notice, folder(WRONG) / notice.name)
    except FileNotFoundError:
        return
    (folder(WRONG) / f"{notice.name}.why").write_text(f"{reason}\n", encoding="utf-8")


def _read(notice: Path) -> dict[str, Any]:
    with notice.open("rb") as source:
        text = source.read(_MAX_NOTICE_BYTES + 1)
    if len(text) > _MAX_NOTICE_BYTES:
        raise NoticeWrong("the notice is too large")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise NoticeWrong("the notice is no JSON") from None
    if not isinstance(told, dict):
        raise NoticeWrong("the notice is no JSON object")
    return told


def _text(told: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = told.get(name, default)
    if not isinstance(value, str) or "\0" in value:
        raise NoticeWrong(f"{name} is no text")
    return value


def _uuid(told: Mapping[str, Any], name: str) -> UUID:
    try:
        return UUID(_text(told, name))
    except ValueError:
        raise NoticeWrong(f"{name} is no UUID") from None


def _participant(told: Mapping[str, Any], name: str) -> ParticipantId:
    try:
        return ParticipantId.parse(_text(told, name))
    except ParticipantIdInvalid:
        raise NoticeWrong(f"{name} is no participant identifier") from None


def _beside(told: Mapping[str, Any], name: str) -> str | None:
    value = told.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or Path(value).name != value or value.startswith("."):
        raise NoticeWrong(f"{name} is no name of a file beside the notice")
    return value


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
