"""Texts of messages as they are read in a page: their beginning, so that a page costs no more than a person
reads.

Making HTML of Markdown takes some seconds a megabyte and two hundred times its memory, and a message may be
of thirty megabytes. The whole text is a file to download.
"""

from collections.abc import Iterable
from typing import Final

from django.utils.safestring import SafeString

from mailbox.models import Message

from .markdown import render
from .plain_text import up_to_line_end

# Characters: of one text, and of all texts of a page.
MOST_OF_A_TEXT: Final = 200_000
MOST_OF_A_PAGE: Final = 400_000
# What every message of a page has, whatever stands before it.
_LEAST_OF_A_MESSAGE: Final = 4_000
# What a text costs beside its length.
_COST_OF_A_TEXT: Final = 50


class Page:
    """What there is room for in a page."""

    def __init__(self) -> None:
        self._left = MOST_OF_A_PAGE

    def render_texts(self, messages: Iterable[Message]) -> None:
        """Give each message's documents their texts as HTML, `rendered`; a message of which not all is shown
        `is_text_cut`."""
        for message in messages:
            room = min(MOST_OF_A_TEXT, max(self._left, _LEAST_OF_A_MESSAGE))
            left = room
            message.is_text_cut = False  # type: ignore[attr-defined]
            for document in message.documents.all():
                document.rendered = []  # type: ignore[attr-defined]
                for text in document.texts:
                    if left <= 0:
                        message.is_text_cut = True  # type: ignore[attr-defined]
                        break
                    shown, is_cut = beginning_of(text, left)
                    document.rendered.append(render(shown))  # type: ignore[attr-defined]
                    message.is_text_cut = message.is_text_cut or is_cut  # type: ignore[attr-defined]
                    left -= len(shown) + _COST_OF_A_TEXT
            self._left -= room - max(left, 0)


def beginning_of(text: str, most: int = MOST_OF_A_TEXT) -> tuple[str, bool]:
    """What is shown of a text, whole lines of it if it can be; and whether there is more."""
    if len(text) <= most:
        return text, False
    return up_to_line_end(text[:most]), True


def rendered_beginning(text: str) -> tuple[SafeString, bool]:
    """The beginning of a text as HTML, and whether there is more."""
    shown, is_cut = beginning_of(text)
    return render(shown), is_cut


def whole_text(message: Message) -> Iterable[str]:
    """All texts of a message, as one, in pieces."""
    separator = ""
    for document in message.documents.all():
        for text in document.texts:
            yield separator + text
            separator = "\n\n"
