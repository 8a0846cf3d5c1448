"""The figures of a unit over a period: as a whole, of its parts, and beside the period before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.db.models import Count, Min

from mailbox.models import FunctionMailbox
from mailbox.statistics.figures import Period as Bars

from . import caution
from .periods import MONTH, YEAR, Period
from .sums import Reached, Sums, Waits, bars_of, reached, sums_by_mailbox, waits_by_mailbox
from .units import Unit, tree_and_mailboxes

_MOST_BARS: Final = 62
NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """A part of a unit, or all of it: its figures, and those of the period before.

    `unit_key` is what an address names it by, if it is a department. Without `tells_times` nothing is told of
    how long messages waited and whether limits were missed.
    """

    name: str
    unit_key: str
    is_closed: bool
    sums: Sums
    before: Sums
    reached: tuple[Reached, ...]
    tells_times: bool


@dataclass(frozen=True, slots=True)
class Report:
    """A unit's figures. `without` are the parts that belong to no department."""

    total: Row
    departments: list[Row]
    mailboxes: list[Row]
    without: list[Row]
    bars: list[Bars]
    length: str
    counted_at: datetime | None

    @property
    def parts(self) -> list[Row]:
        """All parts, which together are the total."""
        return [*self.departments, *self.mailboxes, *self.without]


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    unit_key: str
    is_closed: bool
    mailboxes: Sequence[int]


def report_of(unit: Unit, period: Period) -> Report:
    """The figures of a unit. The number of queries does not depend on how much there is."""
    tree, own = tree_and_mailboxes(unit)
    rows = FunctionMailbox.objects.filter(participant_id=unit.participant_id).order_by("name", "pk")
    boxes = {box.pk: box for box in (rows if own is None else rows.filter(pk__in=own))}
    top = unit.department.pk if unit.department is not None else None
    by_department: dict[int, list[int]] = {}
    for child in tree.children.get(top, []):
        by_department[child.pk] = [key for key in tree.mailboxes_below(child.pk) if key in boxes]
    children = [
        _Part(child.name, str(child.pk), is_closed=False, mailboxes=by_department[child.pk])
        for child in tree.children.get(top, [])
    ]
    direct = [box for key, box in boxes.items() if tree.places.get(key) == top]
    parts = [_Part(box.name, "", not box.is_open, [box.pk]) for box in direct]
    table = _Table(unit, period, list(boxes))
    tells = table.all_tell([each.mailboxes for each in [*children, *parts]])
    shown = [table.row(each, tells_times=tells) for each in parts]
    whole = _Part(unit.name, unit.key, is_closed=False, mailboxes=list(boxes))
    length, begins = _steps(period)
    return Report(
        total=table.row(whole, tells_times=table.all_tell([whole.mailboxes])),
        departments=[table.row(each, tells_times=tells) for each in children],
        mailboxes=shown if top is not None else [],
        without=shown if top is None else [],
        bars=bars_of(list(boxes), period, length, begins),
        length=length,
        counted_at=counted_at(own, unit.participant_id),
    )


def counted_at(mailbox_ids: Sequence[int] | None, participant_id: str) -> datetime | None:
    """Since when the figures of all these mailboxes of an organisation, or of all it has, have been counted;
    `NEVER` where one was not, None where there are no mailboxes."""
    rows = FunctionMailbox.objects.filter(participant_id=participant_id)
    if mailbox_ids is not None:
        rows = rows.filter(pk__in=mailbox_ids)
    found = rows.aggregate(
        all=Count("pk"), counted=Count("figures_count"), oldest=Min("figures_count__counted_at")
    )
    if not found["all"]:
        return None
    oldest: datetime | None = found["oldest"] if found["all"] == found["counted"] else NEVER
    return oldest


class _Table:
    """The sums of a unit's mailboxes, from which its rows are added up."""

    def __init__(self, unit: Unit, period: Period, mailbox_ids: Sequence[int]) -> None:
        self._is_open = unit.is_open
        self._sums = sums_by_mailbox(mailbox_ids, period)
        self._before = sums_by_mailbox(mailbox_ids, period.before)
        self._waits: Mapping[int, Waits] = waits_by_mailbox(mailbox_ids, period)
        self._workers = {} if unit.is_open else caution.workers_of(mailbox_ids)

    def all_tell(self, groups: Sequence[Sequence[int]]) -> bool:
        """Whether enough people work in each of these groups of mailboxes in which anything was counted."""
        if self._is_open:
            return True
        counted = [[key for key in group if key in self._sums or key in self._waits] for group in groups]
        return all(
            caution.are_enough([self._workers.get(key, set()) for key in group]) for group in counted if group
        )

    def row(self, part: _Part, *, tells_times: bool) -> Row:
        """The figures of some of the mailboxes together."""
        return Row(
            part.name,
            part.unit_key,
            part.is_closed,
            sum((self._sums.get(key, Sums()) for key in part.mailboxes), Sums()),
            sum((self._before.get(key, Sums()) for key in part.mailboxes), Sums()),
            reached(self._waits.get(key, {}) for key in part.mailboxes),
            tells_times,
        )


def _steps(period: Period) -> tuple[str, list[date]]:
    """What a bar of the chart is of: a day, a week or a month; and when each begins."""
    days = (period.ends - period.begins).days
    if period.kind == MONTH or days <= _MOST_BARS // 2:
        return "day", [period.begins + timedelta(days=number) for number in range(days)]
    if period.kind != YEAR and days <= _MOST_BARS * 7:
        monday = period.begins - timedelta(days=period.begins.weekday())
        return "week", [
            monday + timedelta(weeks=number) for number in range((days + period.begins.weekday() + 6) // 7)
        ]
    day, found = period.begins.replace(day=1), []
    while day < period.ends:
        found.append(day)
        day = (day + timedelta(days=31)).replace(day=1)
    return "month", found
