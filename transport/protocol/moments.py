"""Times as XML Schema writes them (xs:dateTime, XML Schema Part 2 section 3.2.7)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from .errors import ProtocolError

# Years 1 to 9999 but for a day at each end, so that a time can be converted to any zone.
EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC)
_LONGEST: Final = 100
_DATE_TIME: Final = re.compile(
    r"(?P<year>-?[0-9]{4,})-(?P<rest>[0-9]{2}-[0-9]{2}T)(?P<hour>[0-9]{2})(?P<minutes>:[0-9]{2}:[0-9]{2})"
    r"(?:\.(?P<fraction>[0-9]+))?(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})?"
)


class NotAMoment(ProtocolError):
    """A text that is no time."""


class MomentOutOfRange(NotAMoment):
    """A time outside the years that are counted with. `nearest` is the end that it lies beyond."""

    def __init__(self, nearest: datetime) -> None:
        self.nearest = nearest
        super().__init__("a time outside the years 1 to 9999")


def read_moment(text: str) -> datetime:
    """A time in UTC; one without a zone is taken for UTC. Raises `NotAMoment`, `MomentOutOfRange`.

    24:00:00 is the next day's beginning; what is finer than a microsecond is cut off.
    """
    text = text.strip()
    match = _DATE_TIME.fullmatch(text)
    try:
        if match is None:
            # Senders leave out seconds, or write the basic form.
            return _as_utc(datetime.fromisoformat(text[:_LONGEST]))
        return _moment_of(match)
    except (ValueError, OverflowError):
        raise NotAMoment("not a time") from None


def nearest_moment(text: str) -> datetime:
    """The time, or the end of the calendar that it lies at or beyond; raises `NotAMoment`.

    For what a schema allows and nothing rests on: a message is not refused for its writer's calendar.
    """
    try:
        return min(max(read_moment(text), EARLIEST), LATEST)
    except MomentOutOfRange as error:
        return error.nearest


def _moment_of(match: re.Match[str]) -> datetime:
    year = match["year"]
    is_end_of_day = match["hour"] == "24"
    if is_end_of_day and (match["minutes"] != ":00:00" or (match["fraction"] or "").strip("0")):
        raise ValueError("24 is an hour at a day's end only")
    hour = "00" if is_end_of_day else match["hour"]
    fraction = (match["fraction"] or "0")[:6]
    if year.startswith("-") or not year.strip("0"):
        raise MomentOutOfRange(EARLIEST)
    if len(year) > 4:
        raise MomentOutOfRange(LATEST)
    written = f"{year}-{match['rest']}{hour}{match['minutes']}.{fraction.ljust(6, '0')}"
    try:
        moment = datetime.fromisoformat(written + (match["zone"] or "Z"))
        return _as_utc(moment + timedelta(days=1) if is_end_of_day else moment)
    except OverflowError:
        raise MomentOutOfRange(EARLIEST if int(year) < 5000 else LATEST) from None


def _as_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
