"""Which texts may be names, labels or subjects: one line, without control characters."""

import unicodedata
from typing import Final

# Controls, surrogates, line and paragraph separators; and characters that change the direction of text
# around them.
_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DIRECTION_CHANGES: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_name(text: str) -> bool:
    """Whether a text can stand as a name."""
    return not any(_is_refused(character) for character in text)


def is_text(text: str) -> bool:
    """Whether a text of several lines can be stored and shown."""
    return all(character in "\n\r\t" or not _is_refused(character) for character in text)


def as_one_line(text: str) -> str:
    """A text as one line without control characters, for headers of mail."""
    return " ".join("".join(" " if _is_refused(character) else character for character in text).split())


def _is_refused(character: str) -> bool:
    return unicodedata.category(character) in _CATEGORIES or character in _DIRECTION_CHANGES
