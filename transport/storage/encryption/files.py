"""Sealed files: AES-256-GCM in chunks, written and read as streams, opened anywhere.

    "SDKREST1" | data key's id, 16 bytes | salt, 32 bytes | chunks

Every file has a key of its own: HKDF of the data key and the salt. A chunk is 64 KiB of the content and its
tag; its nonce is its number and whether it is the last, so chunks cannot be reordered, left out or cut off.
What a file is (its `context`) and whose goes into the key, so a file cannot take another's place.
"""

import io
import os
from typing import TYPE_CHECKING, BinaryIO, Final, cast
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import Altered
from .keys import OpenKey, current_key, key_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAGIC: Final = b"SDKREST1"
CHUNK: Final = 64 * 1024
_TAG: Final = 16
_SALT: Final = 32
HEADER: Final = len(MAGIC) + 16 + _SALT


def sealed(source: BinaryIO, participant: str, context: str) -> BinaryIO:
    """The content of a file, sealed while it is read."""
    return cast(BinaryIO, SealingReader(source, current_key(participant), context))


def opened(source: BinaryIO, participant: str, context: str) -> BinaryIO:
    """The content of a sealed, seekable file, as a seekable file. Raises `Altered`, also while it is read.

    The last chunk is checked at once: a file that was cut short is not begun upon.
    """
    return cast(BinaryIO, io.BufferedReader(OpeningReader(source, participant, context), CHUNK))


def key_id_of(source: BinaryIO) -> UUID | None:
    """Which data key sealed a file; None for one that is not sealed. Leaves the file at its beginning."""
    header = _read_exactly(source, HEADER)
    source.seek(0)
    if not header.startswith(MAGIC):
        return None
    if len(header) < HEADER:
        raise Altered("a sealed file is cut short")
    return UUID(bytes=header[len(MAGIC) : len(MAGIC) + 16])


class SealingReader(io.RawIOBase):
    """Reads content and gives it sealed. It goes forward only: what it has given cannot be given again."""

    def __init__(self, source: BinaryIO, key: OpenKey, context: str) -> None:
        super().__init__()
        salt = os.urandom(_SALT)
        self._header = MAGIC + key.id.bytes + salt
        self._cipher = _cipher_of(key, salt, context)
        self._source = source
        self._number = 0
        self._ready = memoryview(self._header)
        self._next: bytes | None = _read_exactly(source, CHUNK)
        self._given = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._given

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """To where it is already: storages rewind what they are given."""
        if whence != io.SEEK_SET or offset != self._given:
            raise io.UnsupportedOperation("a file that is being sealed goes forward only")
        return offset

    def readinto(self, buffer: "WriteableBuffer") -> int:
        target = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(target):
            if not self._ready:
                self._ready = memoryview(self._seal_next())
                if not self._ready:
                    break
            piece = self._ready[: len(target) - filled]
            target[filled : filled + len(piece)] = piece
            self._ready = self._ready[len(piece) :]
            filled += len(piece)
        self._given += filled
        return filled

    def _seal_next(self) -> bytes:
        if self._next is None:
            return b""
        chunk = self._next
        following = _read_exactly(self._source, CHUNK) if len(chunk) == CHUNK else b""
        self._next = following or None
        nonce = _nonce(self._number, is_last=not following)
        self._number += 1
        return self._cipher.encrypt(nonce, chunk, None)


class OpeningReader(io.RawIOBase):
    """Reads a sealed file, keeping one chunk in the clear."""

    def __init__(self, source: BinaryIO, participant: str, context: str) -> None:
        super().__init__()
        self._source = source
        key_id = key_id_of(source)
        if key_id is None:
            raise Altered("a file that should be sealed is not")
        key = key_of(key_id)
        if key.participant != participant:
            raise Altered("a file is sealed for another organisation")
        header = _read_exactly(source, HEADER)
        self._cipher = _cipher_of(key, header[-_SALT:], context)
        body = source.seek(0, io.SEEK_END) - HEADER
        self._chunks, rest = divmod(body, CHUNK + _TAG)
        if rest:
            self._chunks += 1
        if self._chunks == 0 or 0 < rest < _TAG:
            raise Altered("a sealed file is cut short")
        self.size = body - self._chunks * _TAG
        self._position = 0
        self._number = -1
        self._chunk = b""
        self._load(self._chunks - 1)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise ValueError("a position before the beginning")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        if self._position >= self.size:
            return 0
        target = memoryview(buffer).cast("B")
        number, within = divmod(self._position, CHUNK)
        self._load(number)
        piece = memoryview(self._chunk)[within : within + len(target)]
        target[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._source.close()
        super().close()

    def _load(self, number: int) -> None:
        if number == self._number:
            return
        self._source.seek(HEADER + number * (CHUNK + _TAG))
        stored = _read_exactly(self._source, CHUNK + _TAG)
        try:
            chunk = self._cipher.decrypt(_nonce(number, is_last=number == self._chunks - 1), stored, None)
        except InvalidTag:
            raise Altered("a sealed file is not what was sealed in this place") from None
        self._number, self._chunk = number, chunk


def _cipher_of(key: OpenKey, salt: bytes, context: str) -> AESGCM:
    binding = b"sdkportal file\0" + key.participant.encode() + b"\0" + context.encode()
    return AESGCM(HKDF(SHA256(), 32, salt, binding).derive(key.secret))


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\1" if is_last else b"\0")


def _read_exactly(source: BinaryIO, count: int) -> bytes:
    """Bytes until there are so many, or no more: a stream may give fewer at a time."""
    data = source.read(count)
    if len(data) == count or not data:
        return data
    pieces = [data]
    missing = count - len(data)
    while missing and (data := source.read(missing)):
        pieces.append(data)
        missing -= len(data)
    return b"".join(pieces)
