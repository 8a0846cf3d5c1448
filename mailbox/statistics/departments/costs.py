"""What a unit's mailboxes and messages cost in a calendar year, by its organisation's price lists.

All amounts are decimal. A yearly price is divided by the days of the year (365 or 366) on which its list
holds. Each mailbox's fee, messages received and messages sent are rounded to whole öre, a half upwards;
everything else is the sum of rounded amounts, so that it adds up. A mailbox is charged its yearly price if it
is open, or if it had messages in the year.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce

from mailbox.models import DailyFigures, FunctionMailbox, PriceList

from . import prices
from .units import Unit, tree_and_mailboxes

_OERE: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Cost:
    """Messages of a year and what they cost, in kronor."""

    arrived: int = 0
    sent: int = 0
    fee: Decimal = Decimal(0)
    received: Decimal = Decimal(0)
    delivered: Decimal = Decimal(0)

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.arrived + other.arrived,
            self.sent + other.sent,
            self.fee + other.fee,
            self.received + other.received,
            self.delivered + other.delivered,
        )

    @property
    def total(self) -> Decimal:
        """The fee, and the messages received and sent."""
        return self.fee + self.received + self.delivered


@dataclass(frozen=True, slots=True)
class CostRow:
    """A mailbox's or department's cost. `path` are the departments that it belongs to, the topmost first."""

    name: str
    address: str
    unit_key: str
    path: tuple[str, ...]
    cost: Cost


@dataclass(frozen=True, slots=True)
class Costs:
    """A unit's costs of a year. `fee` is the organisation's own, None for a department.

    `days_without` are days of the year that no price list has, `messages_without` the messages on them.
    """

    year: int
    parts: list[CostRow]
    mailboxes: list[CostRow]
    fee: Decimal | None
    total: Decimal
    days_without: int
    messages_without: int
    has_prices: bool


@dataclass(frozen=True, slots=True)
class _Window:
    """A price list, and the days of the year that it has."""

    prices: PriceList
    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


def costs_of(unit: Unit, year: int) -> Costs:
    """What a unit costs in a year. The number of queries does not depend on how much there is."""
    first, last = date(year, 1, 1), date(year, 12, 31)
    windows = [
        _Window(row, max(row.begins_on, first), min(row.ends_on or last, last))
        for row in prices.lists_between(unit.participant_id, first, last)
    ]
    days = (last - first).days + 1
    tree, own = tree_and_mailboxes(unit)
    boxes = FunctionMailbox.objects.filter(participant_id=unit.participant_id).order_by("name", "pk")
    if own is not None:
        boxes = boxes.filter(pk__in=own)
    keys = list(boxes.values_list("pk", flat=True))
    messages = _messages(keys, first, last, windows)
    rows: dict[int, CostRow] = {}
    for box in boxes:
        counted = messages.get(box.pk)
        cost = _cost(windows, counted, days, is_charged=box.is_open or counted is not None)
        place = tree.places.get(box.pk)
        path = tuple(each.name for each in tree.path(place)) if place is not None else ()
        rows[box.pk] = CostRow(box.name, box.address, "", path, cost)
    top = unit.department.pk if unit.department is not None else None
    parts = []
    for child in tree.children.get(top, []):
        below = [rows[key].cost for key in tree.mailboxes_below(child.pk) if key in rows]
        path = tuple(each.name for each in tree.path(child.pk)[:-1])
        parts.append(CostRow(child.name, "", str(child.pk), path, sum(below, Cost())))
    parts += [row for key, row in rows.items() if tree.places.get(key) == top]
    fee = (
        None if top is not None else _share([(each.prices.organisation_year, each) for each in windows], days)
    )
    in_windows = sum(_sum(each[1:]) for each in messages.values())
    return Costs(
        year=year,
        parts=parts,
        mailboxes=list(rows.values()),
        fee=fee,
        total=sum((row.cost.total for row in rows.values()), fee or Decimal(0)),
        days_without=days - sum(each.days for each in windows),
        messages_without=sum(_sum(each[:1]) for each in messages.values()) - in_windows,
        has_prices=bool(windows),
    )


# Messages received and sent: of the year, and of the days of each price list.
_Messages = Sequence[tuple[int, int]]


def _messages(
    keys: Sequence[int], first: date, last: date, windows: Sequence[_Window]
) -> dict[int, list[tuple[int, int]]]:
    """By mailbox, in one query; those without messages are missing."""
    spans = [(first, last), *((each.first, each.last) for each in windows)]
    sums = {}
    for number, (begins, ends) in enumerate(spans):
        for column in ("arrived", "sent"):
            within = Q(day__gte=begins, day__lte=ends)
            sums[f"{column}_{number}"] = Coalesce(Sum(column, filter=within), 0)
    rows = DailyFigures.objects.filter(mailbox__in=keys, is_erased=False, day__gte=first, day__lte=last)
    found = {}
    for mailbox, *values in rows.order_by().values_list("mailbox").annotate(**sums):
        if any(values):
            found[mailbox] = list(zip(values[::2], values[1::2], strict=True))
    return found


def _cost(windows: Sequence[_Window], counted: _Messages | None, days: int, *, is_charged: bool) -> Cost:
    in_windows = counted[1:] if counted else [(0, 0)] * len(windows)
    received, delivered = Decimal(0), Decimal(0)
    for window, (arrived, sent) in zip(windows, in_windows, strict=True):
        received += window.prices.message_in * arrived
        delivered += window.prices.message_out * sent
    fee = _share([(each.prices.mailbox_year, each) for each in windows], days) if is_charged else Decimal(0)
    arrived, sent = counted[0] if counted else (0, 0)
    return Cost(arrived, sent, fee, _rounded(received), _rounded(delivered))


def _share(amounts: Sequence[tuple[Decimal, _Window]], days: int) -> Decimal:
    """Of yearly prices what falls on the days of their lists."""
    return _rounded(sum((amount * window.days for amount, window in amounts), Decimal(0)) / days)


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_OERE, ROUND_HALF_UP)


def _sum(messages: _Messages) -> int:
    return sum(arrived + sent for arrived, sent in messages)
