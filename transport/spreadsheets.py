"""Texts in files that a spreadsheet opens."""

import unicodedata
from typing import Final

# What begins a formula, or is taken for one, after Unicode's compatible forms (NFKC) are made plain.
_BEGINS_A_FORMULA: Final = frozenset("=+-@|%\N{MINUS SIGN}")
# Line ends and tabulators of their own may end the cell for whoever reads the file less carefully.
_ENDS_A_CELL: Final = frozenset("\t\r\n\v\f\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}\x85")


def harmless(value: object) -> str:
    """A text that a spreadsheet would take for a formula is made one that it shows.

    Spreadsheets skip white space and unseen characters before a formula, and take full-width signs for plain
    ones.
    """
    text = "" if value is None else str(value)
    seen = next((sign for sign in text if not _is_unseen(sign)), "")
    is_formula = unicodedata.normalize("NFKC", seen)[:1] in _BEGINS_A_FORMULA and seen != ""
    return f"'{text}" if is_formula or text[:1] in _ENDS_A_CELL else text


def _is_unseen(sign: str) -> bool:
    # Spaces and separators, control and format characters, and quotation marks that are taken off.
    return sign.isspace() or unicodedata.category(sign) in {"Cc", "Cf", "Zs", "Zl", "Zp"} or sign == '"'
