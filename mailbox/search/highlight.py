"""Where in a message a question's words stand: the text around the first of them, marked."""

import re
from dataclasses import dataclass
from typing import Final

from .hashes import NUMBER, ROOT, WORD, token
from .roots import roots_of
from .words import forms_of_number, normal

_AROUND: Final = 110
LONGEST: Final = 60_000
_PIECE: Final = re.compile(r"[^\W_]+(?:[-+/.:\u2010-\u2015][^\W_]+)*")
_WORD: Final = re.compile(r"[^\W_]+")
_NOT_ALPHANUMERIC: Final = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of text."""

    text: str
    is_match: bool


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int


class Marker:
    """Marks what an index's hashes stand for, in one organisation's texts."""

    def __init__(self, key: bytes, matching: frozenset[int]) -> None:
        self._key = key
        self._matching = matching

    def whole(self, text: str) -> list[Part]:
        """All of a short text, marked."""
        return _cut(text, self._spans(text), 0, len(text))

    def excerpt(self, texts: list[str]) -> list[Part]:
        """The surroundings of the first match in some texts; where there is none, the beginning."""
        for text in texts:
            spans = self._spans(text)
            if spans:
                start, end = max(0, spans[0].start - _AROUND), min(len(text), spans[0].end + _AROUND * 2)
                return _framed(_cut(text, spans, start, end), text, start, end)
        first = texts[0] if texts else ""
        return _framed([Part(first[: _AROUND * 2], False)] if first else [], first, 0, _AROUND * 2)

    def has_match(self, text: str) -> bool:
        return bool(self._spans(text))

    def _spans(self, text: str) -> list[_Span]:
        """What matches; a number is marked whole, with the signs in it."""
        shown = text[:LONGEST]
        pieces = list(_PIECE.finditer(shown))
        words = {normal(match[0]) for match in _WORD.finditer(shown)}
        roots = roots_of(words)
        known: dict[str, bool] = {word: self._is_match(word, roots.get(word)) for word in words}
        spans: list[_Span] = []
        for piece in pieces:
            joined = _NOT_ALPHANUMERIC.sub("", normal(piece[0]))
            if any(map(str.isdigit, joined)) and self._is_number(joined):
                spans.append(_Span(piece.start(), piece.end()))
                continue
            spans += [
                _Span(piece.start() + word.start(), piece.start() + word.end())
                for word in _WORD.finditer(piece[0])
                if known[normal(word[0])]
            ]
        return spans

    def _is_match(self, word: str, root: str | None) -> bool:
        if token(self._key, WORD, word) in self._matching:
            return True
        return root is not None and token(self._key, ROOT, root) in self._matching

    def _is_number(self, joined: str) -> bool:
        return any(token(self._key, NUMBER, form) in self._matching for form in forms_of_number(joined))


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
    """With dots where text has been left out."""
    before = [Part("… ", False)] if start > 0 else []
    after = [Part(" …", False)] if end < len(text) else []
    return [*before, *parts, *after]
