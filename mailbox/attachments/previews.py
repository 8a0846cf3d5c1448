"""Previews of attachments in a page, without ever running anything in them.

Images that browsers draw and plain text are shown as they are, by themselves and sandboxed. A PDF is shown as
pictures of its pages, which a confined process draws (`rendering`).
"""

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

from mailbox import rendering
from mailbox.rendering import pdf_pictures
from mailbox.texts.plain_text import charset_of, decoded, up_to_line_end
from transport.names import contained

PDF_PAGES: Final = pdf_pictures.MOST_PAGES
MOST_BYTES: Final = 60 * 1024 * 1024
TEXT_BYTES: Final = 512 * 1024
_JPEG: Final = b"\xff\xd8\xff"
_PICTURES: Final = rendering.Job(
    Path(pdf_pictures.__file__),
    rendering.Limits(
        memory=1024 * 1024 * 1024, seconds=20, input=MOST_BYTES, output=PDF_PAGES * 4 * 1024 * 1024
    ),
)


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


class PreviewFailed(Exception):
    """A PDF that could not be drawn: broken, locked with a password, or too demanding."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """The first pages of a PDF, as JPEG in base64, and how many pages there are."""

    pages: tuple[str, ...]
    page_count: int


def kind_of(content_type: str, size: int) -> Kind | None:
    """How an attachment can be looked at, if it can. What its sender says of its type decides nothing more:
    it is served as that, never guessed at."""
    kind = _KINDS.get(essence_of(content_type))
    return kind if size <= MOST_BYTES else None


def essence_of(content_type: str) -> str:
    """The type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def beginning_of(source: BinaryIO, content_type: str) -> tuple[str, bool]:
    """What is shown of a plain text, whole characters and lines of it; and whether there is more."""
    content = source.read(TEXT_BYTES + 1)
    is_cut = len(content) > TEXT_BYTES
    text = decoded(content[:TEXT_BYTES], charset_of(content_type), is_cut=is_cut)
    return contained(up_to_line_end(text) if is_cut else text), is_cut


def pictures_of(source: BinaryIO) -> Pictures:
    """Draw the first pages of a PDF. Raises `PreviewFailed`."""
    try:
        drawn = json.loads(rendering.render(_PICTURES, source))
        return _checked(drawn["pages"], drawn["page_count"])
    except (rendering.RenderingFailed, ValueError, KeyError, TypeError, RecursionError):
        raise PreviewFailed from None


def _checked(pages: list[str], page_count: int) -> Pictures:
    """The output of the rendering process, which a hostile PDF may control. Raises `ValueError`."""
    if not isinstance(page_count, int) or not len(pages) <= min(page_count, PDF_PAGES):
        raise ValueError
    for page in pages:
        if not b64decode(page, validate=True).startswith(_JPEG):
            raise ValueError
    return Pictures(tuple(pages), page_count)
