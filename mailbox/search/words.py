"""Splitting texts and questions into words and numbers."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

LONGEST_WORD: Final = 60
# Only the first so many different words of a text are indexed.
MOST_WORDS: Final = 20_000
_MOST_TERMS: Final = 12
LONGEST_QUESTION: Final = 300
# Of the parts that signs join, so many are combined.
_MOST_PARTS: Final = 8

_WORD: Final = re.compile(r"[^\W_]+")
# Parts joined by signs, which belong together: 19121212-1212, SN 2026/117, sdk:inkorg:0203.
_COMPOSITE: Final = re.compile(r"[^\W_]+(?:[-+/.:\u2010-\u2015][^\W_]+)+")
_SPACED_DIGITS: Final = re.compile(r"\d[\d \u00a0-]{4,24}\d")
_NOT_ALPHANUMERIC: Final = re.compile(r"[\W_]+")
# Letters of their own, whose accents stay.
_KEPT: Final = "åäö"
# Most words: nothing has to be taken off them.
_WITHOUT_ACCENTS: Final = re.compile(rf"[\x00-\x7f{_KEPT}]*")
_DATED: Final = re.compile(r"(?:18|19|20)\d{10}")


@dataclass(frozen=True, slots=True)
class WordsAndNumbers:
    """The words of a text, and its numbers without the signs between their digits."""

    words: frozenset[str]
    numbers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a question; a message has to hold all of them."""

    text: str
    is_number: bool


def normalized(text: str) -> str:
    """Text for comparison: composed, in lower case, without accents other than those of å, ä and ö."""
    composed = _composed(text)
    if _WITHOUT_ACCENTS.fullmatch(composed):
        return composed
    return unicodedata.normalize("NFC", "".join(map(_without_accent, composed)))


def as_number(text: str) -> str:
    """An identifier for comparison: letters and digits without separators."""
    return _joined(normalized(text))


def words_and_numbers(texts: Iterable[str], identifiers: Iterable[str] = ()) -> WordsAndNumbers:
    """The words and numbers of texts; each identifier counts as a number too, as a whole."""
    words: set[str] = set()
    numbers = {form for identifier in identifiers for form in forms_of_number(as_number(identifier)) if form}
    for text in map(normalized, texts):
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
                numbers.update(numbers_in(match[0]))
    return WordsAndNumbers(frozenset(words), frozenset(numbers))


def terms_of(question: str) -> list[Term]:
    """The terms of a question in their order; empty without letters and digits."""
    found = list(dict.fromkeys(_terms(normalized(question[:LONGEST_QUESTION]))))
    return found[:_MOST_TERMS]


def forms_of_number(number: str) -> tuple[str, ...]:
    """A number, and for a personal number with a century also the number without it."""
    return (number, number[2:]) if _DATED.fullmatch(number) else (number,)


def numbers_in(composite: str) -> set[str]:
    """The numbers by which parts joined by signs are found: any consecutive parts with a digit among them,
    so that 2026/1031 finds SN-2026/1031-3. One part alone is a word of the text."""
    parts = _WORD.findall(composite)[:_MOST_PARTS]
    joined = {_joined(composite)}
    for start in range(len(parts)):
        joined |= {_joined("".join(parts[start:end])) for end in range(start + 2, len(parts) + 1)}
    return {form for number in joined if _has_digit(number) for form in forms_of_number(number)}


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


def _without_accent(letter: str) -> str:
    """A letter without its accent; å, ä and ö are letters of their own."""
    if letter.isascii() or letter in _KEPT:
        return letter
    decomposed = unicodedata.normalize("NFD", letter)
    return "".join(part for part in decomposed if not unicodedata.combining(part))
