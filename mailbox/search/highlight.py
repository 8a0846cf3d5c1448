"""Marking a question's words in a text, and cutting an excerpt around the first of them."""

import re
from dataclasses import dataclass
from typing import Final

from .hashes import NUMBER, STEM, WORD, token
from .stems import stems_of
from .words import normalized, numbers_in

_AROUND: Final = 110
_MOST_WORDS: Final = 20
LONGEST: Final = 60_000
_PIECE: Final = re.compile(r"[^\W_]+(?:[-+/.:\u2010-\u2015][^\W_]+)*")
_WORD: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of text."""

    text: str
    is_match: bool


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of a text with its matches marked, and the different words that match in the whole text."""

    parts: list[Part]
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int


class Marker:
    """Marks words by their hashes in the index, in one organisation's texts."""

    def __init__(self, key: bytes, matching: frozenset[int]) -> None:
        self._key = key
        self._matching = matching

    def whole(self, text: str) -> list[Part]:
        """A short text as a whole, marked."""
        return _cut(text, self._spans(text), 0, len(text))

    def excerpt(self, texts: list[str]) -> Excerpt:
        """The text around the first match in some texts; without a match the beginning of the first."""
        for text in texts:
            spans = self._spans(text)
            if spans:
                start, end = max(0, spans[0].start - _AROUND), min(len(text), spans[0].end + _AROUND * 2)
                words = tuple(dict.fromkeys(text[span.start : span.end] for span in spans))[:_MOST_WORDS]
                return Excerpt(_framed(_cut(text, spans, start, end), text, start, end), words)
        first = texts[0] if texts else ""
        beginning = [Part(first[: _AROUND * 2], False)] if first else []
        return Excerpt(_framed(beginning, first, 0, _AROUND * 2))

    def has_match(self, text: str) -> bool:
        """Whether anything in the text matches."""
        return bool(self._spans(text))

    def _spans(self, text: str) -> list[_Span]:
        """Where words match; a number is marked as a whole, with its separators."""
        shown = text[:LONGEST]
        pieces = list(_PIECE.finditer(shown))
        words = {normalized(match[0]) for match in _WORD.finditer(shown)}
        stems = stems_of(words)
        known: dict[str, bool] = {word: self._is_match(word, stems.get(word)) for word in words}
        spans: list[_Span] = []
        for piece in pieces:
            if any(map(str.isdigit, piece[0])) and self._is_number(piece[0]):
                spans.append(_Span(piece.start(), piece.end()))
                continue
            spans += [
                _Span(piece.start() + word.start(), piece.start() + word.end())
                for word in _WORD.finditer(piece[0])
                if known[normalized(word[0])]
            ]
        return spans

    def _is_match(self, word: str, stem: str | None) -> bool:
        if token(self._key, WORD, word) in self._matching:
            return True
        return stem is not None and token(self._key, STEM, stem) in self._matching

    def _is_number(self, composite: str) -> bool:
        numbers = numbers_in(normalized(composite))
        return any(token(self._key, NUMBER, number) in self._matching for number in numbers)


def _cut(text: str, spans: list[_Span], start: int, end: int) -> list[Part]:
    parts: list[Part] = []
    at = start
    for span in spans:
        if span.start < at or span.end > end:
            continue
        if span.start > at:
            parts.append(Part(text[at : span.start], False))
        parts.append(Part(text[span.start : span.end], True))
        at = span.end
    if at < end:
        parts.append(Part(text[at:end], False))
    return parts


def _framed(parts: list[Part], text: str, start: int, end: int) -> list[Part]:
    """The parts, with dots where text was left out."""
    before = [Part("… ", False)] if start > 0 else []
    after = [Part(" …", False)] if end < len(text) else []
    return [*before, *parts, *after]
