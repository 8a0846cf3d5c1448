"""Counting the figures of each day of a mailbox, or of one of its conversations, from its rows.

Days are Swedish, and begin at midnight there. A conversation counts in the mailbox that has it now.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.utils import timezone

from mailbox.models import Conversation, FunctionMailbox
from mailbox.staffed_hours import calendars
from mailbox.staffed_hours.calendar import ROUND_THE_CLOCK, ZONE, WorkingTime

from .steps import ARRIVED, STEPS, bound_of

_ROWS_AT_A_TIME: Final = 2_000
_MESSAGES: Final = """
  SELECT (m.at AT TIME ZONE 'Europe/Stockholm')::date,
    CASE WHEN c.is_protected THEN '' ELSE m.counterpart_participant END,
    max(m.counterpart_organisation),
    count(*) FILTER (WHERE m.direction = 'in'),
    count(*) FILTER (WHERE m.direction = 'out'),
    count(*) FILTER (WHERE m.direction = 'out' AND m.is_receipt_missing),
    count(*) FILTER (WHERE g.kind = 'case'),
    count(*) FILTER (WHERE g.kind = 'minor')
  FROM mailbox_message m
  JOIN mailbox_conversation c ON c.id = m.conversation_id
  LEFT JOIN mailbox_registeredmessage r ON r.message_id = m.id AND r.is_current
  LEFT JOIN mailbox_registration g ON g.id = r.registration_id
  WHERE {scope} AND NOT (m.direction = 'out' AND m.is_automatic) GROUP BY 1, 2 ORDER BY 1
"""
_FIRST: Final = """
  SELECT min(m.at) FROM mailbox_message m JOIN mailbox_conversation c ON c.id = m.conversation_id
  WHERE m.direction = 'in' AND {scope}
"""
# A time limit belongs to the organisation that began the conversation.
_LIMITS: Final = """
  SELECT (t.began_at AT TIME ZONE 'Europe/Stockholm')::date, t.kind,
    CASE WHEN c.is_protected THEN '' ELSE coalesce((
      SELECT m.counterpart_participant FROM mailbox_message m
      WHERE m.conversation_id = c.id ORDER BY m.at, m.id LIMIT 1
    ), '') END,
    count(*) FILTER (WHERE t.ended_at <= t.limit_at),
    count(*) FILTER (WHERE t.ended_at > t.limit_at OR (t.ended_at IS NULL AND t.limit_at < %s))
  FROM mailbox_timelimit t JOIN mailbox_conversation c ON c.id = t.conversation_id
  WHERE {scope} GROUP BY 1, 2, 3
"""

Rows = defaultdict[tuple[Any, ...], Counter[str]]


def no_rows() -> Rows:
    """Sums by key; those that are missing are zero."""
    return defaultdict(Counter)


@dataclass(frozen=True, slots=True)
class Counted:
    """Sums by day: `figures`; by day, step and bound: `waits`; by day and organisation: `counterparts`."""

    figures: Rows = field(default_factory=no_rows)
    waits: Rows = field(default_factory=no_rows)
    counterparts: Rows = field(default_factory=no_rows)
    names: dict[str, str] = field(default_factory=dict)


def count(mailbox: FunctionMailbox, conversation: Conversation | None = None) -> Counted:
    """The sums of a mailbox, or of one conversation in it, as its rows are now."""
    is_one = conversation is not None
    scope = "c.id = %s" if is_one else "c.mailbox_id = %s"
    key = conversation.pk if conversation is not None else mailbox.pk
    counted = Counted()
    _count_messages(counted, scope, key)
    _count_waits(counted, scope, key, mailbox)
    _count_limits(counted, scope, key)
    return counted


def _count_messages(counted: Counted, scope: str, key: int) -> None:
    for day, counterpart, name, *values in _rows(_MESSAGES.format(scope=scope), [key]):
        arrived, sent, missing, registered, minor = values
        shared = {"arrived": arrived, "sent": sent, "registered": registered, "minor": minor}
        counted.figures[(day,)].update({**shared, "receipts_missing": missing})
        counted.counterparts[day, counterpart].update(shared)
        if counterpart and name:
            counted.names[counterpart] = name


def _count_waits(counted: Counted, scope: str, key: int, mailbox: FunctionMailbox) -> None:
    first = next(_rows(_FIRST.format(scope=scope), [key]))[0]
    if first is None:
        return
    calendar = calendars.calendar_of(mailbox) or ROUND_THE_CLOCK
    working = WorkingTime(list(calendar.spans(first, timezone.now() + timedelta(days=1))))
    for _, at, counterpart, *reached in _rows(ARRIVED.format(scope=scope), [key]):
        day = _swedish_day(at)
        for step, reached_at in zip(STEPS, reached, strict=True):
            if reached_at is None:
                continue
            time = working.between(at, reached_at)
            counted.waits[day, step, bound_of(time)]["count"] += 1
            if step == "answered":
                minutes = time // timedelta(minutes=1)
                counted.counterparts[day, counterpart].update(answered=1, answered_minutes=minutes)


def _count_limits(counted: Counted, scope: str, key: int) -> None:
    for day, kind, counterpart, met, missed in _rows(_LIMITS.format(scope=scope), [timezone.now(), key]):
        counted.figures[(day,)].update({f"{kind}_met": met, f"{kind}_missed": missed})
        if missed:
            counted.counterparts[day, counterpart].update(limits_missed=missed)


def _swedish_day(at: datetime) -> Any:
    return at.astimezone(ZONE).date()


def _rows(statement: str, parameters: Sequence[int | datetime]) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        while rows := cursor.fetchmany(_ROWS_AT_A_TIME):
            yield from rows
