"""Staffed hours against a slow reference, which looks at every minute of every day."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox.staffed_hours.calendar import (
    HORIZON,
    NOBODY,
    ROUND_THE_CLOCK,
    ZONE,
    Calendar,
    Hours,
    WorkingTime,
)
from mailbox.staffed_hours.swedish_days import holiday_name, is_day_before_holiday

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
OFFICE = Hours(8 * 60, 17 * 60)
WEEKDAYS = ((OFFICE,),) * 5 + ((),) * 2
# Around the nights when the clock is set forward and back, and around holidays.
STARTS = [date(2026, 3, 27), date(2026, 10, 23), date(2026, 4, 1), date(2026, 12, 22), date(2026, 6, 17)]
LENGTH = 4


def local(text: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE, fold=fold)


@lru_cache
def minutes_of_day(day: date) -> list[datetime]:
    """Every minute at which the clock in Sweden shows the day."""
    minute = datetime.combine(day - DAY, time(12), UTC)
    found = []
    while minute < datetime.combine(day + DAY, time(12), UTC):
        if minute.astimezone(ZONE).date() == day:
            found.append(minute)
        minute += MINUTE
    return found


@lru_cache(maxsize=200_000)
def shown(minute: datetime) -> int:
    clock = minute.astimezone(ZONE)
    return clock.hour * 60 + clock.minute


def staffed_minutes(calendar: Calendar, first: date, last: date) -> set[datetime]:
    found = set()
    day = first
    while day <= last:
        minutes, following = minutes_of_day(day), minutes_of_day(day + DAY)
        for hours in calendar.hours_on(day):
            begins = [at for at, minute in enumerate(minutes) if shown(minute) >= hours.begins]
            if hours.ends > hours.begins:
                ends = [at for at, minute in enumerate(minutes) if shown(minute) < hours.ends]
                if begins and ends:
                    found |= set(minutes[begins[0] : ends[-1] + 1])
            else:
                found |= set(minutes[begins[0] :]) if begins else set()
                ends = [at for at, minute in enumerate(following) if shown(minute) < hours.ends]
                found |= set(following[: ends[-1] + 1]) if ends else set()
        day += DAY
    return found


# Times of day around which clocks are changed are likely.
times = st.one_of(st.integers(0, 1439), st.sampled_from([0, 60, 119, 120, 121, 150, 179, 180, 181, 240]))
hours = st.builds(Hours, times, times.map(lambda minutes: minutes + 1))
several = st.lists(hours, max_size=3).map(tuple)


@st.composite
def calendars(draw):
    start = draw(st.sampled_from(STARTS))
    days = st.integers(-1, LENGTH).map(lambda n: start + n * DAY)
    return start, Calendar(
        week=draw(st.lists(several, min_size=7, max_size=7).map(tuple)),
        is_closed_on_holidays=draw(st.booleans()),
        day_before_ends=draw(st.one_of(st.none(), times)),
        exceptions=draw(st.dictionaries(days, several, max_size=3)),
    )


moments = st.integers(0, LENGTH * 1440 - 1)


@settings(max_examples=40, deadline=None)
@given(calendars(), moments, moments)
def test_it_says_what_a_look_at_every_minute_says(given_calendar, a, b):
    start, calendar = given_calendar
    base = datetime.combine(start, time(), UTC)
    since, until = base + min(a, b) * MINUTE, base + max(a, b) * MINUTE
    last = start + (LENGTH + 1) * DAY
    reference = staffed_minutes(calendar, start - 2 * DAY, last)
    between = sorted(minute for minute in reference if since <= minute < until)

    assert calendar.is_staffed(since) == (since in reference)
    assert calendar.time_between(since, until) == len(between) * MINUTE
    assert calendar.time_between(until, since) == timedelta()
    period = WorkingTime(list(calendar.spans(base - DAY, base + LENGTH * DAY)))
    assert period.between(since, until) == len(between) * MINUTE
    assert period.between(until, since) == timedelta()
    if between:
        assert calendar.next_opening(since) == between[0]
        assert calendar.after(since, len(between) * MINUTE) == between[-1] + MINUTE
        part = max(1, len(between) // 2)
        assert calendar.after(since, part * MINUTE) == between[part - 1] + MINUTE


@settings(max_examples=60, deadline=None)
@given(calendars(), moments, st.integers(1, 400 * 60))
def test_the_moment_after_some_working_time_has_just_that_time_before_it(given_calendar, minute, length):
    start, calendar = given_calendar
    since, working_time = datetime.combine(start, time(), UTC) + minute * MINUTE, length * MINUTE
    found = calendar.after(since, working_time)
    if found is None:
        assert calendar.time_between(since, since + HORIZON) < working_time
    else:
        assert calendar.time_between(since, found) == working_time
        assert calendar.is_staffed(found - MINUTE)


@settings(max_examples=60, deadline=None)
@given(calendars(), moments)
def test_spans_are_in_order_and_apart(given_calendar, minute):
    start, calendar = given_calendar
    since = datetime.combine(start, time(), UTC) + minute * MINUTE
    spans = list(calendar.spans(since, since + 20 * DAY))
    assert all(span.begins < span.ends for span in spans)
    assert all(before.ends < after.begins for before, after in pairwise(spans))


@pytest.mark.parametrize(
    ("hours", "day", "length"),
    [
        (Hours(60, 240), date(2026, 3, 29), 2),
        (Hours(60, 240), date(2026, 10, 25), 4),
        (Hours(22 * 60, 6 * 60), date(2026, 3, 28), 7),
        (Hours(22 * 60, 6 * 60), date(2026, 10, 24), 9),
        (Hours(0, 1440), date(2026, 3, 29), 23),
        (Hours(0, 1440), date(2026, 10, 25), 25),
        (Hours(0, 0), date(2026, 10, 25), 25),
        (OFFICE, date(2026, 10, 25), 9),
    ],
)
def test_hours_are_as_long_as_they_last_on_the_nights_when_clocks_are_changed(hours, day, length):
    calendar = Calendar(exceptions={day: (hours,)})
    since = datetime.combine(day - DAY, time(), UTC)
    assert calendar.time_between(since, since + 4 * DAY) == length * timedelta(hours=1)


def test_a_time_that_the_clock_skips_is_when_it_does_so():
    calendar = Calendar(exceptions={date(2026, 3, 29): (Hours(150, 300),)})
    assert calendar.next_opening(local("2026-03-28 12:00")) == local("2026-03-29 03:00")


def test_hours_that_end_in_the_hour_that_comes_twice_end_the_second_time():
    calendar = Calendar(exceptions={date(2026, 10, 25): (Hours(60, 150),)})
    assert calendar.is_staffed(local("2026-10-25 02:29", fold=1))
    assert not calendar.is_staffed(local("2026-10-25 02:30", fold=1))


def test_working_hours_go_on_over_the_weekend_and_holidays():
    calendar = Calendar(week=WEEKDAYS)
    eight = timedelta(hours=8)
    assert calendar.after(local("2026-10-23 15:00"), eight) == local("2026-10-26 14:00")
    # Christmas Eve is a Thursday, and Saturday the 26th a holiday too.
    assert calendar.after(local("2026-12-23 16:00"), eight) == local("2026-12-28 15:00")
    assert calendar.after(local("2026-10-26 08:00"), timedelta(hours=9)) == local("2026-10-26 17:00")
    assert calendar.after(local("2026-10-26 09:00"), timedelta()) == local("2026-10-26 09:00")


def test_a_year_without_any_opening_ends_every_search():
    closed = Calendar()
    at = local("2026-01-01 00:00")
    assert closed.next_opening(at) is None
    assert closed.after(at, timedelta(hours=1)) is None
    assert closed.next_working_day(date(2026, 1, 1)) is None
    assert not closed.is_staffed(at)
    assert closed.time_between(at, local("2036-01-01 00:00")) == timedelta()
    # Open on a day that never comes, since it is a holiday every year.
    almost = Calendar(week=NOBODY, exceptions={date(2020, 1, 7): (OFFICE,)})
    assert almost.next_opening(at) is None


def test_the_end_of_all_days_is_no_error():
    last = datetime(9998, 12, 31, 12, tzinfo=UTC)
    assert Calendar().next_working_day(date(9998, 12, 30)) is None
    assert Calendar(week=WEEKDAYS).is_staffed(last) in {True, False}


def test_an_exception_goes_before_holidays_and_weekdays():
    christmas, monday = date(2026, 12, 24), date(2026, 10, 26)
    calendar = Calendar(week=WEEKDAYS, exceptions={christmas: (Hours(540, 720),), monday: ()})
    assert calendar.hours_on(christmas) == (Hours(540, 720),)
    assert calendar.next_working_day(date(2026, 10, 24)) == date(2026, 10, 27)


def test_holidays_can_be_as_other_days():
    calendar = Calendar(week=WEEKDAYS, is_closed_on_holidays=False)
    assert calendar.is_working_day(date(2026, 12, 24))


@pytest.mark.parametrize(
    ("ends", "expected"),
    [(None, (OFFICE,)), (0, ()), (13 * 60, (Hours(480, 780),)), (20 * 60, (OFFICE,)), (480, ())],
)
def test_days_before_holidays_end_earlier(ends, expected):
    calendar = Calendar(week=WEEKDAYS, day_before_ends=ends)
    assert calendar.hours_on(date(2026, 4, 30)) == expected
    assert calendar.hours_on(date(2026, 4, 29)) == (OFFICE,)


def test_what_holidays_are_and_what_days_before_them():
    assert holiday_name(date(2026, 6, 19)) == "Midsommarafton"
    assert holiday_name(date(2026, 6, 6)) == "Nationaldagen"
    assert holiday_name(date(2026, 10, 25)) == ""  # a Sunday
    assert is_day_before_holiday(date(2026, 5, 13))
    # A holiday itself, and the day before one that is no public holiday.
    assert not is_day_before_holiday(date(2026, 12, 24))
    assert not is_day_before_holiday(date(2026, 12, 23))
    assert is_day_before_holiday(date(2027, 1, 5))


def test_round_the_clock_time_is_time():
    at, length = local("2026-12-24 17:13"), timedelta(hours=31)
    assert ROUND_THE_CLOCK.after(at, length) == at + length
    assert ROUND_THE_CLOCK.time_between(at, at + 400 * DAY) == 400 * DAY
