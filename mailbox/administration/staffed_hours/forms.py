"""What managers type of staffed hours: "08:00-12:00, 13:00-16:30" for each weekday, and for single days."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import combinations
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from mailbox.forms import DayField, KeyField, LineField
from mailbox.staffed_hours.calendar import MINUTES_OF_A_DAY, Calendar, Hours
from mailbox.staffed_hours.duty_lists import LONGEST_MINUTES, SHORTEST_MINUTES
from mailbox.staffed_hours.time_limits import MOST_HOURS, Kind, Levels

WEEKDAYS: Final[Mapping[str, str | Promise]] = {
    "monday": lazy("Måndag"),
    "tuesday": lazy("Tisdag"),
    "wednesday": lazy("Onsdag"),
    "thursday": lazy("Torsdag"),
    "friday": lazy("Fredag"),
    "saturday": lazy("Lördag"),
    "sunday": lazy("Söndag"),
}
AS_OTHER_DAYS, CLOSED, ENDS_AT = "as-other-days", "closed", "ends-at"
_LONGEST: Final = 100
_HOURS: Final = re.compile(
    r"(?P<h1>[0-9]{1,2})(?:[:.](?P<m1>[0-9]{2}))?\s*(?:-|–|till)\s*(?P<h2>[0-9]{1,2})(?:[:.](?P<m2>[0-9]{2}))?"
)
_LEVEL: Final[Any] = {
    "required": False,
    "min_value": 1,
    "max_value": MOST_HOURS,
    "error_messages": {
        name: lazy("Skriv ett antal timmar från 1 till 2000, eller lämna tomt.")
        for name in ("invalid", "min_value", "max_value")
    },
}
_TIME: Final = re.compile(r"(?P<h>[0-9]{1,2})(?:[:.](?P<m>[0-9]{2}))?")


def hours_text(hours: Sequence[Hours]) -> str:
    """Hours as people type them and read them: "08:00–12:00, 13:00–16:30"."""
    return ", ".join(f"{time_text(each.begins)}–{time_text(each.ends)}" for each in sorted(hours))


def time_text(minutes: int) -> str:
    """A time of day: "08:00"."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


class TimeOfDayField(forms.CharField):
    """A time of day in minutes after midnight; None where nothing is typed."""

    default_error_messages = {"invalid": lazy("Skriv ett klockslag, till exempel 12:00.")}

    def to_python(self, value: Any) -> Any:
        text = str(super().to_python(value) or "").strip()
        if not text:
            return None
        match = _TIME.fullmatch(text)
        minutes = _minutes(match["h"], match["m"]) if match else None
        if minutes is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return minutes


class HoursField(forms.CharField):
    """Several hours of one day, as a tuple of `Hours` in order; empty where nobody is there."""

    default_error_messages = {
        "invalid": lazy("Skriv tiderna så här: 08:00–12:00, 13:00–16:30."),
        "overlap": lazy("%(first)s överlappar %(second)s."),
        "max_length": lazy("Skriv färre tider."),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, max_length=_LONGEST, **kwargs)

    def clean(self, value: Any) -> Any:
        text = str(super().clean(value) or "").strip()
        hours = tuple(sorted(self._hours(part) for part in re.split(r",|;|\boch\b", text) if part.strip()))
        for first, second in combinations(hours, 2):
            if second.begins < first.end_after_midnight:
                raise ValidationError(
                    self.error_messages["overlap"],
                    code="overlap",
                    params={"first": hours_text([first]), "second": hours_text([second])},
                )
        return hours

    def _hours(self, text: str) -> Hours:
        match = _HOURS.fullmatch(text.strip())
        begins = _minutes(match["h1"], match["m1"]) if match else None
        ends = _minutes(match["h2"], match["m2"]) if match else None
        if begins is None or ends is None or begins in {ends, MINUTES_OF_A_DAY}:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return Hours(begins, ends or MINUTES_OF_A_DAY)


