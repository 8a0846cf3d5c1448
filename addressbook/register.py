"""The organisation's own functions as files, and how the federation's address book differs from them.

CSV is for spreadsheets; JSON has the form of the federation's address book (JSON:API).
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final

from django.utils import timezone

from transport.names import is_name, is_text
from transport.spreadsheets import harmless

from .models import FunctionAddress, Organisation, OwnFunction

COLUMNS: Final = ["identifier", "name", "description", "categories", "search_words", "closed", "successor"]
MOST_BYTES: Final = 10 * 1024 * 1024
_LONGEST: Final = {"identifier": 500, "name": 256, "description": 10_000}
_SEPARATOR: Final = "|"
_BREAK: Final = re.compile(r"\s*[\r\n]\s*")


@dataclass(frozen=True, slots=True)
class Entry:
    """A function address in a file."""

    identifier: str
    name: str
    description: str = ""
    categories: tuple[dict[str, str], ...] = ()
    search_words: tuple[str, ...] = ()
    # Only our own files tell this: the federation's address book has open functions only.
    is_closed: bool = False
    closed_on: date | None = None
    successor: str = ""


class FileRefused(Exception):
    """The file cannot be imported; `reason` is a code.

    `row` tells where: the row of a spreadsheet, whose header is row 1; with `is_item` the number of an item
    in a JSON file, from 1; or 0 for the file as a whole.
    """

    def __init__(self, row: int, reason: str, *, is_item: bool = False) -> None:
        super().__init__(f"{row}: {reason}")
        self.row = row
        self.reason = reason
        self.is_item = is_item


@dataclass(slots=True)
class Difference:
    """What has to be changed in the federation's address book so that it equals the register."""

    to_register: list[OwnFunction] = field(default_factory=list)
    # Each with the names of the fields that differ.
    to_change: list[tuple[OwnFunction, FunctionAddress, list[str]]] = field(default_factory=list)
    # Each with its closed function in the register, or None.
    to_remove: list[tuple[FunctionAddress, OwnFunction | None]] = field(default_factory=list)
    same_count: int = 0


def read_file(content: bytes) -> list[Entry]:
    """The entries of a file, which may be CSV or JSON. Raises `FileRefused`."""
    if len(content) > MOST_BYTES:
        raise FileRefused(0, "too-large")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileRefused(0, "not-utf-8") from None
    is_json = text.lstrip().startswith("{")
    entries: dict[str, Entry] = {}
    for row, entry in _from_json(text) if is_json else _from_csv(text):
        if entry.identifier in entries:
            raise FileRefused(row, "twice", is_item=is_json)
        entries[entry.identifier] = entry
    return list(entries.values())


def as_rows(functions: Iterable[OwnFunction]) -> list[list[str]]:
    """The register as rows of `COLUMNS`."""
    return [
        [
            *map(
                _escaped,
                (
                    function.identifier,
                    function.name,
                    function.description,
                    "\n".join(category_text(category) for category in function.categories),
                    "\n".join(function.search_words),
                ),
            ),
            # The day in Swedish time, not in UTC.
            timezone.localdate(function.closed_at).isoformat() if function.closed_at else "",
            _escaped(function.successor.identifier if function.successor else ""),
        ]
        for function in functions
    ]


def as_json_api(functions: Iterable[OwnFunction]) -> dict[str, Any]:
    """The open functions of the register, in the form of the federation's address book."""
    items = [function for function in functions if function.closed_at is None]
    parents = dict(Organisation.objects.values_list("participant_id", "book_id"))
    data = [
        {
            "type": "addresses",
            "id": str(function.pk),
            "attributes": {
                "identifier": function.identifier,
                "name": function.name,
                "description": function.description or None,
                "categories": function.categories,
                "searchWords": function.search_words,
            },
            "relationships": {
                "parent": {
                    "data": {
                        "type": "organizations",
                        "id": parents.get(function.participant_id, function.participant_id),
                    }
                }
            },
        }
        for function in items
    ]
    return {"meta": {"count": len(items)}, "links": {}, "data": data}


