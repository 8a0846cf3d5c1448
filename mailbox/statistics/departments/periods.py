"""The periods that figures are of: a month, a quarter, a year, or any days; and the one before each.

Days are dates: what lies on a day was decided when it was counted, in Swedish time.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

MONTH, QUARTER, YEAR, DAYS = "month", "quarter", "year", "days"
MOST_DAYS: Final = 3_660
_DAY: Final = timedelta(days=1)
_MONTHS: Final = {MONTH: 1, QUARTER: 3, YEAR: 12}


@dataclass(frozen=True, slots=True)
class Period:
    """From `begins` up to, and without, `ends`."""

    kind: str
    begins: date
    ends: date

    @property
    def last(self) -> date:
        """The last day."""
        return self.ends - _DAY

    @property
    def quarter(self) -> int:
        """The number of the quarter in which the period begins."""
        return (self.begins.month + 2) // 3

    @property
    def before(self) -> "Period":
        """The period before: of the same kind, or as many days."""
        if self.kind in _MONTHS:
            return period_of(self.kind, self.begins - _DAY)
        return Period(DAYS, self.begins - (self.ends - self.begins), self.begins)

    @property
    def after(self) -> "Period":
        """The period that follows."""
        if self.kind in _MONTHS:
            return period_of(self.kind, self.ends)
        return Period(DAYS, self.ends, self.ends + (self.ends - self.begins))


def period_of(kind: str, day: date) -> Period:
    """The month, quarter or year that a day lies in."""
    months = _MONTHS[kind]
    number = (day.month - 1) // months * months
    begins = date(day.year, number + 1, 1)
    ends = number + months
    return Period(kind, begins, date(day.year + ends // 12, ends % 12 + 1, 1))


def days_of(since: date, until: date) -> Period:
    """The days from one to another, both included."""
    return Period(DAYS, since, until + _DAY)


def last_month(today: date) -> Period:
    """The last whole month before a day."""
    return period_of(MONTH, today.replace(day=1) - _DAY)
