"""The directory and its files: names, notices, and how they are written and read.

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
STATUS: Final = "status"
IN: Final = "in"
REJECTED: Final = "rejected"
# What `status/` was called before; gateways may still write there.
FORMER_STATUS: Final = "told"
_MAX_NOTICE_BYTES: Final = 64 * 1024
_MAX_RECEIPT_BYTES: Final = 4 * 1024 * 1024
_CHUNK: Final = 256 * 1024


class NoticeInvalid(Exception):
    """A notice that cannot be processed; `reason` says why, without quoting it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TransferStatus:
    """The status of a transfer, as the gateway reports it. `receipt` names a file beside the notice."""

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
    """One of the four directories, made if it does not exist."""
    path = Path(settings.SDK_DROP_DIR) / name
    path.mkdir(mode=0o770, parents=True, exist_ok=True)
    return path


def put_file(path: Path, source: BinaryIO) -> tuple[int, str]:
    """Write a file atomically; returns its size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    partial = path.with_name(f".{path.name}.part")
    with partial.open("wb") as target:
        while piece := source.read(_CHUNK):
            digest.update(piece)
            size += len(piece)
            target.write(piece)
        target.flush()
        os.fsync(target.fileno())
    partial.rename(path)
    _sync(path.parent)
    return size, digest.hexdigest()


def put_notice(path: Path, notice: Mapping[str, Any]) -> None:
    """Write a notice; the files that it names have to exist already."""
    partial = path.with_name(f".{path.name}.part")
    with partial.open("w", encoding="utf-8") as target:
        json.dump(notice, target, ensure_ascii=False, indent=1)
        target.flush()
        os.fsync(target.fileno())
    partial.rename(path)
    _sync(path.parent)


def notices(name: str) -> Iterator[Path]:
    """The notices of a directory, by name: whoever writes several names them in order.

    A former directory that does not exist is not made.
    """
    directory = Path(settings.SDK_DROP_DIR) / name if name == FORMER_STATUS else folder(name)
    if not directory.is_dir():
        return
    yield from sorted(
        path for path in directory.iterdir() if path.suffix == ".json" and not path.name.startswith(".")
    )


def read_status(notice: Path) -> TransferStatus:
    """A notice in `status/`. Raises `NoticeInvalid`, and `FileNotFoundError` where another worker has moved
    it."""
    values = _read(notice)
    try:
        outcome = Outcome(values.get("outcome", ""))
    except ValueError:
        raise NoticeInvalid("outcome is none of delivered, resending, failed") from None
    return TransferStatus(
        _uuid(values, "reference"), outcome, _text(values, "cause", "")[:100], _beside(values, "receipt")
    )


def read_arrival(notice: Path) -> Arrival:
    """A notice in `in/`. Raises `NoticeInvalid`, and `FileNotFoundError` where another worker has moved
    it."""
    values = _read(notice)
    size = values.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise NoticeInvalid("size is no number of bytes")
    kind = values.get("document_type")
    if not isinstance(kind, dict):
        raise NoticeInvalid("document_type is no object")
    try:
        arrived_at = datetime.fromisoformat(_text(values, "arrived_at"))
    except ValueError:
        raise NoticeInvalid("arrived_at is no time") from None
    if arrived_at.tzinfo is None:
        raise NoticeInvalid("arrived_at has no time zone")
    envelope = _beside(values, "envelope")
    if envelope is None:
        raise NoticeInvalid("envelope is missing")
    return Arrival(
        _uuid(values, "transfer_id"),
        envelope,
        size,
        _text(values, "sha256").lower(),
        _participant(values, "sender"),
        _participant(values, "recipient"),
        DocumentType(_text(kind, "identifier"), _text(kind, "scheme")),
        _text(values, "conversation_id")[:255],
        _text(values, "sending_access_point")[:200],
        arrived_at,
        _beside(values, "receipt"),
    )


def open_beside(notice: Path, name: str) -> BinaryIO:
    """Open a file that a notice names; a symbolic link is refused. Raises `NoticeInvalid` where it is not
    there."""
    try:
        return os.fdopen(os.open(notice.with_name(name), os.O_RDONLY | os.O_NOFOLLOW), "rb")
    except OSError:
        if not notice.exists():
            raise FileNotFoundError(notice.name) from None
        raise NoticeInvalid("a file that it names is not there") from None


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
        raise NoticeInvalid("the receipt is too large")
    return content


def remove(notice: Path, *beside: str | None) -> None:
    """Remove the files that a notice names, and then the notice: no file is left that no notice names."""
    for name in beside:
        if name is not None:
            notice.with_name(name).unlink(missing_ok=True)
    notice.unlink(missing_ok=True)


def reject(notice: Path, reason: str) -> None:
    """Move a notice that cannot be processed to `rejected/`, with the reason beside it; its files stay."""
    try:
        shutil.move(notice, folder(REJECTED) / notice.name)
    except FileNotFoundError:
        return
    (folder(REJECTED) / f"{notice.name}.why").write_text(f"{reason}\n", encoding="utf-8")


def _read(notice: Path) -> dict[str, Any]:
    with notice.open("rb") as source:
        text = source.read(_MAX_NOTICE_BYTES + 1)
    if len(text) > _MAX_NOTICE_BYTES:
        raise NoticeInvalid("the notice is too large")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise NoticeInvalid("the notice is no JSON") from None
    if not isinstance(values, dict):
        raise NoticeInvalid("the notice is no JSON object")
    return values


def _text(notice: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = notice.get(name, default)
    if not isinstance(value, str) or "\0" in value:
        raise NoticeInvalid(f"{name} is no text")
    return value


def _uuid(notice: Mapping[str, Any], name: str) -> UUID:
    try:
        return UUID(_text(notice, name))
    except ValueError:
        raise NoticeInvalid(f"{name} is no UUID") from None


def _participant(notice: Mapping[str, Any], name: str) -> ParticipantId:
    try:
        return ParticipantId.parse(_text(notice, name))
    except ParticipantIdInvalid:
        raise NoticeInvalid(f"{name} is no participant identifier") from None


def _beside(notice: Mapping[str, Any], name: str) -> str | None:
    value = notice.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or Path(value).name != value or value.startswith("."):
        raise NoticeInvalid(f"{name} is no name of a file beside the notice")
    return value


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