def difference(participant_id: str) -> Difference:
    """The difference between the register and the copy of the federation's address book."""
    own = list(OwnFunction.objects.filter(participant_id=participant_id).select_related("successor"))
    published = {
        row.identifier: row
        for row in FunctionAddress.objects.filter(organisation__participant_id=participant_id, gone_at=None)
    }
    found = Difference()
    for function in own:
        published_function = published.pop(function.identifier, None)
        if function.closed_at is not None:
            if published_function is not None:
                found.to_remove.append((published_function, function))
        elif published_function is None:
            found.to_register.append(function)
        elif fields := _differing(function, published_function):
            found.to_change.append((function, published_function, fields))
        else:
            found.same_count += 1
    found.to_remove += [(row, None) for row in published.values()]
    return found


def of_published(
    participant_id: str, identifier: str, name: str, published: FunctionAddress | None
) -> OwnFunction:
    """A new function for the register, not saved, with its values in the federation's address book."""
    if published is None:
        return OwnFunction(participant_id=participant_id, identifier=identifier, name=name)
    return OwnFunction(
        participant_id=participant_id,
        identifier=identifier,
        name=published.name,
        description=published.description,
        categories=[category_of(text) for text in published.categories],
        search_words=list(published.search_words),
    )


def successors_of(participant_id: str, identifier: str) -> list[str]:
    """The identifiers of a closed function's successors, the nearest first; empty for an open function."""
    found: list[str] = []
    function = OwnFunction.objects.filter(participant_id=participant_id, identifier=identifier).first()
    while function is not None and function.closed_at is not None:
        function = function.successor
        if function is None or function.identifier in found:
            break
        found.append(function.identifier)
    return found


def entry_of(identifier: str, name: str, description: str, categories: str, words: str) -> Entry:
    """An entry from texts; categories and search words are one a line. Raises `FileRefused`."""
    return _checked(
        identifier,
        name,
        description,
        [category_of(line) for line in lines_of(categories)],
        lines_of(words),
    )


def category_of(text: str) -> dict[str, str]:
    """A category from text: `code system | code | name`, or a name alone."""
    parts = [part.strip() for part in text.split(_SEPARATOR, 2)]
    if len(parts) == 3:
        return {"system": parts[0][:200], "code": parts[1][:200], "name": parts[2][:256]}
    return {"system": "", "code": "", "name": text.strip()[:256]}


def category_text(category: dict[str, str]) -> str:
    """A category as text that `category_of` reads; a name alone where it has no code."""
    is_alone = not category.get("system") and not category.get("code")
    # A name with two separators would be read as three parts, so it is written as the third of them.
    if is_alone and category["name"].count(_SEPARATOR) < 2:
        return category["name"]
    return f" {_SEPARATOR} ".join(category.get(part, "") for part in ("system", "code", "name"))


def lines_of(text: str) -> list[str]:
    """The lines of a text, without empty ones."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def _escaped(text: str) -> str:
    """Add an apostrophe to a text that `_unescaped` would take one from."""
    return f"'{text}" if text.startswith("'") and _is_marked(text) else text


def _unescaped(cell: str) -> str:
    """The text without the apostrophe that keeps spreadsheets from running it (`transport.spreadsheets`)."""
    return cell[1:] if cell.startswith("'") and _is_marked(cell) else cell


def _is_marked(text: str) -> bool:
    bare = text.lstrip("'")
    return harmless(bare) != bare


def _day(text: str) -> date | None:
    """A day in a file; None for another text, or for a day in the future."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if date(1970, 1, 2) < day <= timezone.localdate() else None


def _differing(own: OwnFunction, published_function: FunctionAddress) -> list[str]:
    pairs = {
        "name": (own.name, published_function.name),
        "description": (" ".join(own.description.split()), " ".join(published_function.description.split())),
        "categories": (
            sorted(item["name"] for item in own.categories),
            sorted(published_function.categories),
        ),
        "search_words": (sorted(own.search_words), sorted(published_function.search_words)),
    }
    return [name for name, (own_value, published_value) in pairs.items() if own_value != published_value]


