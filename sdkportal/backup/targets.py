"""Where backups are kept: a directory, or a bucket of an object store."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Final, Protocol, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files import File

from transport.storage import blobs
from transport.storage.object_store import ObjectStore

from .errors import BackupError

_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """A file of a backup as it is kept, encrypted: its length in bytes, and its SHA-256 in hexadecimal."""

    size: int
    sha256: str


class Target(Protocol):
    """A place for backups. Names are relative, with slashes."""

    def write(self, name: str, fill: Callable[[BinaryIO], None]) -> Piece:
        """Write what `fill` gives, whole or not at all; a file of this name is replaced."""

    def open(self, name: str) -> BinaryIO:
        """A file's bytes. Raises `BackupError` if there is none."""

    def names(self, folder: str) -> Iterator[str]:
        """The names of all files below a folder, in no order."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""


def target_at(address: str) -> Target:
    """The target of an address: a directory's path, or `s3://BUCKET/PREFIX` in the object store of the
    settings."""
    parts = urlsplit(address)
    if parts.scheme == "s3":
        if not parts.netloc:
            raise BackupError(f"{address} names no bucket: s3://BUCKET/PREFIX")
        return _Bucket(parts.netloc, parts.path.strip("/"))
    if not address or parts.scheme not in {"", "file"}:
        raise BackupError(f"{address or 'nothing'} is neither a directory nor s3://BUCKET/PREFIX")
    return _Directory(Path(parts.path))


class _Counted:
    """Passes on what is written, and counts and hashes it."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self._size += len(data)
        return self._out.write(data)

    def flush(self) -> None:
        self._out.flush()

    @property
    def piece(self) -> Piece:
        return Piece(self._size, self._hash.hexdigest())


class _Directory:
    """A directory, made if it is missing: mode 0700, files 0600, each on disk before its name is there."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def write(self, name: str, fill: Callable[[BinaryIO], None]) -> Piece:
        path = self._path(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        try:
            with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                counted = _Counted(out)
                fill(cast(BinaryIO, counted))
                out.flush()
                os.fsync(out.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        blobs.sync(path.parent)
        return counted.piece

    def open(self, name: str) -> BinaryIO:
        try:
            return self._path(name).open("rb")
        except FileNotFoundError:
            raise BackupError(f"{self._root / name} is missing") from None

    def names(self, folder: str) -> Iterator[str]:
        for path in self._path(folder).rglob("*"):
            if path.is_file():
                yield path.relative_to(self._root).as_posix()

    def remove(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        path = (self._root / name).resolve()
        if not path.is_relative_to(self._root.resolve()):
            raise SuspiciousFileOperation("a name that leads out of the backup's directory")
        return path


class _Bucket:
    """A bucket; the store keeps what it has acknowledged."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self._address = f"s3://{bucket}/{prefix}"
        self._storage = ObjectStore(
            bucket_name=bucket,
            location=prefix,
            endpoint_url=settings.SDK_S3_ENDPOINT or None,
            default_acl="private",
            file_overwrite=True,
        )

    def write(self, name: str, fill: Callable[[BinaryIO], None]) -> Piece:
        with tempfile.TemporaryFile(dir=settings.SDK_WORK_DIR) as content:
            counted = _Counted(content)
            fill(cast(BinaryIO, counted))
            content.seek(0)
            self._storage.save(name, File(content))
        return counted.piece

    def open(self, name: str) -> BinaryIO:
        try:
            return cast(BinaryIO, self._storage.open(name, "rb"))
        except FileNotFoundError:
            raise BackupError(f"{self._address}/{name} is missing") from None

    def names(self, folder: str) -> Iterator[str]:
        folders, files = self._storage.listdir(folder)
        yield from (f"{folder}/{name}" for name in files)
        for each in folders:
            yield from self.names(f"{folder}/{each}")

    def remove(self, name: str) -> None:
        self._storage.delete(name)


@contextmanager
def verified(target: Target, name: str, piece: Piece) -> Iterator[BinaryIO]:
    """A file of a backup, once it has been read through and found to be as it was written.

    Raises `BackupError` where it is missing or another.
    """
    with target.open(name) as source:
        digest, size = hashlib.sha256(), 0
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
        if size != piece.size or digest.hexdigest() != piece.sha256:
            raise BackupError(f"{name} is not what was written: its length or hash differs")
        source.seek(0)
        yield source
