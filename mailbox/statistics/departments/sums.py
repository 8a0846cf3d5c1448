"""Adding up the sums of days: of mailboxes, of steps, of counterparts."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import TypeVar

from django.db.models import QuerySet, Sum
from django.db.models.functions import Trunc

from mailbox.daily_figures.steps import BEYOND, BOUNDS, STEPS
from mailbox.models import DailyCounterpart, DailyFigures, DailyWait
from mailbox.statistics.figures import LimitsKept
from mailbox.statistics.figures import Period as Bars

from .periods import Period

_Day = TypeVar("_Day", DailyCounterpart, DailyFigures, DailyWait)


class Exchanged:
    """What every sum of messages tells: how many there were, and how many of them are not registered."""

    __slots__ = ()
    arrived: int
    sent: int
    registered: int
    minor: int

    @property
    def messages(self) -> int:
        """Messages received and sent."""
        return self.arrived + self.sent

    @property
    def not_registered(self) -> int:
        """Messages that are neither registered nor of minor importance."""
        return max(self.messages - self.registered - self.minor, 0)


@dataclass(frozen=True, slots=True)
class Sums(Exchanged):
    """Messages of a period, and the time limits that began in it."""

    arrived: int = 0
    sent: int = 0
    receipts_missing: int = 0
    registered: int = 0
    minor: int = 0
    opened_met: int = 0
    opened_missed: int = 0
    answered_met: int = 0
    answered_missed: int = 0
    done_met: int = 0
    done_missed: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(getattr(self, each) + getattr(other, each) for each in _COLUMNS))

    @property
    def limits(self) -> tuple[LimitsKept, LimitsKept, LimitsKept]:
        """Time limits met and missed: opened, answered, done."""
        return (
            LimitsKept(self.opened_met, self.opened_missed),
            LimitsKept(self.answered_met, self.answered_missed),
            LimitsKept(self.done_met, self.done_missed),
        )

    @property
    def missed(self) -> int:
        """Time limits that were missed."""
        return sum(each.missed for each in self.limits)

    @property
    def limits_ended(self) -> int:
        """Time limits that were met or missed."""
        return self.missed + sum(each.met for each in self.limits)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was counted."""
        return not any(getattr(self, each) for each in _COLUMNS)


@dataclass(frozen=True, slots=True)
class Reached:
    """How many messages reached a step, and within how many staffed hours half and nine of ten of them did;
    `BEYOND` where it was more than the largest bound, None where none did."""

    count: int = 0
    half: int | None = None
    most: int | None = None


Waits = Mapping[str, Mapping[int, int]]
_COLUMNS = tuple(each.name for each in fields(Sums))


def sums_by_mailbox(mailbox_ids: Collection[int], period: Period) -> dict[int, Sums]:
    """The sums of mailboxes over a period, in one query; those without any are missing."""
    rows = in_period(DailyFigures.objects.all(), mailbox_ids, period).values_list("mailbox")
    return {key: Sums(*sums) for key, *sums in rows.annotate(*(Sum(each) for each in _COLUMNS))}


def waits_by_mailbox(mailbox_ids: Collection[int], period: Period) -> dict[int, dict[str, Counter[int]]]:
    """By mailbox and step: how many messages that arrived in the period reached it, by bound; one query."""
    rows = in_period(DailyWait.objects.all(), mailbox_ids, period)
    found: dict[int, dict[str, Counter[int]]] = {}
    counted = rows.values_list("mailbox", "step", "within_hours").annotate(Sum("count"))
    for mailbox, step, within, count in counted:
        found.setdefault(mailbox, {}).setdefault(step, Counter())[within] += count
    return found


def reached(waits: Iterable[Waits]) -> tuple[Reached, ...]:
    """What several mailboxes' messages reached together, in the order of `STEPS`."""
    together: dict[str, Counter[int]] = {step: Counter() for step in STEPS}
    for each in waits:
        for step, bounds in each.items():
            together[step].update(bounds)
    return tuple(_reached(together[step]) for step in STEPS)


def bars_of(mailbox_ids: Collection[int], period: Period, length: str, begins: Iterable[date]) -> list[Bars]:
    """What mailboxes received and sent in each day, week or month that begins on one of these days."""
    counted = (
        in_period(DailyFigures.objects.all(), mailbox_ids, period)
        .annotate(begins=Trunc("day", length))
        .values_list("begins")
        .annotate(Sum("arrived"), Sum("sent"))
    )
    by_begin = {each: (arrived, sent) for each, arrived, sent in counted}
    return [Bars(each, *by_begin.get(each, (0, 0))) for each in begins]


def _reached(bounds: Counter[int]) -> Reached:
    count = bounds.total()
    return Reached(count, _bound(bounds, count, 1, 2), _bound(bounds, count, 9, 10)) if count else Reached()


def _bound(bounds: Counter[int], count: int, numerator: int, denominator: int) -> int:
    """The smallest bound within which so many of the messages reached the step."""
    within = 0
    for bound in BOUNDS:
        within += bounds[bound]
        if within * denominator >= count * numerator:
            return bound
    return BEYOND


def in_period(
    rows: QuerySet[_Day, _Day], mailbox_ids: Collection[int], period: Period
) -> QuerySet[_Day, _Day]:
    """Of the sums of days, those of mailboxes in a period, in no order."""
    chosen = rows.filter(
        mailbox__in=mailbox_ids, is_erased=False, day__gte=period.begins, day__lt=period.ends
    )
    return chosen.order_by()
