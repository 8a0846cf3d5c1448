"""A case system that takes packages from a directory, and puts receipts there (docs/connectors.md).

All of it is below SDK_CASE_SYSTEM_DIRECTORY, in a directory of the organisation's and, in that, one of the
case system's. Each part of the path is opened from the one above and never followed if it is a symbolic
link, so nothing is read or written elsewhere.
"""

import hashlib
import json
import logging
import os
import stat
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Final
from urllib.parse import quote
from uuid import UUID

from django.conf import settings

from mailbox.models import CaseDelivery, CaseSystem

from . import receipts
from .connector import CannotHandOver, Package

logger = logging.getLogger(__name__)
PACKAGES: Final = "packages"
RECEIPTS: Final = "receipts"
REJECTED: Final = "rejected"
FORMAT: Final = "urn:sdkportal:case-delivery:1"
_CHUNK: Final = 256 * 1024
# A receipt that is no JSON after so long is not one that is still being written.
_HALF_WRITTEN_SECONDS: Final = 600
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
_MOST_AT_A_TIME: Final = 1000


class DirectoryConnector:
    """Packages in `packages/`: first the ZIP, then its description, each under its name when it is whole."""

    def hand_over(self, system: CaseSystem, package: Package) -> None:
        """Write both files, and make them safe on disk."""
        name = f"{package.delivery_id}.zip"
        with _opened(system, PACKAGES) as directory:
            with package.open() as source:
                size, digest = _write(directory, name, iter(lambda: source.read(_CHUNK), b""))
            if (size, digest) != (package.size, package.sha256):
                raise CannotHandOver(CaseDelivery.Cause.PACKAGE)
            description = json.dumps(described(package) | {"package": name}, ensure_ascii=False, indent=1)
            _write(directory, f"{package.delivery_id}.json", [description.encode()])

    def remove(self, system: CaseSystem, delivery_id: UUID) -> None:
        """Remove the description, then the package, if the case system has left them."""
        with _opened(system, PACKAGES) as directory:
            for suffix in ("json", "zip"):
                _unlink(directory, f"{delivery_id}.{suffix}")


def described(package: Package) -> dict[str, object]:
    """What a case system is told of a package, in plain values."""
    return {
        "format": FORMAT,
        "delivery_id": str(package.delivery_id),
        "organisation": package.participant,
        "function_address": package.function_address,
        "conversation_id": str(package.conversation_id),
        "case_numbers": list(package.case_numbers),
        "is_confidential": package.is_confidential,
        "ordered_at": package.ordered_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "size": package.size,
        "sha256": package.sha256,
    }


def waiting_receipts(system: CaseSystem) -> list[str]:
    """The names of the files that may be receipts, in order. Raises `CannotHandOver`."""
    with _opened(system, RECEIPTS) as directory:
        names = sorted(os.listdir(directory))
    return [name for name in names if name.endswith(".json") and not name.startswith(".")][:_MOST_AT_A_TIME]


def read_receipt(system: CaseSystem, name: str) -> receipts.Receipt | None:
    """The receipt in a file; None where it is gone, or not whole yet.

    Raises `receipts.ReceiptInvalid`, `CannotHandOver`.
    """
    with _opened(system, RECEIPTS) as directory:
        try:
            # One that is no file, a pipe perhaps, must not be waited for.
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
        except FileNotFoundError:
            return None
        except OSError:
            raise receipts.ReceiptInvalid("unreadable") from None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise receipts.ReceiptInvalid("unreadable")
        with os.fdopen(descriptor, "rb") as source:
            document = source.read(receipts.MOST_BYTES + 1)
    try:
        return receipts.read(document)
    except receipts.NotJson:
        if time.time() - status.st_mtime < _HALF_WRITTEN_SECONDS:
            return None
        raise


def remove_receipt(system: CaseSystem, name: str) -> None:
    """Remove a receipt that has been processed."""
    with _opened(system, RECEIPTS) as directory:
        _unlink(directory, name)


def set_aside(system: CaseSystem, name: str) -> None:
    """Move a file that is no receipt to `rejected/`, where people look at it."""
    with _opened(system, RECEIPTS) as directory, _opened(system, REJECTED) as rejected:
        try:
            os.rename(name, name, src_dir_fd=directory, dst_dir_fd=rejected)
        except FileNotFoundError:
            return
        os.fsync(rejected)


def rejected_count(system: CaseSystem) -> int:
    """How many files have been set aside and are still there. Raises `CannotHandOver`."""
    with _opened(system, REJECTED) as directory:
        return len(os.listdir(directory))


def path_of(system: CaseSystem) -> Path:
    """The case system's directory, for the pages of administration."""
    return Path(settings.SDK_CASE_SYSTEM_DIRECTORY or "/") / _organisation(system) / system.folder


def is_usable() -> bool:
    """Whether the operator has given a directory for case systems, and it can be written to."""
    root = settings.SDK_CASE_SYSTEM_DIRECTORY
    return bool(root) and os.access(root, os.R_OK | os.W_OK | os.X_OK) and Path(root).is_dir()


def _organisation(system: CaseSystem) -> str:
    return quote(system.participant_id, safe="")


@contextmanager
def _opened(system: CaseSystem, name: str) -> Generator[int, None, None]:
    """A directory of the case system, made if it does not exist; errors of the disk are `CannotHandOver`."""
    if not settings.SDK_CASE_SYSTEM_DIRECTORY or not system.folder:
        raise CannotHandOver(CaseDelivery.Cause.DIRECTORY)
    opened: list[int] = []
    try:
        opened.append(os.open(settings.SDK_CASE_SYSTEM_DIRECTORY, os.O_RDONLY | os.O_DIRECTORY))
        for part in (_organisation(system), system.folder, name):
            _make(opened[-1], part)
            opened.append(os.open(part, _DIRECTORY, dir_fd=opened[-1]))
        yield opened[-1]
    except OSError as error:
        logger.warning("case_system_directory_failed", extra={"fields": {"error": type(error).__name__}})
        raise CannotHandOver(CaseDelivery.Cause.DIRECTORY) from None
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _make(parent: int, name: str) -> None:
    try:
        os.mkdir(name, 0o770, dir_fd=parent)
    except FileExistsError:
        return
    os.fsync(parent)


def _write(directory: int, name: str, pieces: Iterable[bytes]) -> tuple[int, str]:
    """Write a file that has its name when it is whole and on disk; its size and SHA-256."""
    digest, size, partial = hashlib.sha256(), 0, f".{name}.part"
    with os.fdopen(os.open(partial, _NEW_FILE, 0o660, dir_fd=directory), "wb") as target:
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
            target.write(piece)
        target.flush()
        os.fsync(target.fileno())
    os.rename(partial, name, src_dir_fd=directory, dst_dir_fd=directory)
    os.fsync(directory)
    return size, digest.hexdigest()


def _unlink(directory: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return
