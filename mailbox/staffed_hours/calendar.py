"""Staffed hours as values: is somebody there, when next, how much working time lies between two moments.

Nothing here knows Django, a clock or a row. Hours are times of day in Sweden; moments are aware datetimes. A
span of hours lasts from the first minute of the day at which the clock shows its beginning or later, to the
last at which the clock shows less than its end: on the night when the clock is set back, 01:00-04:00 are four
hours, and on the one when it is set forward two. Hours that end at or before their beginning end on the next
day. No search goes further than `HORIZON`, so a calendar without an opening ends every one of them.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

from .swedish_days import holiday_name, is_day_before_holiday

ZONE: Final = ZoneInfo("Europe/Stockholm")
HORIZON: Final = timedelta(days=3 * 366)
MINUTES_OF_A_DAY: Final = 24 * 60
_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
_LAST_DAY: Final = date(9998, 12, 31)
_LAST_MOMENT: Final = datetime(9998, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Hours:
    """Hours of a day in minutes after midnight; those that end at or before their beginning end the next
    day."""

    begins: int
    ends: int

    @property
    def end_after_midnight(self) -> int:
        """The end in minutes after the midnight of the day on which they begin."""
        return self.ends if self.ends > self.begins else self.ends + MINUTES_OF_A_DAY


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which somebody is there."""

    begins: datetime
    ends: datetime


Week = tuple[tuple[Hours, ...], ...]
NOBODY: Final[Week] = ((),) * 7


@dataclass(frozen=True)
class Calendar:
    """Hours by weekday (`week`, Monday first) and by date (`exceptions`, an empty one is closed).

    Hours on holidays are those of the weekday unless `is_closed_on_holidays`; on days before public holidays
    nobody is there after `day_before_ends` (minutes after midnight; 0 is closed, None as on other days). An
    exception goes before all of these.
    """

    week: Week = NOBODY
    is_closed_on_holidays: bool = True
    day_before_ends: int | None = None
    exceptions: Mapping[date, tuple[Hours, ...]] = field(default_factory=dict)

    def hours_on(self, day: date) -> tuple[Hours, ...]:
        """The hours that begin on a day, in order."""
        if day in self.exceptions:
            return tuple(sorted(self.exceptions[day]))
        if self.is_closed_on_holidays and holiday_name(day):
            return ()
        hours = tuple(sorted(self.week[day.weekday()]))
        if self.day_before_ends is None or not is_day_before_holiday(day):
            return hours
        last = self.day_before_ends
        return tuple(
            Hours(each.begins, min(each.end_after_midnight, last)) for each in hours if each.begins < last
        )

    def is_working_day(self, day: date) -> bool:
        """Whether any hours begin on the day."""
        return bool(self.hours_on(day))

    def next_working_day(self, day: date) -> date | None:
        """The first working day from this one on; None where there is none within `HORIZON`."""
        last = day + HORIZON if day < _LAST_DAY - HORIZON else _LAST_DAY
        return next((each for each in _days(day, last) if self.is_working_day(each)), None)

    def spans(self, since: datetime, until: datetime) -> Iterator[Span]:
        """The times in which somebody is there, in order and apart, cut to the two moments."""
        if not any(self.week) and not self.exceptions:
            return
        # In UTC, as two times of day of one zone are compared by what the clock shows.
        since, until = since.astimezone(UTC), until.astimezone(UTC)
        first = since.astimezone(ZONE).date() - _DAY
        last = until.astimezone(ZONE).date()
        current: Span | None = None
        for day in _days(first, last):
            for hours in self.hours_on(day):
                begins, ends = (
                    _moment(day, hours.begins, fold=0),
                    _moment(day, hours.end_after_midnight, fold=1),
                )
                begins, ends = max(begins, since), min(ends, until)
                if begins >= ends:
                    continue
                if current is not None and begins <= current.ends:
                    current = Span(current.begins, max(current.ends, ends))
                    continue
                if current is not None:
                    yield current
                current = Span(begins, ends)
        if current is not None:
            yield current

    def is_staffed(self, at: datetime) -> bool:
        """Whether somebody is there at the moment."""
        at = at.astimezone(UTC)
        return any(span.begins <= at < span.ends for span in self.spans(at, at + _MINUTE))

    def next_opening(self, at: datetime) -> datetime | None:
        """The first moment from this one on at which somebody is there; None where there is none within
        `HORIZON`."""
        return next((span.begins for span in self.spans(at, _horizon(at))), None)

    def time_between(self, since: datetime, until: datetime) -> timedelta:
        """The working time between two moments; nothing where the second is not later."""
        return sum((span.ends - span.begins for span in self.spans(since, until)), timedelta())

    def after(self, at: datetime, working_time: timedelta) -> datetime | None:
        """The first moment before which so much working time has passed; None where that is not within
        `HORIZON`."""
        left = working_time
        if left <= timedelta():
            return at
        for span in self.spans(at, _horizon(at)):
            length = span.ends - span.begins
            if left <= length:
                return span.begins + left
            left -= length
        return None


ROUND_THE_CLOCK: Final = Calendar(week=((Hours(0, MINUTES_OF_A_DAY),),) * 7, is_closed_on_holidays=False)


@dataclass(frozen=True)
class WorkingTime:
    """The working time between any moments of a period, for many questions about the same period."""

    spans: Sequence[Span]

    @cached_property
    def _begins(self) -> list[datetime]:
        return [span.begins for span in self.spans]

    @cached_property
    def _before(self) -> list[timedelta]:
        """The working time of the period before each span."""
        found, total = [], timedelta()
        for span in self.spans:
            found.append(total)
            total += span.ends - span.begins
        return found

    def between(self, since: datetime, until: datetime) -> timedelta:
        """The working time between two moments of the period; nothing where the second is not later."""
        return max(self._until(until) - self._until(since), timedelta())

    def _until(self, at: datetime) -> timedelta:
        index = bisect_right(self._begins, at) - 1
        if index < 0:
            return timedelta()
        span = self.spans[index]
        return self._before[index] + min(at, span.ends) - span.begins


def _days(first: date, last: date) -> Iterator[date]:
    day, last = first, min(last, _LAST_DAY)
    while day <= last:
        yield day
        day += _DAY


def _horizon(at: datetime) -> datetime:
    at = at.astimezone(UTC)
    return at + HORIZON if at < _LAST_MOMENT - HORIZON else _LAST_MOMENT


def _moment(day: date, minutes: int, *, fold: int) -> datetime:
    """When the clock shows so many minutes after the day's midnight: for the first time (`fold` 0) or the
    last. A time that it skips is when it does so."""
    local = datetime.combine(day, time()) + minutes * _MINUTE
    while True:
        moment = local.replace(tzinfo=ZONE, fold=fold).astimezone(UTC)
        if moment.astimezone(ZONE).replace(tzinfo=None, fold=0) == local:
            return moment
        local += _MINUTE
