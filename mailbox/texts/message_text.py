"""Texts of messages as HTML for pages: their beginning, so that a page stays fast however long they are.

Rendering Markdown takes some seconds a megabyte and two hundred times its memory, and a message may have
thirty megabytes. The whole text is a file to download.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.utils.safestring import SafeString

from mailbox.models import Document, Message

from .markdown import render
from .plain_text import up_to_line_end

# Characters: of one text, and of all texts of a page.
MOST_OF_A_TEXT: Final = 200_000
MOST_OF_A_PAGE: Final = 400_000
# Every message of a page has so much, however long the messages before it are.
_LEAST_OF_A_MESSAGE: Final = 4_000
# Each text counts so many characters beside its length.
_COST_OF_A_TEXT: Final = 50


@dataclass(frozen=True, slots=True)
class MessageTexts:
    """The texts of a message as HTML, by document; `is_cut` tells that not all is shown."""

    documents: list[tuple[Document, list[SafeString]]]
    is_cut: bool


class TextBudget:
    """How much text of its messages a page still has room for."""

    def __init__(self) -> None:
        self._left = MOST_OF_A_PAGE

    def texts_of(self, message: Message) -> MessageTexts:
        """The beginning of the message's texts, at least some thousand characters of it."""
        room = min(MOST_OF_A_TEXT, max(self._left, _LEAST_OF_A_MESSAGE))
        left = room
        is_cut = False
        documents: list[tuple[Document, list[SafeString]]] = []
        for document in message.documents.all():
            texts: list[SafeString] = []
            for text in document.texts:
                if left <= 0:
                    is_cut = True
                    break
                shown, is_text_cut = beginning_of(text, left)
                texts.append(render(shown))
                is_cut = is_cut or is_text_cut
                left -= len(shown) + _COST_OF_A_TEXT
            documents.append((document, texts))
        self._left -= room - max(left, 0)
        return MessageTexts(documents, is_cut)


def beginning_of(text: str, most: int = MOST_OF_A_TEXT) -> tuple[str, bool]:
    """The beginning of a text, of whole lines where possible, and whether there is more."""
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
