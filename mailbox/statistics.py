"""Figures of function mailboxes over a period: how much came and went, and how long answers took."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Trunc
from django.utils import timezone

from .models import FunctionMailbox, Message

# Up to so many days a step is a day, then a week, then a month.
_DAYS_IN_DAYS: Final = 35
_DAYS_IN_WEEKS: Final = 200

# For what arrived in the period: when the next answer in the conversation was sent.
_ANSWERED: Final = """
SELECT mailbox_id,
       count(*) AS asked,
       count(answered_at) AS answered,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY answered_at - at) AS half,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY answered_at - at) AS most
FROM (
  SELECT c.mailbox_id, m.at, (
    SELECT min(o.at) FROM mailbox_message o
    WHERE o.conversation_id = m.conversation_id AND o.direction = 'out' AND o.at > m.at
  ) AS answered_at
  FROM mailbox_message m JOIN mailbox_conversation c ON c.id = m.conversation_id
  WHERE c.mailbox_id = ANY(%s) AND m.direction = 'in' AND m.at >= %s AND m.at < %s
) AS arrived
GROUP BY mailbox_id
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """One mailbox's figures. Times are None where nothing was answered."""

    mailbox: FunctionMailbox
    arrived: int = 0
    sent: int = 0
    receipts_missing: int = 0
    answered: int = 0
    half_answered_within: timedelta | None = None
    most_answered_within: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A day, week or month of the period."""

    begins: date
    arrived: int
    sent: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mailboxes' figures, and all of them together step by step."""

    figures: list[Figures] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    step: str = "day"


def statistics(mailboxes: QuerySet[FunctionMailbox], since: datetime, until: datetime) -> Statistics:
    """The figures from `since` up to `until`, midnights in Swedish time."""
    boxes = list(mailboxes.order_by("name", "pk"))
    keys = [box.pk for box in boxes]
    messages = Message.objects.filter(conversation__mailbox__in=keys, at__gte=since, at__lt=until).order_by()
    by_mailbox = messages.values("conversation__mailbox").annotate(**_COUNTS)
    counted: dict[int, dict[str, Any]] = {row["conversation__mailbox"]: dict(row) for row in by_mailbox}
    waited = _waited(keys, since, until)
    figures = [
        Figures(
            box,
            **{name: counted.get(box.pk, {}).get(name, 0) for name in _COUNTS},
            **waited.get(box.pk, {}),
        )
        for box in boxes
    ]
    step = _step(until - since)
    steps = messages.annotate(begins=Trunc("at", step)).values("begins").annotate(**_COUNTS)
    by_begin: dict[date, dict[str, Any]] = {
        timezone.localtime(row["begins"]).date(): dict(row) for row in steps
    }
    return Statistics(
        figures,
        [
            Step(begins, by_begin.get(begins, {}).get("arrived", 0), by_begin.get(begins, {}).get("sent", 0))
            for begins in _begins(since, until, step)
        ],
        step,
    )


_COUNTS: Final = {
    "arrived": Count("pk", filter=Q(direction=Message.Direction.IN)),
    "sent": Count("pk", filter=Q(direction=Message.Direction.OUT)),
    "receipts_missing": Count("pk", filter=Q(direction=Message.Direction.OUT, is_receipt_missing=True)),
}


def _waited(keys: list[int], since: datetime, until: datetime) -> dict[int, dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(_ANSWERED, [keys, since, until])
        return {
            mailbox: {"answered": answered, "half_answered_within": half, "most_answered_within": most}
            for mailbox, _, answered, half, most in cursor.fetchall()
        }


def _step(length: timedelta) -> str:
    if length.days <= _DAYS_IN_DAYS:
        return "day"
    return "week" if length.days <= _DAYS_IN_WEEKS else "month"


def _begins(since: datetime, until: datetime, step: str) -> Iterable[date]:
    """The first day of every step, also of those in which nothing happened."""
    day, end = timezone.localtime(since).date(), timezone.localtime(until).date()
    if step == "week":
        day -= timedelta(days=day.weekday())
    if step == "month":
        day = day.replace(day=1)
    while day < end:
        yield day
        if step == "month":
            day = (day + timedelta(days=31)).replace(day=1)
        else:
            day += timedelta(days=7 if step == "week" else 1)
