"""The coming two weeks of a calendar, day by day, and what makes a day different."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from django.utils.translation import gettext as _

from mailbox.staffed_hours.calendar import Calendar
from mailbox.staffed_hours.swedish_days import holiday_name, is_day_before_holiday

from .forms import hours_text

_DAYS: Final = 14


@dataclass(frozen=True, slots=True)
class PreviewDay:
    """A day, its hours (empty where it is closed), and why they are not those of the weekday."""

    day: date
    hours: str
    reason: str


def preview_of(calendar: Calendar, first: date, notes: Mapping[date, str]) -> Sequence[PreviewDay]:
    """The days of two weeks from the first one on; `notes` are those of the exceptions."""
    days = (first + timedelta(days=number) for number in range(_DAYS))
    return [
        PreviewDay(day, hours_text(calendar.hours_on(day)), _reason(calendar, day, notes)) for day in days
    ]


def _reason(calendar: Calendar, day: date, notes: Mapping[date, str]) -> str:
    if day in calendar.exceptions:
        return notes.get(day) or _("Undantag")
    if holiday_name(day):
        return holiday_name(day)
    if calendar.day_before_ends is not None and is_day_before_holiday(day):
        return _("Dag före helgdag")
    return ""
