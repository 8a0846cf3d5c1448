"""Files that are encrypted to a public key (age), written and read as streams: nothing is in the clear on
disk, and nothing is in memory whole."""

import io
import json
import os
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import pyrage

from sdkportal.backup import keys
from sdkportal.backup.errors import BackupError
from sdkportal.backup.targets import Piece, Target

from .errors import LeavingError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK: Final = 64 * 1024
_LONGEST_LINE: Final = 512 * 1024 * 1024

Recipients = Sequence[pyrage.x25519.Recipient]
Identities = Sequence[pyrage.x25519.Identity]


def recipients_in(path: Path) -> Recipients:
    """The public keys in a file: an `age1...` a line, and comments with #. Raises `LeavingError`."""
    try:
        return keys.recipients_in(path)
    except BackupError as error:
        raise LeavingError(f"{error}.") from None


def identities_in(path: Path) -> Identities:
    """The private keys in a file, as `make_backup_key` writes it. Raises `LeavingError`."""
    try:
        return keys.identities(path)
    except BackupError as error:
        raise LeavingError(f"{error}.") from None


class _Joined(io.RawIOBase):
    """Pieces that are made while they are read, as one file. What making them raises is kept in `error`:
    pyrage tells of another."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        super().__init__()
        self._pieces = iter(pieces)
        self._ready = memoryview(b"")
        self.error: BaseException | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        target = memoryview(buffer).cast("B")
        try:
            while not self._ready:
                self._ready = memoryview(next(self._pieces))
        except StopIteration:
            return 0
        except BaseException as error:
            self.error = error
            raise
        count = min(len(target), len(self._ready))
        target[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


def seal(pieces: Iterable[bytes], out: BinaryIO, recipients: Recipients) -> None:
    """Write what pieces make, encrypted. Raises what making them raises, and `LeavingError`."""
    source = _Joined(pieces)
    try:
        pyrage.encrypt_io(source, out, list(recipients))
    except (pyrage.EncryptError, OSError) as error:
        if source.error is not None:
            raise source.error from None
        raise LeavingError(f"A file cannot be written ({type(error).__name__}).") from None


def write_sealed(target: Target, name: str, pieces: Iterable[bytes], recipients: Recipients) -> Piece:
    """`seal` to a file of a target. Raises also what making the pieces raises, and `LeavingError`."""

    def fill(out: BinaryIO) -> None:
        seal(pieces, out, recipients)

    try:
        return target.write(name, fill)
    except (BackupError, OSError) as error:
        raise LeavingError(f"{name} cannot be written ({type(error).__name__}).") from None


def pieces_of(source: BinaryIO) -> Iterator[bytes]:
    """What a file holds, in pieces."""
    while piece := source.read(_CHUNK):
        yield piece


def line_of(value: object) -> bytes:
    """A value as a line of JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@contextmanager
def opened(source: BinaryIO, identities: Identities, name: str) -> Generator[BinaryIO, None, None]:
    """The content of an encrypted file, as a file that is read once.

    Raises `LeavingError` where no key opens it, or it is not whole; at the end, so whatever was made of the
    content has to be taken back then.
    """
    read_end, write_end = os.pipe()
    failed: list[BaseException] = []

    def decrypt() -> None:
        try:
            with os.fdopen(write_end, "wb") as out:
                pyrage.decrypt_io(source, out, list(identities))
        except BrokenPipeError:
            # Whoever reads has stopped.
            pass
        except (pyrage.DecryptError, OSError) as error:
            failed.append(error)

    thread = threading.Thread(target=decrypt, daemon=True)
    thread.start()
    content = os.fdopen(read_end, "rb")
    try:
        yield content
        # A file that was cut off ends here for whoever reads, and nowhere for age.
        while content.read(_CHUNK):
            pass
    except BaseException:
        with suppress(OSError):
            content.close()
        thread.join()
        if any(not _is_broken_pipe(error) for error in failed):
            raise _unreadable(failed[0], name) from None
        raise
    content.close()
    thread.join()
    if failed:
        raise _unreadable(failed[0], name)


def _is_broken_pipe(error: BaseException) -> bool:
    return isinstance(error, BrokenPipeError) or "Broken pipe" in str(error)


def _unreadable(error: BaseException, name: str) -> LeavingError:
    if isinstance(error, pyrage.DecryptError):
        return LeavingError(f"{name} was not encrypted to this key.")
    return LeavingError(f"{name} cannot be opened: it is not whole.")


def lines_of(content: BinaryIO, name: str) -> Iterator[Any]:
    """The values of a file of JSON lines. Raises `LeavingError` where a line is none."""
    number = 0
    while line := content.readline(_LONGEST_LINE):
        number += 1
        try:
            yield json.loads(line)
        except ValueError:
            raise LeavingError(f"{name}, line {number}: not JSON.") from None


def as_binary(file: Any) -> BinaryIO:
    """A file-like object, as the type that readers ask for."""
    return cast(BinaryIO, file)
