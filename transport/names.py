"""Which texts may be names, labels or subjects: one line, without control characters.

And what is left of a stranger's text that is to be shown as one.
"""

import re
import sys
import unicodedata
from functools import lru_cache
from typing import Final

# Controls, surrogates, line and paragraph separators; and characters that change the direction of text
# around them.
_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DIRECTION_CHANGES: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_DIRECTIONS: Final = dict.fromkeys(map(ord, _DIRECTION_CHANGES))
# More marks on one letter than any script needs paint over the lines around it.
_MOST_MARKS: Final = 4


def is_name(text: str) -> bool:
    """Whether a text can stand as a name."""
    return not any(_is_refused(character) for character in text)


def is_text(text: str) -> bool:
    """Whether a text of several lines can be stored and shown."""
    return all(character in "\n\r\t" or not _is_refused(character) for character in text)


def as_one_line(text: str) -> str:
    """A text as one line without control characters, for headers of mail and for names of strangers."""
    plain = "".join(" " if _is_refused(character) else character for character in contained(text))
    return " ".join(plain.split())


def contained(text: str) -> str:
    """The text with few marks on a letter, and without signs that turn its direction: it stays in its place
    on a page."""
    if text.isascii():
        return text
    return _too_many_marks().sub(r"\1", text.translate(_DIRECTIONS))


@lru_cache(maxsize=1)
def _too_many_marks() -> re.Pattern[str]:
    """A run of marks that is too long; its beginning is the first group."""
    ranges: list[list[int]] = []
    for code in range(0x300, sys.maxunicode + 1):
        if unicodedata.category(chr(code)) in {"Mn", "Me"}:
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    marks = "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in ranges)
    return re.compile(f"([{marks}]{{{_MOST_MARKS}}})[{marks}]+")


def _is_refused(character: str) -> bool:
    return unicodedata.category(character) in _CATEGORIES or character in _DIRECTION_CHANGES
