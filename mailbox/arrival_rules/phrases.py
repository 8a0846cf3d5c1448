"""Matching words, names and references as people write them: without regard to case, by Unicode, in time that
grows with the text alone. Nothing that people write is a regular expression."""

import re
import unicodedata
from typing import Final

# Of runs of letters, digits and underscores; it never tries a place twice.
_WORDS: Final = re.compile(r"\w+")
_STAR: Final = "*"


def folded(text: str) -> str:
    """A text as it is compared: composed, without case, spaces around it, or runs of spaces."""
    lower = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", lower).split())


def words_of(text: str) -> str:
    """The words of a text as they are compared: folded, with a space around each."""
    return f" {' '.join(_WORDS.findall(folded(text)))} "


def is_phrase(phrase: str) -> bool:
    """Whether there is a word to look for, and no star but at the beginning and at the end."""
    inner = phrase.strip().removeprefix(_STAR).removesuffix(_STAR)
    return bool(_WORDS.search(folded(inner))) and _STAR not in inner


def needle_of(phrase: str) -> str:
    """What is looked for in `words_of`: whole words beside each other. A star at the end or the beginning
    stands for the rest of the word."""
    stripped = phrase.strip()
    needle = words_of(stripped.strip(_STAR))
    if stripped.startswith(_STAR):
        needle = needle[1:]
    return needle[:-1] if stripped.endswith(_STAR) else needle
