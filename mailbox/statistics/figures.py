"""Figures of mailboxes over a period: how many messages were received and sent, and how long they waited."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import Trunc
from django.utils import timezone

from mailbox.daily_figures.steps import ARRIVED, STEPS
from mailbox.models import (
    AUTOMATIC_ANSWER,
    FunctionMailbox,
    Message,
    RegisteredMessage,
    Registration,
    TimeLimit,
)
from mailbox.staffed_hours import calendars
from mailbox.staffed_hours.calendar import Calendar, WorkingTime

# Up to so many days the figures are by day, then by week, then by month.
_DAYS_IN_DAYS: Final = 35
_DAYS_IN_WEEKS: Final = 200
_ROWS_AT_A_TIME: Final = 2_000

_ARRIVED: Final = ARRIVED.format(scope="c.mailbox_id = ANY(%s) AND m.at >= %s AND m.at < %s")
LIMITS: Final = tuple(TimeLimit.Kind)
_PERCENTILES: Final = ", ".join(
    f"count({step}_at), percentile_cont(0.5) WITHIN GROUP (ORDER BY {step}_at - at), "
    f"percentile_cont(0.9) WITHIN GROUP (ORDER BY {step}_at - at)"
    for step in STEPS
)
_WAITED: Final = "SELECT mailbox_id, {percentiles} FROM ({arrived}) AS arrived GROUP BY mailbox_id".replace(
    "{percentiles}", _PERCENTILES
).replace("{arrived}", _ARRIVED)


@dataclass(frozen=True, slots=True)
class Wait:
    """How many messages reached a step, and the median and 90th percentile of the time that it took."""

    count: int = 0
    median: timedelta | None = None
    p90: timedelta | None = None


@dataclass(frozen=True, slots=True)
class LimitsKept:
    """How many time limits that began in the period were met, and how many missed; of the rest neither is
    known yet."""

    met: int = 0
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """One mailbox's figures."""

    mailbox: FunctionMailbox
    arrived: int = 0
    sent: int = 0
    receipts_missing: int = 0
    registered: int = 0
    minor: int = 0
    assigned: Wait = Wait()
    answered: Wait = Wait()
    done: Wait = Wait()
    limit_opened: LimitsKept = LimitsKept()
    limit_answered: LimitsKept = LimitsKept()
    limit_done: LimitsKept = LimitsKept()

    @property
    def limits(self) -> tuple[LimitsKept, LimitsKept, LimitsKept]:
        """In the order of `LIMITS`."""
        return self.limit_opened, self.limit_answered, self.limit_done

    @property
    def not_registered(self) -> int:
        """Messages, received and sent, that are neither registered nor of minor importance."""
        return self.arrived + self.sent - self.registered - self.minor

    @property
    def waits(self) -> tuple[Wait, Wait, Wait]:
        """In the order of `STEPS`."""
        return self.assigned, self.answered, self.done


@dataclass(frozen=True, slots=True)
class Period:
    """A day, week or month of the period."""

    begins: date
    arrived: int
    sent: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mailboxes' figures, and all of them together by day, week or month."""

    figures: list[Figures] = field(default_factory=list)
    periods: list[Period] = field(default_factory=list)
    length: str = "day"


def statistics(mailboxes: QuerySet[FunctionMailbox], since: datetime, until: datetime) -> Statistics:
    """The figures from `since` up to `until`, midnights in Swedish time.

    Waits count the time in which the mailbox is staffed.
    """
    boxes = list(mailboxes.order_by("name", "pk"))
    keys = [box.pk for box in boxes]
    messages = Message.objects.filter(conversation__mailbox__in=keys, at__gte=since, at__lt=until).order_by()
    messages = messages.exclude(AUTOMATIC_ANSWER)
    by_mailbox = messages.values("conversation__mailbox").annotate(**_COUNTS)
    counted: dict[int, dict[str, Any]] = {row["conversation__mailbox"]: dict(row) for row in by_mailbox}
    found_calendars = calendars.calendars_of(boxes)
    waited = _waited([key for key in keys if key not in found_calendars], since, until)
    if found_calendars:
        waited |= _waited_in_working_time(found_calendars, since, until)
    limits = _limits_kept(keys, since, until)
    registered = _registered(keys, since, until)
    figures = []
    for box in boxes:
        counts, waits = counted.get(box.pk, {}), waited.get(box.pk, {})
        arrived, sent, missing = (int(counts.get(name, 0)) for name in _COUNTS)
        assigned, answered, done = (waits.get(step, Wait()) for step in STEPS)
        cases = registered.get((box.pk, Registration.Kind.CASE), 0)
        minor = registered.get((box.pk, Registration.Kind.MINOR), 0)
        kept = [limits.get((box.pk, kind), LimitsKept()) for kind in LIMITS]
        figures.append(Figures(box, arrived, sent, missing, cases, minor, assigned, answered, done, *kept))
    length = _length(until - since)
    periods = messages.annotate(begins=Trunc("at", length)).values("begins").annotate(**_COUNTS)
    by_begin: dict[date, dict[str, Any]] = {
        timezone.localtime(row["begins"]).date(): dict(row) for row in periods
    }
    return Statistics(
        figures,
        [
            Period(
                begins, by_begin.get(begins, {}).get("arrived", 0), by_begin.get(begins, {}).get("sent", 0)
            )
            for begins in _begins(since, until, length)
        ],
        length,
    )


