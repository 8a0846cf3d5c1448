"""One page of the address book's JSON:API, read as it comes and no further than it may be long."""

import codecs
import math
import re
from collections.abc import Generator
from decimal import Decimal
from typing import Any, Final, Protocol

from ijson.backends import python as ijson
from ijson.common import JSONError, ObjectBuilder

_DEEPEST: Final = 32
_BEGINNINGS: Final = frozenset({"start_map", "start_array"})
_ENDS: Final = frozenset({"end_map", "end_array"})
# What PostgreSQL stores neither in text nor in JSON.
_NOT_STORED: Final = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


class PageMalformed(Exception):
    """Not a page of JSON:API; the text says what is wrong, never what stands there."""


class Readable(Protocol):
    """What gives bytes."""

    def read(self, size: int = ...) -> bytes: ...


def read_page(source: Readable) -> Generator[Any, None, Any]:
    """The items of `data`, one by one; the generator's value is `links`.

    Raises `PageMalformed`, and what reading the source raises.
    """
    links: Any = None
    has_data = False
    section, depth = "", 0
    builder: ObjectBuilder | None = None
    try:
        # The back end that gives half a surrogate as it is: the one in C silently writes a question mark.
        for event, value in ijson.basic_parse(_WellFormed(source)):
            depth += event in _BEGINNINGS
            if depth > _DEEPEST:
                raise PageMalformed("nested too deep")
            if depth == 1 and event == "map_key":
                section = value
            outer = {"data": 2, "links": 1}.get(section, 0)
            is_array = event == "start_array" and depth == outer
            if section == "data" and is_array:
                has_data = True
            elif outer and (builder is not None or depth > outer or (depth == outer and _is_scalar(event))):
                builder = builder or ObjectBuilder()
                builder.event(event, value)
            depth -= event in _ENDS
            if builder is not None and depth == outer:
                if section == "data":
                    yield builder.value
                else:
                    links = builder.value
                builder = None
    except (JSONError, UnicodeError, ValueError, ArithmeticError) as error:
        raise PageMalformed(type(error).__name__) from None
    if not has_data:
        raise PageMalformed("a page without data")
    return links


def mended(value: Any) -> tuple[Any, bool]:
    """A value of JSON without what cannot be stored, and whether there was any."""
    found = False

    def mend(part: Any) -> Any:
        nonlocal found
        if isinstance(part, str):
            text, count = _NOT_STORED.subn(_REPLACEMENT, part)
            found = found or count > 0
            return text
        if isinstance(part, dict):
            return {mend(key): mend(inner) for key, inner in part.items()}
        if isinstance(part, list):
            return [mend(inner) for inner in part]
        if isinstance(part, Decimal):
            number = float(part)
            found = found or not math.isfinite(number)
            return number if math.isfinite(number) else None
        return part

    return mend(value), found


def _is_scalar(event: str) -> bool:
    return event not in _BEGINNINGS and event not in _ENDS and event != "map_key"


class _WellFormed:
    """The source as UTF-8 without NUL, so that a fault in one text does not spoil the page."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")

    def read(self, size: int = -1) -> bytes:
        if size == 0:
            return b""
        while True:
            data = self._source.read(size) if size > 0 else self._source.read()
            text = self._decoder.decode(data, final=not data).replace("\0", _REPLACEMENT)
            if text or not data:
                return text.encode()
