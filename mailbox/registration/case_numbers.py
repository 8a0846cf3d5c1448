"""The form of a mailbox's case numbers: a pattern of fixed text and placeholders, and numbers read by it.

    KS {år}/{nr}[-{nr:2}]

`{år}` is a year of four digits, `{åå}` its last two, `{nr}` up to ten digits, `{nr:N}` exactly N,
`{bokstäver}` and `{bokstäver:N}` letters; what stands in square brackets may be left out. All else stands for
itself. A number is read once for each placeholder, from all places where the one before may have ended: no
pattern is slow.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

LONGEST_PATTERN: Final = 100
LONGEST_NUMBER: Final = 60
_MOST_SIGNS: Final = 10
_PLACEHOLDER: Final = re.compile(r"\{([^\W\d_]+)(?::([1-9][0-9]?))?\}")
# The placeholders by their names in Swedish, and in English.
_NAMES: Final = {
    "år": "year",
    "year": "year",
    "åå": "short-year",
    "yy": "short-year",
    "nr": "digits",
    "number": "digits",
    "bokstäver": "letters",
    "letters": "letters",
}
_CENTURIES: Final = ("19", "20")


class InvalidPattern(Exception):
    """A pattern that cannot be read: `code` tells why, `text` is the part that is wrong."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(code)
        self.code, self.text = code, text


class Mismatch(Exception):
    """A number that has not the form of the pattern. `read` is what was right of it, `expected` the piece
    that should follow, None where nothing should."""

    def __init__(self, read: str, expected: "Piece | None") -> None:
        super().__init__("mismatch")
        self.read, self.expected = read, expected


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a pattern. `kind` is text, year, short-year, digits or letters; of the last two it holds at
    least and at most so many."""

    kind: str
    text: str = ""
    least: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True)
class _Group:
    """Pieces that follow each other, and may be left out together."""

    pieces: tuple[Piece, ...]
    is_optional: bool = False


class _Furthest(NamedTuple):
    position: int
    expected: Piece | None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that has been read."""

    groups: tuple[_Group, ...]

    def read(self, number: str) -> str:
        """The number, with fixed text spelt as the pattern has it. Raises `Mismatch`."""
        furthest = _Furthest(0, None)
        reached: dict[int, str] = {0: ""}
        for group in self.groups:
            after = reached
            for piece in group.pieces:
                after, furthest = _read(piece, number, after, furthest)
            reached = {**after, **reached} if group.is_optional else after
        if len(number) in reached:
            return reached[len(number)]
        end = max(reached, default=-1)
        if end >= furthest.position:
            raise Mismatch(number[:end], None)
        raise Mismatch(number[: furthest.position], furthest.expected)

    def examples(self, day: date) -> list[str]:
        """Numbers of this form, as they could be on that day: without what may be left out, and with it."""
        always = [group for group in self.groups if not group.is_optional]
        numbers = [
            "".join(_example(piece, day) for group in groups for piece in group.pieces)
            for groups in (always, self.groups)
        ]
        return list(dict.fromkeys(numbers))


def parse(text: str) -> Pattern:
    """The pattern that a text describes. Raises `InvalidPattern`."""
    groups: list[_Group] = []
    rest = text
    while rest:
        begins = rest.find("[")
        plain = rest if begins < 0 else rest[:begins]
        if "]" in plain:
            raise InvalidPattern("bracket", "]")
        if plain:
            groups.append(_Group(tuple(_pieces(plain))))
        if begins < 0:
            break
        inner, bracket, rest = rest[begins + 1 :].partition("]")
        if not bracket:
            raise InvalidPattern("bracket", "[")
        if "[" in inner:
            raise InvalidPattern("nested", "[")
        if inner:
            groups.append(_Group(tuple(_pieces(inner)), is_optional=True))
    always = [piece for group in groups if not group.is_optional for piece in group.pieces]
    if not any(piece.kind == "digits" for piece in always):
        raise InvalidPattern("no-number")
    pattern = Pattern(tuple(groups))
    if any(len(number) > LONGEST_NUMBER for number in pattern.examples(date(2000, 1, 1))):
        raise InvalidPattern("long")
    return pattern


def _pieces(text: str) -> list[Piece]:
    pieces: list[Piece] = []
    position = 0
    for match in _PLACEHOLDER.finditer(text):
        pieces += _fixed(text[position : match.start()])
        pieces.append(_placeholder(match[0], match[1], match[2]))
        position = match.end()
    return pieces + _fixed(text[position:])


def _fixed(text: str) -> list[Piece]:
    for sign in "{}":
        if sign in text:
            begins = text.find(sign)
            raise InvalidPattern("placeholder", text[begins : begins + 20])
    return [Piece("text", text)] if text else []


def _placeholder(text: str, name: str, count: str | None) -> Piece:
    kind = _NAMES.get(name.lower())
    if kind is None or (count and kind not in {"digits", "letters"}):
        raise InvalidPattern("placeholder", text)
    if kind in {"year", "short-year"}:
        return Piece(kind)
    if count and int(count) > _MOST_SIGNS:
        raise InvalidPattern("count", text)
    return Piece(kind, least=int(count or 1), most=int(count or _MOST_SIGNS))


def _read(
    piece: Piece, number: str, places: Mapping[int, str], furthest: _Furthest
) -> tuple[dict[int, str], _Furthest]:
    """Where the piece may end when it begins at each of the places, with what has been read until there; and
    how far the number was right."""
    after: dict[int, str] = {}
    for position, read in places.items():
        right, ends = _ends(piece, number, position)
        for end in ends:
            text = piece.text if piece.kind == "text" else number[position:end]
            after.setdefault(end, read + text)
        if not ends and position + right >= furthest.position:
            furthest = _Furthest(position + right, piece)
    return after, furthest


def _ends(piece: Piece, number: str, position: int) -> tuple[int, list[int]]:
    """How many signs from the position are right, and where the piece may end."""
    if piece.kind == "text":
        right = 0
        for wanted, given in zip(piece.text, number[position:], strict=False):
            if wanted.lower() != given.lower():
                break
            right += 1
        return right, [position + right] if right == len(piece.text) else []
    if piece.kind in {"year", "short-year"}:
        length = 4 if piece.kind == "year" else 2
        given = number[position : position + length]
        right = _count(given, piece.kind)
        is_year = right == length and (length == 2 or given.startswith(_CENTURIES))
        return (right if right < length else 0), [position + length] if is_year else []
    right = _count(number[position : position + piece.most], piece.kind)
    return right, [position + count for count in range(piece.least, right + 1)]


def _count(text: str, kind: str) -> int:
    """How many signs at the beginning are letters, or ASCII digits."""
    right = 0
    for sign in text:
        if not (sign.isalpha() if kind == "letters" else sign.isascii() and sign.isdigit()):
            break
        right += 1
    return right


def _example(piece: Piece, day: date) -> str:
    if piece.kind == "text":
        return piece.text
    if piece.kind == "year":
        return f"{day.year:04d}"
    if piece.kind == "short-year":
        return f"{day.year % 100:02d}"
    signs = "ABCDEFGHIJ" if piece.kind == "letters" else "1234567890"
    return signs[: piece.least if piece.least == piece.most else 3]
