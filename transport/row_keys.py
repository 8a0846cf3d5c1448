"""Which texts are keys of database rows: one rule for forms, addresses, headers and cookies."""

from typing import Final

LARGEST_KEY: Final = 2**63 - 1
"""The largest value of PostgreSQL's `bigint`, which every primary key is."""

_MOST_DIGITS: Final = len(str(LARGEST_KEY))


def row_key(text: str) -> int | None:
    """The key that a text spells, from 0 to `LARGEST_KEY`; None for any other text.

    Only the digits 0 to 9 count, without sign or white space. A row with that key need not exist.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        return None
    key = int(text)
    return key if key <= LARGEST_KEY else None
