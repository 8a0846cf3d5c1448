"""What is a word, and what is a number, in text as people write it."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

LONGEST_WORD: Final = 60
# A text with more different words than this is searched by those that come first.
MOST_WORDS: Final = 20_000
_MOST_TERMS: Final = 12
_LONGEST_QUESTION: Final = 300

_WORD: Final = re.compile(r"[^\W_]+")
# Parts that belong together though signs stand between them: 19121212-1212, SN 2026/117, sdk:inkorg:0203.
_COMPOSITE: Final = re.compile(r"[^\W_]+(?:[-+/.:\u2010-\u2015][^\W_]+)+")
_SPACED_DIGITS: Final = re.compile(r"\d[\d \u00a0-]{4,24}\d")
_NOT_ALPHANUMERIC: Final = re.compile(r"[\W_]+")
_DATED: Final = re.compile(r"(?:18|19|20)\d{10}")


@dataclass(frozen=True, slots=True)
class Written:
    """What a text holds: its words, and its numbers without the signs between their digits."""

    words: frozenset[str]
    numbers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a question, all of which a message has to hold."""

    text: str
    is_number: bool


def normal(text: str) -> str:
    """Text as it is compared: one form of every letter, small letters, no accents but those of å, ä, ö."""
    return unicodedata.normalize("NFC", "".join(_bare(one) for one in _composed(text)))


def as_number(text: str) -> str:
    """An identifier as the index holds it: letters and digits without what stands between them."""
    return _joined(normal(text))


def written(texts: Iterable[str], identifiers: Iterable[str] = ()) -> Written:
    """The words and numbers of some texts; an identifier is a number too, as a whole."""
    words: set[str] = set()
    numbers = {form for one in identifiers for form in forms_of_number(as_number(one)) if form}
    for text in map(normal, texts):
        for match in _WORD.finditer(text):
            if len(words) >= MOST_WORDS:
                break
            word = match[0][:LONGEST_WORD]
            words.add(word)
            if _has_digit(word):
                numbers.update(forms_of_number(word))
        for pattern in (_COMPOSITE, _SPACED_DIGITS):
            for match in pattern.finditer(text):
                if len(numbers) >= MOST_WORDS:
                    break
                joined = _joined(match[0])
                if _has_digit(joined):
                    numbers.update(forms_of_number(joined))
    return Written(frozenset(words), frozenset(numbers))


def terms(question: str) -> list[Term]:
    """The terms of a question, in its order; empty where it holds neither letter nor digit."""
    found = list(dict.fromkeys(_terms(normal(question[:_LONGEST_QUESTION]))))
    return found[:_MOST_TERMS]


def forms_of_number(number: str) -> tuple[str, ...]:
    """A personal number is written with or without its century: both, the one that is written first."""
    return (number, number[2:]) if _DATED.fullmatch(number) else (number,)


def _terms(text: str) -> Iterator[Term]:
    position = 0
    for match in _COMPOSITE.finditer(text):
        joined = _joined(match[0])
        if not _has_digit(joined):
            continue
        yield from _plain(text[position : match.start()])
        yield Term(joined, is_number=True)
        position = match.end()
    yield from _plain(text[position:])


def _plain(text: str) -> Iterator[Term]:
    for match in _WORD.finditer(text):
        word = match[0][:LONGEST_WORD]
        yield Term(word, is_number=_has_digit(word))


def _joined(text: str) -> str:
    return _NOT_ALPHANUMERIC.sub("", text)[:LONGEST_WORD]


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text).lower()


def _bare(letter: str) -> str:
    """A letter without its accent, where it is not a letter of its own in Swedish."""
    if letter.isascii() or letter in "åäö":
        return letter
    decomposed = unicodedata.normalize("NFD", letter)
    return "".join(part for part in decomposed if not unicodedata.combining(part))
