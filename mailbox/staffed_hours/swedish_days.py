"""Swedish public holidays, and the days before them."""

from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from holidays.constants import DE_FACTO, PUBLIC
from holidays.countries.sweden import Sweden

_DAY: Final = timedelta(days=1)


def holiday_name(day: date) -> str:
    """The Swedish name of a holiday; empty for other days.

    Midsummer Eve, Christmas Eve and New Year's Eve are holidays too (semesterlagen 7 §). Sundays are not.
    """
    return _holidays_of(day.year).get(day, "")


def is_day_before_holiday(day: date) -> bool:
    """Whether the next day is a public holiday, and this one is no holiday itself."""
    if day == date.max or holiday_name(day):
        return False
    return day + _DAY in _public_holidays_of((day + _DAY).year)


@lru_cache(maxsize=64)
def _holidays_of(year: int) -> dict[date, str]:
    found = Sweden(years=year, categories=(PUBLIC, DE_FACTO), expand=False, language="sv")
    return dict(found)


@lru_cache(maxsize=64)
def _public_holidays_of(year: int) -> frozenset[date]:
    return frozenset(Sweden(years=year, categories=(PUBLIC,), expand=False))
