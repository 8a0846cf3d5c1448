"""What a name, a label or a subject may be: one line of text that paints over nothing else."""

import unicodedata
from typing import Final

# Controls, surrogates, line and paragraph separators; and what turns the direction of the text around it.
_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_name(text: str) -> bool:
    """Whether a text can stand as a name."""
    return not any(_is_refused(sign) for sign in text)


def is_text(text: str) -> bool:
    """Whether a text of several lines can be stored and shown."""
    return all(sign in "\n\r\t" or not _is_refused(sign) for sign in text)


def as_one_line(text: str) -> str:
    """A text that was stored before names were looked at, as one line: for mail's headers."""
    return " ".join("".join(" " if _is_refused(sign) else sign for sign in text).split())


def _is_refused(sign: str) -> bool:
    return unicodedata.category(sign) in _CATEGORIES or sign in _TURNING
