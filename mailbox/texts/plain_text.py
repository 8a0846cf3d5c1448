"""Plain text from the bytes of a file, in the encodings that people have."""

import codecs
import re
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    # Before UTF-16, whose mark this one begins with.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What a sender may say that a text is in; others are names of transformations, or of what nobody sends.
_KNOWN: Final = frozenset(
    {
        "utf-8",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "iso8859-1",
        "iso8859-15",
        "cp1252",
        "cp437",
        "cp850",
    }
    | {"mac-roman", "ascii", "iso8859-2", "cp1250", "cp1251", "koi8-r"}
)
_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?([\w.:-]+)"?', re.IGNORECASE)
_ELSE: Final = "cp1252"
_LOOKED_AT: Final = 4096
# Of the letters of most languages in UTF-16, half the bytes are zero; in any other text, none is.
_ZEROS: Final = 0.3
_RIGHT_FOR_A_WRONG: Final = 4


def charset_of(content_type: str) -> str:
    """The encoding that a content type names, if it is one that is known; else nothing."""
    named = _CHARSET.search(content_type)
    if named is None:
        return ""
    try:
        name = codecs.lookup(named[1]).name
    except LookupError:
        return ""
    return name if name in _KNOWN else ""


def decoded(content: bytes, charset: str = "", *, is_cut: bool = False) -> str:
    """The text. What its bytes show goes before what is said of them; a character that is cut is left out."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _lenient(content[len(mark) :], encoding, is_cut)
    for encoding in filter(None, (_without_mark(content), "utf-8", charset)):
        try:
            return codecs.getincrementaldecoder(encoding)("strict").decode(content, final=not is_cut)
        except UnicodeDecodeError:
            continue
    text = _lenient(content, "utf-8", is_cut)
    return text if _is_mostly_right(text) else _lenient(content, _ELSE, is_cut)


def up_to_line_end(text: str) -> str:
    """The text without its last line, which may not be whole; a text of one line is cut between words if it
    can be.
    """
    for sign in ("\n", "\r", " "):
        end = text.rfind(sign)
        if end > len(text) // 2:
            return text[: end + 1]
    return text


def _lenient(content: bytes, encoding: str, is_cut: bool) -> str:
    return codecs.getincrementaldecoder(encoding)("replace").decode(content, final=not is_cut)


def _is_mostly_right(text: str) -> bool:
    """Whether a text with wrong bytes is UTF-8 all the same: more of its letters are right by far."""
    wrong = text.count("\N{REPLACEMENT CHARACTER}")
    return wrong * _RIGHT_FOR_A_WRONG < sum(not letter.isascii() for letter in text) - wrong


def _without_mark(content: bytes) -> str:
    """UTF-16 that does not say so: every other byte of most texts is zero."""
    some = content[:_LOOKED_AT]
    for encoding, zeros in (("utf-16-le", some[1::2]), ("utf-16-be", some[0::2])):
        if zeros and zeros.count(0) > _ZEROS * len(zeros) and some.count(0) == zeros.count(0):
            return encoding
    return ""
