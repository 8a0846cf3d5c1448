"""Reading a JSON body as a stream: long strings go to files, the rest is small enough for memory.

A string longer than a few pages is written to a file while the body is read. An attachment (the `content` of
a file) is then decoded from that; any other long string, such as a message's text, is put back in its place.
"""

import json
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import pybase64

_CHUNK: Final = 64 * 1024
_LONGEST_IN_PLACE: Final = 16 * 1024
# For the structure and texts of a message, without attachments.
_LONGEST_HELD: Final = 4 * 1024 * 1024
_CONTENT: Final = "content"
_STOP: Final = re.compile(rb'["\\]')
_QUOTE: Final = re.compile(rb'"')
_ESCAPE: Final = re.compile(rb'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_ESCAPED: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_WHITESPACE: Final = b" \t\r\n"


class BodyRefused(Exception):
    """The body is malformed; `why` tells how, without quoting it."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class BodyTooLarge(BodyRefused):
    """The body is larger than a message may be."""


class Source(Protocol):
    """The source that the body is read from."""

    def read(self, size: int, /) -> bytes: ...


class Aside(str):
    """A long `content` that was written to a file: an empty text, whose JSON string is in `path`."""

    __slots__ = ("path",)
    path: Path


def read_json(source: Source, directory: Path, *, max_bytes: int) -> Any:
    """Read the body's value; long contents are `Aside`, with files in `directory`. Raises `BodyRefused`."""
    reader = _Reader(directory, max_bytes)
    while chunk := source.read(_CHUNK):
        reader.feed(chunk)
    return reader.value()


def decode(content: str, target: Path) -> int:
    """Decode a file's base64 (RFC 4648) into `target`; returns the number of bytes. Raises `BodyRefused`."""
    with target.open("xb") as out:
        if not isinstance(content, Aside):
            return _Decoder(out).all_of(content.encode("utf-8", "replace"))
        decoder = _Decoder(out)
        with content.path.open("rb") as raw:
            carry = b""
            while chunk := raw.read(_CHUNK):
                data = carry + chunk
                # An escape may have been cut in two.
                cut = data.rfind(b"\\", max(len(data) - 6, 0))
                carry = b"" if cut < 0 else data[cut:]
                decoder.feed(_unescaped(data if cut < 0 else data[:cut]))
            decoder.feed(_unescaped(carry))
        content.path.unlink()
        return decoder.finish()


class _Decoder:
    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._carry = b""
        self._has_ended = False
        self._size = 0

    def all_of(self, data: bytes) -> int:
        self.feed(data)
        return self.finish()

    def feed(self, data: bytes) -> None:
        data = self._carry + data.translate(None, _WHITESPACE)
        cut = len(data) - len(data) % 4
        self._carry = data[cut:]
        if cut:
            self._write(data[:cut])

    def finish(self) -> int:
        if self._carry:
            raise BodyRefused("content is not base64")
        return self._size

    def _write(self, data: bytes) -> None:
        if self._has_ended:
            raise BodyRefused("content is not base64")
        self._has_ended = data.endswith(b"=")
        try:
            decoded = pybase64.b64decode(data, validate=True)
        except ValueError:
            raise BodyRefused("content is not base64") from None
        self._size += len(decoded)
        self._out.write(decoded)


def _unescaped(data: bytes) -> bytes:
    """Replace JSON's escapes. Invalid ones stay, and are later refused as base64."""
    return _ESCAPE.sub(_meaning, data) if b"\\" in data else data


def _meaning(found: re.Match[bytes]) -> bytes:
    if found[1] is not None:
        return chr(int(found[1], 16)).encode("utf-8", "replace")
    return _ESCAPED.get(found[2], found[2])


class _Reader:
    """Finds strings, and keeps the rest of the body unchanged."""

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self._directory = directory
        self._left = max_bytes
        self._held = bytearray()
        self._string: bytearray | None = None
        self._out: BinaryIO | None = None
        self._is_escaped = False
        # Random, so that no client can write a string that is taken for a file.
        self._mark = f"aside-{secrets.token_hex(16)}-"
        self._files: dict[str, Path] = {}

    def feed(self, chunk: bytes) -> None:
        self._left -= len(chunk)
        if self._left < 0:
            raise BodyTooLarge("the message is larger than is taken")
        position = 0
        while position < len(chunk):
            position = (
                self._in_string(chunk, position)
                if self._string is not None
                else self._outside(chunk, position)
            )
        if len(self._held) > _LONGEST_HELD:
            raise BodyTooLarge("the message's structure is larger than is taken")

    def value(self) -> Any:
        if self._string is not None:
            raise BodyRefused("the body is not JSON")
        value = _parsed(bytes(self._held))
        try:
            return self._put_back(value, "")
        except RecursionError:
            raise BodyRefused("the body is nested too deeply") from None

    def _outside(self, chunk: bytes, position: int) -> int:
        found = _QUOTE.search(chunk, position)
        if found is None:
            self._held += chunk[position:]
            return len(chunk)
        self._held += chunk[position : found.start()]
        self._string = bytearray()
        return found.end()

    def _in_string(self, chunk: bytes, position: int) -> int:
        if self._is_escaped:
            self._is_escaped = False
            self._more(chunk[position : position + 1])
            return position + 1
        found = _STOP.search(chunk, position)
        if found is None:
            self._more(chunk[position:])
            return len(chunk)
        self._more(chunk[position : found.start()])
        if found[0] == b"\\":
            self._is_escaped = True
            self._more(b"\\")
        else:
            self._end()
        return found.end()

    def _more(self, data: bytes) -> None:
        if self._out is not None:
            self._out.write(data)
            return
        assert self._string is not None  # noqa: S101 - for the type checker
        self._string += data
        if len(self._string) > _LONGEST_IN_PLACE:
            path = self._directory / f"string-{len(self._files):04d}"
            self._files[f"{self._mark}{len(self._files)}"] = path
            self._out = path.open("xb")
            self._out.write(self._string)
            self._string = bytearray()

    def _end(self) -> None:
        if self._out is not None:
            self._out.close()
            self._out = None
            self._held += f'"{self._mark}{len(self._files) - 1}"'.encode()
        else:
            self._held += b'"' + (self._string or b"") + b'"'
        self._string = None

    def _put_back(self, value: Any, name: str) -> Any:
        match value:
            case dict():
                if any(key in self._files for key in value):
                    raise BodyRefused("a name in the body is too long")
                return {key: self._put_back(item, key) for key, item in value.items()}
            case list():
                return [self._put_back(item, name) for item in value]
            case str() if value in self._files:
                path = self._files[value]
                if name == _CONTENT:
                    aside = Aside()
                    aside.path = path
                    return aside
                if path.stat().st_size > _LONGEST_HELD:
                    raise BodyTooLarge("a text is longer than is taken")
                return _parsed(b'"' + path.read_bytes() + b'"')
        return value


def _parsed(data: bytes) -> Any:
    try:
        value = json.loads(data.decode(), parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        # No JSON, no UTF-8, a lone surrogate, an endless number, or nested too deep.
        raise BodyRefused("the body is not JSON") from None
    return value


def _no_constant(name: str) -> Callable[[], None]:
    raise ValueError(name)
