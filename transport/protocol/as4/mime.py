"""multipart/related as a stream: headers bounded, bodies into files (RFC 2046 5.1, SwA).

Takes what senders do: binary or base64 transfer encoding, LF alone, parts in any order.
"""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import pybase64

from .errors import MIME_INCONSISTENCY, As4Error

_CHUNK: Final = 64 * 1024
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
# Java peers leave the character reference of a carriage return in base64 text.
_CARRIAGE_RETURNS: Final = (b"&#xd;", b"&#xD;", b"&#13;")
_LONGEST_REFERENCE: Final = 5
MULTIPART: Final = "multipart/related"
_LONGEST_CONTENT_TYPE: Final = 2_000
_PARAMETER: Final = re.compile(r';\s*([^\s;="]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')


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
    """A Content-Type's media type, in lower case, and its parameters; nothing of one that is too long."""
    if len(value) > _LONGEST_CONTENT_TYPE:
        return "", {}
    parameters: dict[str, str] = {}
    for name, quoted, plain in _PARAMETER.findall(value):
        parameters.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted else plain)
    return value.partition(";")[0].strip().lower(), parameters


def boundary_of(content_type: str) -> str:
    """The boundary of a multipart/related message; raises `As4Error` EBMS:0007."""
    media_type, parameters = content_type_of(content_type)
    boundary = parameters.get("boundary", "")
    if media_type != MULTIPART or not _BOUNDARY.fullmatch(boundary):
        raise As4Error(MIME_INCONSISTENCY, "not multipart/related with a boundary")
    return boundary


def read_parts(body: BinaryIO, boundary: str, directory: Path, limits: MimeLimits) -> Iterator[MimePart]:
    """The parts in their order, each when its file is complete; raises `As4Error` EBMS:0007.

    Memory stays bounded whatever comes. Files that were begun stay in `directory`, which is the
    caller's to remove.
    """
    for number, (headers, content) in enumerate(_parts(body, boundary, limits)):
        path = directory / f"part-{number:03d}"
        size = 0
        with path.open("xb") as out:
            for piece in content:
                size += len(piece)
                out.write(piece)
        identity = headers.get("content-id", "").strip()
        yield MimePart(identity.strip("<>") or None, headers.get("content-type", "text/plain"), path, size)


def only_part(content_type: str, body: bytes) -> tuple[str, bytes]:
    """Content-Type and content of the one part of a message in memory; raises `As4Error` EBMS:0007."""
    found: list[tuple[str, bytes]] = []
    for headers, content in _parts(io.BytesIO(body), boundary_of(content_type), MimeLimits()):
        if found:
            raise As4Error(MIME_INCONSISTENCY, "more than one part")
        found.append((headers.get("content-type", "text/plain"), b"".join(content)))
    if not found:
        raise As4Error(MIME_INCONSISTENCY, "the message has no parts")
    return found[0]


def _parts(
    body: BinaryIO, boundary: str, limits: MimeLimits
) -> Iterator[tuple[dict[str, str], Iterator[bytes]]]:
    """Header fields and decoded content of each part; a part is read to its end before the next."""
    source = _Source(body, boundary.encode("ascii"), limits)
    source.skip_preamble()
    number = 0
    while not source.at_end:
        if number == limits.max_parts:
            raise As4Error(MIME_INCONSISTENCY, f"more than {limits.max_parts} parts")
        headers = source.headers()
        yield headers, _decoded(source, headers, limits.max_first_part if number == 0 else None)
        number += 1


def _decoded(source: "_Source", headers: dict[str, str], most: int | None) -> Iterator[bytes]:
    decode = _decoder(headers.get("content-transfer-encoding", "binary"))
    size = 0
    for chunk in source.content():
        decoded = decode(chunk)
        size += len(decoded)
        if most is not None and size > most:
            raise As4Error(MIME_INCONSISTENCY, "the first part is larger than a header may be")
        yield decoded
    yield decode(None)


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
        at, length, lines = 0, 0, []
        while True:
            line = self._line_at(at)
            at += len(line)
            if not line.strip(b"\r\n"):
                break
            lines.append(line)
            length += len(line)
            if length > self._limits.max_headers:
                raise As4Error(MIME_INCONSISTENCY, "part headers too long")
        self._buffer = self._buffer[at:]
        self._let_delimiter_follow()
        fields: dict[str, str] = {}
        for line in re.sub(rb"\r?\n[ \t]+", b" ", b"".join(lines)).splitlines():
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

    def _line_at(self, begin: int) -> bytes:
        """The line that begins there in the buffer, with its end."""
        searched = begin
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched - begin > self._limits.max_headers:
                raise As4Error(MIME_INCONSISTENCY, "part headers too long")
            if not self._fill():
                raise As4Error(MIME_INCONSISTENCY, "the message ends within part headers")
        return self._buffer[begin : end + 1]

    def _finish_delimiter(self) -> None:
        """What follows the boundary on its line: nothing, or `--` for the last."""
        while len(self._buffer) < 2 and self._fill():
            pass
        if self._buffer.startswith(b"--"):
            self.at_end = True
            return
        line = self._line_at(0)
        self._buffer = self._buffer[len(line) :]
        if line.strip(b" \t\r\n"):
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
            # A reference that is cut by the chunk's end waits for the next one; what is longer is none.
            hold = text.rfind(b"&", -_LONGEST_REFERENCE + 1)
            tail = text[hold:] if hold >= 0 and b";" not in text[hold:] else b""
            text = text[: len(text) - len(tail)]
            if b"&" in text:
                for reference in _CARRIAGE_RETURNS:
                    text = text.replace(reference, b"")
            text = text.translate(None, b" \t\r\n")
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
