"""The organisation's own function addresses as files, and what the federation's address book lacks of them.

CSV is for spreadsheets; JSON has the JSON:API form in which the federation gives its address book.
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
    """A function address as a file tells it."""

    identifier: str
    name: str
    description: str = ""
    categories: tuple[dict[str, str], ...] = ()
    search_words: tuple[str, ...] = ()
    # Only a file of this register's own form tells: the federation's address book has what is open.
    is_closed: bool = False
    closed_on: date | None = None
    successor: str = ""


class FileRefused(Exception):
    """The file is not of its form; `reason` is a code.

    `row` is where: a spreadsheet's row, the header being 1, or the place among a JSON file's items
    (`is_item`), from 1; 0 for the file as a whole.
    """

    def __init__(self, row: int, reason: str, *, is_item: bool = False) -> None:
        super().__init__(f"{row}: {reason}")
        self.row = row
        self.reason = reason
        self.is_item = is_item


@dataclass(slots=True)
class Difference:
    """What has to be done in the federation's address book for it to say what the register says."""

    to_register: list[OwnFunction] = field(default_factory=list)
    # With the fields that differ.
    to_change: list[tuple[OwnFunction, FunctionAddress, list[str]]] = field(default_factory=list)
    # With what the register has of it: closed, or nothing.
    to_remove: list[tuple[FunctionAddress, OwnFunction | None]] = field(default_factory=list)
    same_count: int = 0


def read_file(content: bytes) -> list[Entry]:
    """The entries of a CSV or JSON file, whichever it is. Raises `FileRefused`."""
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
            # The day in Sweden, not UTC's.
            timezone.localdate(function.closed_at).isoformat() if function.closed_at else "",
            _escaped(function.successor.identifier if function.successor else ""),
        ]
        for function in functions
    ]


def as_json_api(functions: Iterable[OwnFunction]) -> dict[str, Any]:
    """The register in the form in which the federation's address book has its addresses: the open ones."""
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
    """Between the register and the copy of the federation's address book."""
    own = list(OwnFunction.objects.filter(participant_id=participant_id).select_related("successor"))
    published = {
        row.identifier: row
        for row in FunctionAddress.objects.filter(organisation__participant_id=participant_id, gone_at=None)
    }
    found = Difference()
    for function in own:
        theirs = published.pop(function.identifier, None)
        if function.closed_at is not None:
            if theirs is not None:
                found.to_remove.append((theirs, function))
        elif theirs is None:
            found.to_register.append(function)
        elif fields := _differing(function, theirs):
            found.to_change.append((function, theirs, fields))
        else:
            found.same_count += 1
    found.to_remove += [(row, None) for row in published.values()]
    return found


def of_published(
    participant_id: str, identifier: str, name: str, published: FunctionAddress | None
) -> OwnFunction:
    """An entry of the register, not saved yet: as the federation's address book has it, where it does."""
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
    """The identifiers of what succeeded a closed function, the nearest first; empty where it is open."""
    found: list[str] = []
    function = OwnFunction.objects.filter(participant_id=participant_id, identifier=identifier).first()
    while function is not None and function.closed_at is not None:
        function = function.successor
        if function is None or function.identifier in found:
            break
        found.append(function.identifier)
    return found


def entry_of(identifier: str, name: str, description: str, categories: str, words: str) -> Entry:
    """An entry from texts in which categories and search words stand a line each. Raises `FileRefused`."""
    return _checked(
        identifier,
        name,
        description,
        [category_of(line) for line in lines_of(categories)],
        lines_of(words),
    )


def category_of(text: str) -> dict[str, str]:
    """`code system | code | name`, or a name alone."""
    parts = [part.strip() for part in text.split(_SEPARATOR, 2)]
    if len(parts) == 3:
        return {"system": parts[0][:200], "code": parts[1][:200], "name": parts[2][:256]}
    return {"system": "", "code": "", "name": text.strip()[:256]}


def category_text(category: dict[str, str]) -> str:
    """A category as `category_of` reads it: its name alone where it has no code."""
    is_alone = not category.get("system") and not category.get("code")
    # A name that could be read as all three stands as the third.
    if is_alone and category["name"].count(_SEPARATOR) < 2:
        return category["name"]
    return f" {_SEPARATOR} ".join(category.get(part, "") for part in ("system", "code", "name"))


def lines_of(text: str) -> list[str]:
    """What stands on each line, without empty ones."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def _escaped(text: str) -> str:
    """A text that looks as if the sheet had made it harmless gets one more apostrophe, so that taking one
    away again gives what was written."""
    return f"'{text}" if text.startswith("'") and _is_marked(text) else text


def _unescaped(cell: str) -> str:
    """The text without the apostrophe by which the sheet made it harmless (`transport.spreadsheets`)."""
    return cell[1:] if cell.startswith("'") and _is_marked(cell) else cell


def _is_marked(text: str) -> bool:
    bare = text.lstrip("'")
    return harmless(bare) != bare


def _day(text: str) -> date | None:
    """The day that a file tells; None where it tells something else, or a day to come."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if date(1970, 1, 2) < day <= timezone.localdate() else None


def _differing(own: OwnFunction, theirs: FunctionAddress) -> list[str]:
    pairs = {
        "name": (own.name, theirs.name),
        "description": (" ".join(own.description.split()), " ".join(theirs.description.split())),
        "categories": (sorted(item["name"] for item in own.categories), sorted(theirs.categories)),
        "search_words": (sorted(own.search_words), sorted(theirs.search_words)),
    }
    return [name for name, (ours, published) in pairs.items() if ours != published]


def _from_csv(text: str) -> Iterator[tuple[int, Entry]]:
    """Each row that holds something, by its number in a spreadsheet. What is not understood is refused rather
    than passed over: a quote that nothing ends would swallow the rows below it."""
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
        # A name that somebody has broken in a cell is one line all the same.
        name = _BREAK.sub(" ", cells.get("name", ""))
        entry = entry_of(cells.get("identifier", ""), name, *(cells.get(each, "") for each in COLUMNS[2:5]))
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
        # Three texts on a line, with a sign between them that the name alone may have.
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
