"""With which organisations mailboxes exchanged messages in a period."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import Sum

from mailbox.models import CounterpartName, DailyCounterpart

from . import caution
from .periods import Period
from .sums import Exchanged, in_period

ORDERS: Final = ("messages", "name", "arrived", "sent", "not_registered")
_COLUMNS: Final = (
    "arrived",
    "sent",
    "registered",
    "minor",
    "answered",
    "answered_minutes",
    "limits_missed",
)


@dataclass(frozen=True, slots=True)
class Counterpart(Exchanged):
    """What was exchanged with an organisation; without a name it is the sum of those that are not named."""

    name: str
    arrived: int = 0
    sent: int = 0
    registered: int = 0
    minor: int = 0
    answered: int = 0
    answered_minutes: int = 0
    limits_missed: int = 0

    def __add__(self, other: "Counterpart") -> "Counterpart":
        return Counterpart("", *(getattr(self, each) + getattr(other, each) for each in _COLUMNS))

    @property
    def mean(self) -> timedelta | None:
        """How much staffed time passed on average before a message was answered; None where none was."""
        return timedelta(minutes=round(self.answered_minutes / self.answered)) if self.answered else None


@dataclass(frozen=True, slots=True)
class Counterparts:
    """Organisations that are named, in the requested order, and the sum of the others if there are any."""

    named: list[Counterpart]
    others: Counterpart | None


def counterparts_of(mailbox_ids: Collection[int], period: Period) -> Counterparts:
    """The organisations with which mailboxes exchanged messages, most messages first; two queries."""
    rows = in_period(DailyCounterpart.objects.all(), mailbox_ids, period)
    counted = rows.values_list("counterpart").annotate(*(Sum(each) for each in _COLUMNS))
    sums = {key: Counterpart("", *values) for key, *values in counted}
    told = caution.named({key: each.messages for key, each in sums.items()})
    names = dict(CounterpartName.objects.filter(pk__in=told).values_list("pk", "name"))
    named = [
        Counterpart(names.get(key, key), *(getattr(sums[key], each) for each in _COLUMNS)) for key in told
    ]
    others = [each for key, each in sums.items() if key not in told]
    return Counterparts(ordered(named, "messages"), _sum(others))


def ordered(rows: Sequence[Counterpart], order: str) -> list[Counterpart]:
    """In one of `ORDERS`: by name, or the largest number first."""
    if order == "name":
        return sorted(rows, key=lambda each: (each.name.casefold(), -each.messages))
    return sorted(rows, key=lambda each: (-int(getattr(each, order)), each.name.casefold()))


def first(found: Counterparts, most: int) -> Counterparts:
    """The first so many of the named ones in their order, and the others as one sum."""
    rest = found.named[most:]
    return Counterparts(found.named[:most], _sum([*rest, *([found.others] if found.others else [])]))


def _sum(rows: Sequence[Counterpart]) -> Counterpart | None:
    if not rows:
        return None
    total = Counterpart("")
    for each in rows:
        total += each
    return total
