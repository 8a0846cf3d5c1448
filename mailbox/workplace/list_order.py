"""The orders of a mailbox's list, and its pages by key, so that late pages cost no more than early ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from django.db.models import Q, QuerySet

from mailbox.models import Conversation, Draft

PAGE: Final = 25
_LONGEST_KEY: Final = 19
Row = TypeVar("Row", Conversation, Draft)


class Order(StrEnum):
    """The orders by their names in addresses.

    By a date the nearest comes first; rows without one follow, the latest first.
    """

    LATEST = ""
    OLDEST = "aldst"
    DUE = "klart-senast"
    REMINDER = "paminnelse"
    TIME_LIMIT = "tidsgrans"


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows in order; `after` asks for the next page, empty on the last."""

    rows: Sequence[Row]
    after: str


@dataclass(frozen=True, slots=True)
class _By:
    """The columns of an order: a date, if any, then the latest activity, then the key, so that no two rows
    are equal."""

    at: str
    date: str = ""
    is_latest_first: bool = True

    @property
    def fields(self) -> tuple[str, ...]:
        sign = "-" if self.is_latest_first else ""
        return (*([self.date] if self.date else []), f"{sign}{self.at}", f"{sign}pk")

    def key_of(self, row: Conversation | Draft) -> str:
        values = [getattr(row, field.lstrip("-")) for field in self.fields]
        return "_".join(str(value) if isinstance(value, int) else value.isoformat() for value in values)

    def after(self, values: Sequence[Any]) -> Q:
        """The rows after a key. The condition on the first column is repeated by itself, so that an index
        scan can begin there."""
        further = Q()
        for field, value in reversed(list(zip(self.fields, values, strict=True))):
            name, compares = field.lstrip("-"), "lt" if field.startswith("-") else "gt"
            beyond = Q(**{f"{name}__{compares}": value})
            further = beyond | (Q(**{name: value}) & further) if further else beyond
        return Q(**{f"{name}__{compares}e": value}) & further


_DATES: Final = {Order.DUE: "due_on", Order.REMINDER: "remind_at", Order.TIME_LIMIT: "limit_at"}
# What a page's order needs of conversations.
ORDERED_BY: Final = ("pk", "last_activity_at", *_DATES.values())


def page_in(rows: QuerySet[Row], order: Order, after: str = "", *, at: str = "last_activity_at") -> Page[Row]:
    """A page of the rows in an order; a key that is none asks for the first. `at` is the column that says
    when something happened last."""
    column = _DATES.get(order)
    if column is None:
        by = _By(at, is_latest_first=order is Order.LATEST)
        return _as_page([(by, row) for row in _next(rows, by, _key(by, after))])
    dated, undated = _By(at, column), _By(at)
    with_date, without = (rows.filter(**{f"{column}__isnull": missing}) for missing in (False, True))
    key = _key(undated, after)
    found: list[tuple[_By, Row]] = []
    if key is None:
        found = [(dated, row) for row in _next(with_date, dated, _key(dated, after))]
    if len(found) <= PAGE:
        rest = _next(without, undated, key)[: PAGE + 1 - len(found)]
        found += [(undated, row) for row in rest]
    return _as_page(found)


def first_rows(rows: QuerySet[Row], order: Order, after: str) -> QuerySet[Row]:
    """The rows of a page by latest activity, and one more, as a query that need not be run by itself."""
    by = _By("last_activity_at", is_latest_first=order is Order.LATEST)
    return _next(rows, by, _key(by, after))


def _next(rows: QuerySet[Row], by: _By, key: Sequence[Any] | None) -> QuerySet[Row]:
    """The rows of a page, and one more."""
    further = rows if key is None else rows.filter(by.after(key))
    return further.order_by(*by.fields)[: PAGE + 1]


def _as_page(found: Sequence[tuple[_By, Row]]) -> Page[Row]:
    after = ""
    if len(found) > PAGE:
        by, last = found[PAGE - 1]
        after = by.key_of(last)
    return Page([row for _, row in found[:PAGE]], after)


def _key(by: _By, text: str) -> Sequence[Any] | None:
    """The values of a key; empty where the text is no key of this order."""
    parts = text.split("_")
    if len(parts) != len(by.fields):
        return None
    *moments, identity = parts
    try:
        dates = [date.fromisoformat(moments.pop(0))] if by.date == "due_on" else []
        times = [datetime.fromisoformat(text) for text in moments]
        is_of_ours = all(time.tzinfo for time in times) and len(identity) < _LONGEST_KEY
        return [*dates, *times, int(identity)] if is_of_ours else None
    except ValueError:
        return None
