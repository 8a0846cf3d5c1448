"""Attachments as they can be looked at in the page: never as anything that runs.

Images that browsers draw and plain text are shown as they are, by themselves and sandboxed. A PDF is shown as
pictures of its pages: a process of its own, with little memory and time and nothing but the file, draws them.
"""

import json
import resource
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import BinaryIO, Final

PDF_PAGES: Final = 8
MOST_BYTES: Final = 60 * 1024 * 1024
TEXT_BYTES: Final = 512 * 1024
_SECONDS: Final = 20
_MEMORY: Final = 1024 * 1024 * 1024
_WIDTH: Final = 1000
_MOST_PIXELS: Final = 4_000_000
_QUALITY: Final = 80


class Kind(StrEnum):
    """How an attachment can be looked at."""

    PDF = "pdf"
    IMAGE = "image"
    TEXT = "text"


_KINDS: Final[Mapping[str, Kind]] = {
    "application/pdf": Kind.PDF,
    "image/png": Kind.IMAGE,
    "image/jpeg": Kind.IMAGE,
    "text/plain": Kind.TEXT,
}


class NotDrawn(Exception):
    """A PDF that could not be drawn: broken, locked with a password, or too demanding."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """The first pages of a PDF, as JPEG in base64, and how many pages there are."""

    pages: tuple[str, ...]
    page_count: int


def kind_of(content_type: str, size: int) -> Kind | None:
    """How an attachment can be looked at, if it can. What its sender says of its type decides nothing more:
    it is served as that, never guessed at."""
    kind = _KINDS.get(content_type.partition(";")[0].strip().lower())
    return kind if size <= MOST_BYTES else None


def text_of(content: bytes) -> str:
    """Plain text, in the two encodings that people have."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("windows-1252", errors="replace")


def pictures_of(source: BinaryIO) -> Pictures:
    """Draw the first pages of a PDF. Raises `NotDrawn`."""
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-I", __file__],
            input=source.read(MOST_BYTES),
            capture_output=True,
            timeout=_SECONDS,
            check=True,
            env={},
            preexec_fn=_confine,
        )
        told = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError):
        raise NotDrawn from None
    return Pictures(tuple(told["pages"]), told["page_count"])


def _confine() -> None:
    """In the process that draws, before it begins: no more memory, time or files than drawing takes."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def _draw() -> None:
    """What the process does: a PDF from standard input, pictures as JSON to standard output."""
    import pypdfium2

    document = pypdfium2.PdfDocument(sys.stdin.buffer.read())
    pages = []
    for number in range(min(len(document), PDF_PAGES)):
        page = document[number]
        width, height = page.get_size()
        scale = min(_WIDTH / max(width, 1), (_MOST_PIXELS / max(width * height, 1)) ** 0.5)
        picture = BytesIO()
        page.render(scale=scale).to_pil().convert("RGB").save(picture, "JPEG", quality=_QUALITY)
        pages.append(b64encode(picture.getvalue()).decode())
    json.dump({"pages": pages, "page_count": len(document)}, sys.stdout)


if __name__ == "__main__":
    _draw()
