"""multipart/related as a stream: headers bounded, bodies into files (RFC 2046 5.1, SwA).

Takes what senders do: binary or base64 transfer encoding, LF alone, parts in any order.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import BinaryIO, Final

import pybase64

from .errors import MIME_INCONSISTENCY, As4Error

_CHUNK: Final = 64 * 1024
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
# Java peers leave the character reference of a carriage return in base64 text.
_CARRIAGE_RETURN: Final = b"&#xd;"


@dataclass(frozen=True, slots=True)
class MimeLimits:
    """Bounds of a message: sizes in bytes."""

    max_total: int = 160 * 1024 * 1024
    max_parts: int = 64
    max_headers: int = 16 * 1024
    max_first_part: int = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class MimePart:
    """A part whose decoded body is in a file; `content_id` without brackets, None where there is none."""

    content_id: str | None
    content_type: str
    path: Path
    size: int


def content_type_of(value: str) -> tuple[str, dict[str, str]]:
    """A Content-Type's media type, in lower case, and its parameters."""
    message = Message()
    message["Content-Type"] = value
    parameters = {str(name).lower(): str(text) for name, text in message.get_params([])[1:]}
    return message.get_content_type(), parameters


def boundary_of(content_type: str) -> str:
    """The boundary of a multipart/related message; raises `As4Error` EBMS:0007."""
    media_type, parameters = content_type_of(content_type)
    boundary = parameters.get("boundary", "")
    if media_type != "multipart/related" or not _BOUNDARY.fullmatch(boundary):
        raise As4Error(MIME_INCONSISTENCY, "not multipart/related with a boundary")
    return boundary


def read_parts(body: BinaryIO, boundary: str, directory: Path, limits: MimeLimits) -> Iterator[MimePart]:
    """The parts in their order, each when its file is complete; raises `As4Error` EBMS:0007.

    Memory stays bounded whatever comes. Files that were begun stay in `directory`, which is the
    caller's to remove.
    """
    source = _Source(body, boundary.encode("ascii"), limits)
    source.skip_preamble()
    number = 0
    while not source.at_end:
        if number == limits.max_parts:
            raise As4Error(MIME_INCONSISTENCY, f"more than {limits.max_parts} parts")
        headers = source.headers()
        path = directory / f"part-{number:03d}"
        with path.open("xb") as out:
            decode = _decoder(headers.get("content-transfer-encoding", "binary"))
            size = 0
            for chunk in source.content():
                decoded = decode(chunk)
                size += len(decoded)
                if number == 0 and size > limits.max_first_part:
                    raise As4Error(MIME_INCONSISTENCY, "the first part is larger than a header may be")
                out.write(decoded)
            rest = decode(None)
            out.write(rest)
            size += len(rest)
        identity = headers.get("content-id", "").strip()
        yield MimePart(identity.strip("<>") or None, headers.get("content-type", "text/plain"), path, size)
        number += 1


class _Source:
    """The body cut at its delimiters, with no more in memory than a chunk and a delimiter."""

    def __init__(self, body: BinaryIO, boundary: bytes, limits: MimeLimits) -> None:
        self._body = body
        # What begins a delimiter line is sought after a line end; a first one may open the body.
        self._delimiter = b"\n--" + boundary
        self._limits = limits
        self._buffer = b"\n"
        self._total = 0
        self._is_exhausted = False
        self.at_end = False

    def skip_preamble(self) -> None:
        skipped = 0
        for chunk in self.content():
            skipped += len(chunk)
            if skipped > self._limits.max_headers:
                raise As4Error(MIME_INCONSISTENCY, "no delimiter where the first part begins")

    def content(self) -> Iterator[bytes]:
        """The bytes before the next delimiter, without the line end that belongs to it."""
        keep = len(self._delimiter) + 1
        while True:
            found = self._buffer.find(self._delimiter)
            if found >= 0:
                content = self._buffer[:found]
                self._buffer = self._buffer[found + len(self._delimiter) :]
                yield content.removesuffix(b"\r")
                self._finish_delimiter()
                return
            if len(self._buffer) > keep:
                yield self._buffer[:-keep]
                self._buffer = self._buffer[-keep:]
            if not self._fill():
                raise As4Error(MIME_INCONSISTENCY, "the message ends within a part")

    def headers(self) -> dict[str, str]:
        """Header fields up to the empty line, names in lower case; the first of each counts."""
        block = b""
        while True:
            line = self._line()
            if not line.strip(b"\r\n"):
                break
            block += line
            if len(block) > self._limits.max_headers:
                raise As4Error(MIME_INCONSISTENCY, "part headers too long")
        self._let_delimiter_follow()
        fields: dict[str, str] = {}
        for line in re.sub(rb"\r?\n[ \t]+", b" ", block).splitlines():
            name, separator, value = line.partition(b":")
            if not separator:
                raise As4Error(MIME_INCONSISTENCY, "a part header is not a field")
            fields.setdefault(name.decode("latin-1").strip().lower(), value.decode("latin-1").strip())
        return fields

    def _let_delimiter_follow(self) -> None:
        """An empty part's delimiter may follow its headers at once: the empty line is its line end."""
        bare = self._delimiter[1:]
        while len(self._buffer) < len(bare) and self._fill():
            pass
        if self._buffer.startswith(bare):
            self._buffer = b"\n" + self._buffer

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > self._limits.max_headers:
                raise As4Error(MIME_INCONSISTENCY, "part headers too long")
            if not self._fill():
                raise As4Error(MIME_INCONSISTENCY, "the message ends within part headers")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line + b"\n"

    def _finish_delimiter(self) -> None:
        """What follows the boundary on its line: nothing, or `--` for the last."""
        while len(self._buffer) < 2 and self._fill():
            pass
        if self._buffer.startswith(b"--"):
            self.at_end = True
            return
        if self._line().strip(b" \t\r\n"):
            raise As4Error(MIME_INCONSISTENCY, "a delimiter line goes on after the boundary")

    def _fill(self) -> bool:
        if self._is_exhausted:
            return False
        chunk = self._body.read(_CHUNK)
        self._is_exhausted = not chunk
        self._total += len(chunk)
        if self._total > self._limits.max_total:
            raise As4Error(MIME_INCONSISTENCY, f"the message is larger than {self._limits.max_total} bytes")
        self._buffer += chunk
        return bool(chunk)


class _Base64:
    def __init__(self) -> None:
        self._carry = b""

    def __call__(self, chunk: bytes | None) -> bytes:
        if chunk is not None:
            text = self._carry + chunk
            # A reference that is cut by the chunk's end waits for the next one.
            hold = text.rfind(b"&")
            tail = text[hold:] if hold >= 0 and b";" not in text[hold:] else b""
            text = text[: len(text) - len(tail)].replace(_CARRIAGE_RETURN, b"").translate(None, b" \t\r\n")
            cut = len(text) - len(text) % 4
            self._carry = text[cut:] + tail
            text = text[:cut]
        else:
            text, self._carry = self._carry, b""
        try:
            return pybase64.b64decode(text, validate=True)
        except ValueError:
            raise As4Error(MIME_INCONSISTENCY, "a part is not the base64 that it says it is") from None


def _plain(chunk: bytes | None) -> bytes:
    return chunk or b""


def _decoder(encoding: str) -> Callable[[bytes | None], bytes]:
    name = encoding.strip().lower()
    if name == "base64":
        return _Base64()
    if name in {"binary", "8bit", "7bit"}:
        return _plain
    raise As4Error(MIME_INCONSISTENCY, "a part has a transfer encoding other than binary and base64")
