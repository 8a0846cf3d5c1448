"""One page of the address book's JSON:API, as it came: what is in it, without what cannot be stored."""

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final

_DEEPEST: Final = 32
_LONGEST_NUMBER: Final = 300
# What PostgreSQL stores neither in text nor in JSON.
_NOT_STORED: Final = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


class PageMalformed(Exception):
    """Not a page of JSON:API; the text says what is wrong, never what stands there."""


class TooDeep(Exception):
    """A value that is nested beyond belief."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says: its items, and where the next one is if it says so."""

    data: list[Any]
    next: str


def read_page(content: bytes) -> Page:
    """Read a page; raises `PageMalformed`. Bytes that are no text spoil nothing but their own text."""
    text = content.decode("utf-8-sig", "replace").replace("\0", _REPLACEMENT)
    try:
        page = json.loads(text, parse_int=_whole_number)
    except (ValueError, RecursionError) as error:
        raise PageMalformed(type(error).__name__) from None
    if not isinstance(page, dict) or not isinstance(page.get("data"), list):
        raise PageMalformed("a page without data")
    links = page.get("links")
    following = links.get("next") if isinstance(links, dict) else None
    if isinstance(following, dict):
        following = following.get("href")
    return Page(page["data"], str(following) if following else "")


def mended(value: Any) -> tuple[Any, bool]:
    """A value of JSON without what cannot be stored, and whether there was any. Raises `TooDeep`."""
    found = False

    def mend(part: Any, depth: int) -> Any:
        nonlocal found
        if depth > _DEEPEST:
            raise TooDeep
        if isinstance(part, str):
            text, count = _NOT_STORED.subn(_REPLACEMENT, part)
            found = found or count > 0
            return text
        if isinstance(part, dict):
            return {mend(key, depth): mend(inner, depth + 1) for key, inner in part.items()}
        if isinstance(part, list):
            return [mend(inner, depth + 1) for inner in part]
        if isinstance(part, float) and not math.isfinite(part):
            found = True
            return None
        return part

    return mend(value, 0), found


def _whole_number(digits: str) -> float:
    """Numbers of thousands of digits are no numbers of ours: they are treated as one without end."""
    return int(digits) if len(digits) <= _LONGEST_NUMBER else math.inf