def _from_csv(text: str) -> Iterator[tuple[int, Entry]]:
    """The rows that are not empty, with their numbers in a spreadsheet.

    A malformed file is refused: an unclosed quotation mark, for example, would swallow the rows after it.
    """
    header = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in header else ",", strict=True)
    columns: list[str] = []
    row = 0
    try:
        for row, cells in enumerate(reader, 1):
            if row == 1:
                columns = [name.strip() for name in cells]
                if not {"identifier", "name"} <= set(columns):
                    break
            elif any(map(str.strip, cells[len(columns) :])):
                raise FileRefused(row, "too-many-cells")
            elif any(map(str.strip, cells)):
                yield row, _from_row(row, dict(zip(columns, map(_unescaped, cells), strict=False)))
    except csv.Error:
        raise FileRefused(row + 1 if columns else 0, "unreadable") from None
    if not {"identifier", "name"} <= set(columns):
        raise FileRefused(0, "columns")


def _from_row(row: int, cells: dict[str, str]) -> Entry:
    try:
        # A name may be broken into lines in its cell.
        name = _BREAK.sub(" ", cells.get("name", ""))
        entry = entry_of(
            cells.get("identifier", ""), name, *(cells.get(column, "") for column in COLUMNS[2:5])
        )
    except FileRefused as refused:
        raise FileRefused(row, refused.reason) from None
    closed = cells.get("closed", "").strip()
    is_closed = bool(closed)
    successor = cells.get("successor", "").strip() if is_closed else ""
    return replace(entry, is_closed=is_closed, closed_on=_day(closed), successor=successor)


def _from_json(text: str) -> Iterator[tuple[int, Entry]]:
    try:
        items = list(json.loads(text)["data"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FileRefused(0, "unreadable") from None
    for number, item in enumerate(items, 1):
        try:
            yield number, _from_item(item["attributes"])
        except (KeyError, TypeError, AttributeError):
            raise FileRefused(number, "unreadable", is_item=True) from None
        except FileRefused as refused:
            raise FileRefused(number, refused.reason, is_item=True) from None


def _from_item(attributes: dict[str, Any]) -> Entry:
    categories = [
        {part: str(item.get(part) or "").strip()[:256] for part in ("system", "code", "name")}
        if isinstance(item, dict)
        else category_of(str(item))
        for item in attributes.get("categories") or ()
    ]
    words = [
        str(item.get("name") if isinstance(item, dict) else item).strip()
        for item in attributes.get("searchWords") or ()
    ]
    return _checked(
        str(attributes.get("identifier") or ""),
        str(attributes.get("name") or ""),
        str(attributes.get("description") or ""),
        categories,
        words,
    )


def _checked(
    identifier: str, name: str, description: str, categories: list[dict[str, str]], words: list[str]
) -> Entry:
    given = {"identifier": identifier.strip(), "name": name.strip(), "description": description.strip()}
    for field_name in ("identifier", "name"):
        if not given[field_name]:
            raise FileRefused(0, f"no-{field_name}")
    for field_name, longest in _LONGEST.items():
        if len(given[field_name]) > longest:
            raise FileRefused(0, f"long-{field_name}")
        if not (is_text if field_name == "description" else is_name)(given[field_name]):
            raise FileRefused(0, f"signs-{field_name}")
    for item in categories:
        # `category_text` writes the three on one line: only the name may contain the separator.
        if not all(map(is_name, item.values())) or _SEPARATOR in item["system"] + item["code"]:
            raise FileRefused(0, "signs-categories")
    if not all(map(is_name, words)):
        raise FileRefused(0, "signs-search_words")
    return Entry(
        given["identifier"],
        given["name"],
        given["description"],
        tuple(item for item in categories if item["name"]),
        tuple(word[:256] for word in words if word),
    )
