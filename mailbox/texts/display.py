"""Text of strangers that stays in its place on a page."""

import re
import sys
import unicodedata
from functools import lru_cache
from typing import Final

# More marks on one letter than any script needs paint over the lines around it.
_MOST_MARKS: Final = 4
# They turn the order in which text is shown: a name of a file then says another suffix than it has.
_DIRECTIONS: Final = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def contained(text: str) -> str:
    """The text with few marks on a letter, and without signs that turn its direction."""
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