class WeekForm(forms.Form):
    """The hours of each weekday, and what is different on holidays and the days before them."""

    monday = HoursField()
    tuesday = HoursField()
    wednesday = HoursField()
    thursday = HoursField()
    friday = HoursField()
    saturday = HoursField()
    sunday = HoursField()
    is_open_on_holidays = forms.BooleanField(required=False)
    day_before = forms.ChoiceField(
        required=False,
        choices=[(AS_OTHER_DAYS, ""), (CLOSED, ""), (ENDS_AT, "")],
        error_messages={"invalid_choice": lazy("Välj vad som gäller dagen före en helgdag.")},
    )
    day_before_ends = TimeOfDayField(required=False)

    @classmethod
    def values_of(cls, calendar: Calendar) -> dict[str, Any]:
        """What the form shows of a calendar."""
        ends = calendar.day_before_ends
        return {
            **{name: hours_text(hours) for name, hours in zip(WEEKDAYS, calendar.week, strict=True)},
            "is_open_on_holidays": not calendar.is_closed_on_holidays,
            "day_before": AS_OTHER_DAYS if ends is None else ENDS_AT if ends else CLOSED,
            "day_before_ends": time_text(ends) if ends else "",
        }

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        is_missing = not given.get("day_before_ends") and "day_before_ends" not in self.errors
        if given.get("day_before") == ENDS_AT and is_missing:
            self.add_error("day_before_ends", _("Skriv när dagen före en helgdag slutar."))
        if not any(name in self.errors for name in WEEKDAYS):
            self._find_overlap_after_midnight([given.get(name) or () for name in WEEKDAYS])
        return given

    def calendar(self, exceptions: Mapping[Any, tuple[Hours, ...]]) -> Calendar:
        """The calendar that a valid form describes, with these exceptions."""
        given = self.cleaned_data
        ends = {ENDS_AT: given["day_before_ends"], CLOSED: 0}.get(given["day_before"])
        return Calendar(
            week=tuple(given[name] for name in WEEKDAYS),
            is_closed_on_holidays=not given["is_open_on_holidays"],
            day_before_ends=ends,
            exceptions=exceptions,
        )

    def _find_overlap_after_midnight(self, week: Sequence[Sequence[Hours]]) -> None:
        names = list(WEEKDAYS)
        for number, name in enumerate(names):
            following = names[(number + 1) % 7]
            for late in week[number]:
                for early in week[(number + 1) % 7]:
                    if early.begins + MINUTES_OF_A_DAY < late.end_after_midnight:
                        text = _("%(day)s %(hours)s överlappar %(other_day)s %(other_hours)s.") % {
                            "day": WEEKDAYS[following],
                            "hours": hours_text([early]),
                            "other_day": str(WEEKDAYS[name]).lower(),
                            "other_hours": hours_text([late]),
                        }
                        self.add_error(following, text)
                        return


class ExceptionForm(forms.Form):
    """Other hours on one day, or none."""

    day = DayField(error_messages={"required": lazy("Välj en dag."), "invalid": lazy("Välj en dag.")})
    hours = HoursField()
    note = LineField(
        required=False,
        max_length=100,
        error_messages={"max_length": lazy("Anteckningen är för lång: högst 100 tecken.")},
    )


class LevelsForm(forms.Form):
    """In how many staffed hours messages are to be opened, answered and done; empty is no limit."""

    opened = forms.IntegerField(**_LEVEL)
    answered = forms.IntegerField(**_LEVEL)
    done = forms.IntegerField(**_LEVEL)

    @classmethod
    def values_of(cls, levels: Levels) -> dict[str, Any]:
        """What the form shows of a mailbox's limits."""
        return {kind: levels[kind] // timedelta(hours=1) for kind in Kind if kind in levels}


class DutyForm(forms.Form):
    """Who is told outside staffed hours: first, then, and last; and after how many minutes the next one."""

    first = KeyField(required=False)
    second = KeyField(required=False)
    third = KeyField(required=False)
    minutes = forms.IntegerField(
        min_value=SHORTEST_MINUTES,
        max_value=LONGEST_MINUTES,
        error_messages={
            name: lazy("Skriv ett antal minuter från 5 till 720.")
            for name in ("required", "invalid", "min_value", "max_value")
        },
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        keys = self.chosen()
        if len(set(keys)) < len(keys):
            self.add_error("second", _("Välj olika personer."))
        return given

    def chosen(self) -> list[int]:
        """The keys of the people who were chosen, in order."""
        names = ("first", "second", "third")
        return [key for name in names if (key := self.cleaned_data.get(name)) is not None]


class HoursActionForm(forms.Form):
    """Which button of the page was pressed, and for which exception."""

    action = forms.CharField(required=False, max_length=40)
    exception = KeyField(required=False)


def _minutes(hours: str, minutes: str | None) -> int | None:
    """Minutes after midnight, 24:00 included; None where there is no such time."""
    value = int(hours) * 60 + int(minutes or 0)
    return value if int(minutes or 0) < 60 and value <= MINUTES_OF_A_DAY else None