_COUNTS: Final = {
    "arrived": Count("pk", filter=Q(direction=Message.Direction.IN)),
    "sent": Count("pk", filter=Q(direction=Message.Direction.OUT)),
    "receipts_missing": Count("pk", filter=Q(direction=Message.Direction.OUT, is_receipt_missing=True)),
}


def _registered(keys: list[int], since: datetime, until: datetime) -> dict[tuple[int, str], int]:
    """How many messages of the period are registered now, by mailbox and kind."""
    rows = RegisteredMessage.objects.filter(
        is_current=True,
        message__in=Message.objects.exclude(AUTOMATIC_ANSWER),
        message__conversation__mailbox__in=keys,
        message__at__gte=since,
        message__at__lt=until,
    )
    counted = rows.order_by().values_list("message__conversation__mailbox", "registration__kind")
    return {(mailbox, kind): n for mailbox, kind, n in counted.annotate(number=Count("pk"))}


def _limits_kept(keys: list[int], since: datetime, until: datetime) -> dict[tuple[int, str], LimitsKept]:
    met = Q(ended_at__lte=F("limit_at"))
    missed = Q(ended_at__gt=F("limit_at")) | Q(ended_at=None, limit_at__lt=timezone.now())
    rows = TimeLimit.objects.filter(
        conversation__mailbox__in=keys, began_at__gte=since, began_at__lt=until
    ).order_by()
    counted = rows.values("conversation__mailbox", "kind").annotate(
        met=Count("pk", filter=met), missed=Count("pk", filter=missed)
    )
    found: list[dict[str, Any]] = [dict(row) for row in counted]
    return {
        (row["conversation__mailbox"], row["kind"]): LimitsKept(row["met"], row["missed"]) for row in found
    }


def _waited(keys: list[int], since: datetime, until: datetime) -> dict[int, dict[str, Wait]]:
    """The waits of mailboxes that are staffed round the clock."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITED, [keys, since, until])
        return {
            mailbox: {step: Wait(*values[3 * index : 3 * index + 3]) for index, step in enumerate(STEPS)}
            for mailbox, *values in cursor.fetchall()
        }


def _waited_in_working_time(
    calendars_by_key: Mapping[int, Calendar], since: datetime, until: datetime
) -> dict[int, dict[str, Wait]]:
    """The waits of mailboxes with staffed hours: only the time in which somebody is there counts."""
    last = max(until, timezone.now())
    working = {
        key: WorkingTime(list(calendar.spans(since, last))) for key, calendar in calendars_by_key.items()
    }
    waits: dict[int, dict[str, list[timedelta]]] = {key: {step: [] for step in STEPS} for key in working}
    with connection.cursor() as cursor:
        cursor.execute(_ARRIVED, [list(working), since, until])
        while rows := cursor.fetchmany(_ROWS_AT_A_TIME):
            for key, at, _, *reached in rows:
                for step, reached_at in zip(STEPS, reached, strict=True):
                    if reached_at is not None:
                        waits[key][step].append(working[key].between(at, reached_at))
    return {
        key: {
            step: Wait(len(times), _percentile(times, 0.5), _percentile(times, 0.9))
            for step, times in steps.items()
        }
        for key, steps in waits.items()
    }


def _percentile(times: Sequence[timedelta], part: float) -> timedelta | None:
    """As percentile_cont of PostgreSQL: between two values where it falls between them."""
    if not times:
        return None
    ordered = sorted(times)
    place = part * (len(ordered) - 1)
    lower = int(place)
    higher = min(lower + 1, len(ordered) - 1)
    return ordered[lower] + (place - lower) * (ordered[higher] - ordered[lower])


def _length(period: timedelta) -> str:
    if period.days <= _DAYS_IN_DAYS:
        return "day"
    return "week" if period.days <= _DAYS_IN_WEEKS else "month"


def _begins(since: datetime, until: datetime, length: str) -> Iterable[date]:
    """The first days of all periods, also of those without messages."""
    day, end = timezone.localtime(since).date(), timezone.localtime(until).date()
    if length == "week":
        day -= timedelta(days=day.weekday())
    if length == "month":
        day = day.replace(day=1)
    while day < end:
        yield day
        if length == "month":
            day = (day + timedelta(days=31)).replace(day=1)
        else:
            day += timedelta(days=7 if length == "week" else 1)
