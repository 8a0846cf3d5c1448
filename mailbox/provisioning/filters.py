"""What a list is asked for: filter, page and attributes (RFC 7644 3.4.2, 3.9)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.http import QueryDict

from .attributes import DISPLAY_NAME, EXTERNAL_ID, USER_NAME, text_of, without_schema
from .problems import Refused, invalid_value

MOST_RESULTS: Final = 200
_USUAL_RESULTS: Final = 100
_LONGEST_FILTER: Final = 4_000
_NUMBER: Final = re.compile(r"\A[+-]?[0-9]{1,9}\Z")
_COMPARISON: Final = re.compile(
    r'\s*([A-Za-z][\w.:-]*)\s+eq\s+("(?:[^"\\\x00-\x1f]|\\.)*")\s*', re.IGNORECASE
)
_AND: Final = re.compile(r"and\s", re.IGNORECASE)
_USER_COLUMNS: Final = {
    USER_NAME: "user_name_hash",
    EXTERNAL_ID: "external_id_hash",
    DISPLAY_NAME: "display_name_hash",
}
_GROUP_COLUMNS: Final = {EXTERNAL_ID: "external_id_hash", DISPLAY_NAME: "display_name_hash"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A page of a list. `conditions` are (attribute, column, value); `first` counts from 1."""

    conditions: tuple[tuple[str, str, str], ...]
    first: int
    count: int


def list_of(query: QueryDict, *, is_user: bool) -> Asked:
    """The page of a list that a query asks for. Raises `Refused`."""
    columns = _USER_COLUMNS if is_user else _GROUP_COLUMNS
    return Asked(
        conditions=_conditions(query.get("filter", ""), columns),
        first=max(1, _number(query.get("startIndex", "1"))),
        count=min(MOST_RESULTS, max(0, _number(query.get("count", str(_USUAL_RESULTS))))),
    )


def only_asked(resource: dict[str, Any], query: QueryDict) -> dict[str, Any]:
    """The resource with `attributes`, or without `excludedAttributes`; ids and schemas always stay."""
    wanted, excluded = _names(query.get("attributes", "")), _names(query.get("excludedAttributes", ""))
    always = {"id", "schemas", "meta"}
    if wanted:
        return {name: value for name, value in resource.items() if name.lower() in wanted | always}
    return {name: value for name, value in resource.items() if name.lower() not in excluded or name in always}


def wants_attribute(query: QueryDict, name: str) -> bool:
    """Whether the attribute is to be in the response."""
    return name in only_asked({name: None}, query)


def _names(text: str) -> set[str]:
    """Lower-case names of whole attributes: of a part, such as `name.familyName`, the attribute."""
    names = (without_schema(part.strip().lower()) for part in text.split(","))
    return {name.split(".")[0] for name in names if name}


def _conditions(text: str, columns: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    if not text:
        return ()
    if len(text) > _LONGEST_FILTER:
        raise _invalid_filter()
    by_lower_case = {name.lower(): name for name in columns}
    conditions, position = [], 0
    while True:
        comparison = _COMPARISON.match(text, position)
        if comparison is None:
            raise _invalid_filter()
        name = by_lower_case.get(without_schema(comparison[1].lower()))
        if name is None:
            raise _invalid_filter()
        conditions.append((name, columns[name], _quoted_value(comparison[2])))
        position = comparison.end()
        if position == len(text):
            return tuple(conditions)
        joined = _AND.match(text, position)
        if joined is None:
            raise _invalid_filter()
        position = joined.end()


def _quoted_value(text: str) -> str:
    try:
        return text_of(json.loads(text))
    except (ValueError, Refused):
        raise _invalid_filter() from None


def _invalid_filter() -> Refused:
    return Refused(
        "Filters are userName, externalId or displayName eq a text, joined by and.", scim_type="invalidFilter"
    )


def _number(text: str) -> int:
    if not _NUMBER.match(text):
        raise invalid_value("startIndex and count are whole numbers.")
    return int(text)
