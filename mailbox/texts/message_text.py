"""The texts of messages as HTML. Long texts are cut, so that pages stay fast.

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
# Every message of a page may have so many, however long the messages before it are.
_LEAST_OF_A_MESSAGE: Final = 4_000
# Each text counts for so many more characters than its length.
_COST_OF_A_TEXT: Final = 50


@dataclass(frozen=True, slots=True)
class MessageTexts:
    """The texts of a message as HTML, by document; `is_cut` tells that not all is shown."""

    documents: list[tuple[Document, list[SafeString]]]
    is_cut: bool


class TextBudget:
    """How many characters of its messages' texts a page may still show."""

    def __init__(self) -> None:
        self._remaining = MOST_OF_A_PAGE

    def texts_of(self, message: Message) -> MessageTexts:
        """The message's texts, cut where the budget ends; some thousand characters are always shown."""
        limit = min(MOST_OF_A_TEXT, max(self._remaining, _LEAST_OF_A_MESSAGE))
        remaining = limit
        is_cut = False
        documents: list[tuple[Document, list[SafeString]]] = []
        for document in message.documents.all():
            texts: list[SafeString] = []
            for text in document.texts:
                if remaining <= 0:
                    is_cut = True
                    break
                shown, is_text_cut = beginning_of(text, remaining)
                texts.append(render(shown))
                is_cut = is_cut or is_text_cut
                remaining -= len(shown) + _COST_OF_A_TEXT
            documents.append((document, texts))
        self._remaining -= limit - max(remaining, 0)
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
    """All texts of a message one after the other, in pieces."""
    separator = ""
    for document in message.documents.all():
        for text in document.texts:
            yield separator + text
            separator = "\n\n"
