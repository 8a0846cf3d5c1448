"""Making texts safe for files that are opened in spreadsheets."""

import unicodedata
from typing import Final

# What begins a formula, after normalisation to NFKC.
_BEGINS_A_FORMULA: Final = frozenset("=+-@|%\N{MINUS SIGN}")
# Line ends and tabulators of their own may end the cell for whoever reads the file less carefully.
_ENDS_A_CELL: Final = frozenset("\t\r\n\v\f\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}\x85")


def harmless(value: object) -> str:
    """Make a text that a spreadsheet would run as a formula one that it shows as text.

    Spreadsheets skip white space and unseen characters before a formula, and take full-width signs for plain
    ones.
    """
    text = "" if value is None else str(value)
    seen = next((sign for sign in text if not _is_unseen(sign)), "")
    is_formula = unicodedata.normalize("NFKC", seen)[:1] in _BEGINS_A_FORMULA and seen != ""
    return f"'{text}" if is_formula or text[:1] in _ENDS_A_CELL else text


def _is_unseen(sign: str) -> bool:
    # Unicode categories that spreadsheets skip before a formula, and quotation marks.
    return sign.isspace() or unicodedata.category(sign) in {"Cc", "Cf", "Zs", "Zl", "Zp"} or sign == '"'
