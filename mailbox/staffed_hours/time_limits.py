"""Time limits of conversations: by when what has arrived is to be opened, answered and done.

A limit of a kind begins with the first message that is not opened, answered or done yet, and ends when it is:
- opened by a member; answered by a message of ours; done, or put in the trash, which ends all of them.
Limits are stored as moments, counted in staffed hours when they begin. When a mailbox's levels or hours are
changed, a task computes anew those that run. A conversation has the nearest of its running limits, for lists.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from mailbox import access_log, events, fault_isolation
from mailbox.models import Conversation, FunctionMailbox, Person, ServiceLevels, TimeLimit
from transport import unit_of_work

from . import calendars
from .calendar import ROUND_THE_CLOCK, Calendar

Kind = TimeLimit.Kind
Levels = Mapping[Kind, timedelta]
MOST_HOURS: Final = 2_000
_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class LimitShown:
    """A conversation's nearest limit: how much working time is left, or has passed since."""

    kind: str
    at: datetime
    is_missed: bool
    time: timedelta


def levels_of(mailbox_ids: Iterable[int]) -> dict[int, Levels]:
    """The limits that mailboxes have, by their keys; those without any are missing."""
    found = {}
    for row in ServiceLevels.objects.filter(mailbox__in=set(mailbox_ids)):
        levels = _levels_from(row)
        if levels:
            found[row.mailbox_id] = levels
    return found


def set_levels(actor: Person, mailbox: FunctionMailbox, hours: Mapping[Kind, int | None]) -> None:
    """Set a mailbox's limits in hours; None is no limit. Limits that run are computed anew by a task."""
    with transaction.atomic():
        ServiceLevels.objects.update_or_create(
            mailbox=mailbox,
            defaults={
                **{f"{kind}_within_hours": hours.get(kind) for kind in Kind},
                "recompute_since": timezone.now(),
            },
        )
        access_log.record(actor, "service-levels-changed", mailbox.participant_id, mailbox=mailbox)


def start(arrivals: Sequence[tuple[Conversation, datetime]]) -> None:
    """Begin the limits of conversations in which messages have arrived, where none of the kind runs.

    The caller has locked the conversations, and saves them. At most four statements, however many there are.
    """
    levels = levels_of(row.mailbox_id for row, _ in arrivals)
    if not levels:
        return
    found = calendars.calendars_of({row.mailbox_id: row.mailbox for row, _ in arrivals}.values())
    limits = []
    for row, at in arrivals:
        calendar = found.get(row.mailbox_id, ROUND_THE_CLOCK)
        for kind, hours in levels.get(row.mailbox_id, {}).items():
            limit_at = calendar.after(at, hours)
            if limit_at is None:
                continue
            limits.append(TimeLimit(conversation=row, kind=kind, began_at=at, limit_at=limit_at))
            # One that runs already is earlier, and so is the conversation's nearest.
            if row.limit_at is None or limit_at < row.limit_at:
                row.limit_at, row.limit_kind = limit_at, kind
    TimeLimit.objects.bulk_create(limits, ignore_conflicts=True)


def end(row: Conversation, *kinds: Kind, begun_until: datetime | None = None) -> list[int]:
    """End the limits of a locked conversation that run and are of these kinds; returns their keys.

    `begun_until` leaves those that began later: what has arrived since has not been seen.
    """
    if row.limit_at is None:
        return []
    running = list(TimeLimit.objects.filter(conversation=row, ended_at=None))
    ended = [
        each
        for each in running
        if each.kind in kinds and (begun_until is None or each.began_at <= begun_until)
    ]
    if ended:
        TimeLimit.objects.filter(pk__in=[each.pk for each in ended]).update(ended_at=timezone.now())
        _set_nearest(row, [each for each in running if each not in ended])
        row.save(update_fields=["limit_at", "limit_kind"])
    return [each.pk for each in ended]


def end_opened(conversation: Conversation) -> None:
    """A member has opened the conversation, as it was read: end the limit for that, if one runs."""
    if conversation.limit_at is None or conversation.last_arrived_at is None:
        return
    limits = TimeLimit.objects.filter(
        conversation=conversation, kind=Kind.OPENED, ended_at=None, began_at__lte=conversation.last_arrived_at
    )
    if not limits.exists():
        return
    with transaction.atomic():
        row = Conversation.objects.select_for_update().get(pk=conversation.pk)
        if end(row, Kind.OPENED, begun_until=conversation.last_arrived_at):
            events.announce(row.mailbox_id)
    conversation.limit_at, conversation.limit_kind = row.limit_at, row.limit_kind


def resume(row: Conversation, keys: Sequence[int]) -> None:
    """Let limits of a locked conversation run again that a change ended which is undone."""
    ended = list(TimeLimit.objects.filter(pk__in=keys, conversation=row, ended_at__isnull=False))
    running = list(TimeLimit.objects.filter(conversation=row, ended_at=None))
    kinds = {each.kind for each in running}
    resumed = [each for each in ended if each.kind not in kinds]
    TimeLimit.objects.filter(pk__in=[each.pk for each in resumed]).update(ended_at=None)
    _set_nearest(row, [*running, *resumed])
    row.save(update_fields=["limit_at", "limit_kind"])


def recompute(rows: Sequence[Conversation], mailbox: FunctionMailbox) -> None:
    """Compute the limits of a mailbox's locked conversations anew, and begin those that it has now.

    What has arrived and was neither answered nor done begins with the latest message; what had its limit
    before, or was opened, does not begin again.
    """
    levels = levels_of([mailbox.pk]).get(mailbox.pk, {})
    calendar = calendars.calendar_of(mailbox) or ROUND_THE_CLOCK
    limits = TimeLimit.objects.filter(conversation__in=rows).order_by("pk")
    by_row: dict[int, list[TimeLimit]] = {row.pk: [] for row in rows}
    for limit in limits:
        by_row[limit.conversation_id].append(limit)
    changed, removed, created = [], [], []
    with unit_of_work.saving(rows):
        for row in rows:
            running = [each for each in by_row[row.pk] if each.ended_at is None]
            kept = []
            for limit in running:
                limit_at = _limit_at(calendar, levels, Kind(limit.kind), limit.began_at)
                if limit_at is None:
                    removed.append(limit.pk)
                    continue
                if limit_at != limit.limit_at:
                    limit.limit_at = limit_at
                    changed.append(limit)
                kept.append(limit)
            new = _missing(row, by_row[row.pk], levels, calendar)
            created += new
            _set_nearest(row, [*kept, *new])
    TimeLimit.objects.filter(pk__in=removed).delete()
    TimeLimit.objects.bulk_update(changed, ["limit_at"])
    TimeLimit.objects.bulk_create(created, ignore_conflicts=True)


def recompute_due() -> int:
    """Compute the limits of mailboxes anew whose levels or hours have changed; returns of how many."""
    due = ServiceLevels.objects.filter(recompute_since__isnull=False).order_by("recompute_since", "pk")
    return fault_isolation.count_each(_recompute_mailbox, list(due.select_related("mailbox")))


def shown_of(rows: Sequence[Conversation]) -> dict[int, LimitShown]:
    """The nearest limits of open conversations as pages show them, by key; at most three queries."""
    limited = [row for row in rows if row.limit_at is not None and row.state == Conversation.State.OPEN]
    if not limited:
        return {}
    boxes = FunctionMailbox.objects.filter(pk__in={row.mailbox_id for row in limited})
    found, now = calendars.calendars_of(boxes), timezone.now()
    shown = {}
    for row in limited:
        if row.limit_at is not None:
            calendar = found.get(row.mailbox_id, ROUND_THE_CLOCK)
            is_missed = row.limit_at < now
            time = calendar.time_between(min(row.limit_at, now), max(row.limit_at, now))
            shown[row.pk] = LimitShown(row.limit_kind, row.limit_at, is_missed, time)
    return shown


def running_of(conversation: Conversation) -> list[TimeLimit]:
    """The limits of a conversation that run, the nearest first."""
    if conversation.limit_at is None:
        return []
    return list(TimeLimit.objects.filter(conversation=conversation, ended_at=None).order_by("limit_at", "pk"))


def _recompute_mailbox(levels: ServiceLevels) -> int:
    """Recompute in batches; the mark stays where something has been changed since."""
    rows = Conversation.objects.filter(mailbox=levels.mailbox, state=Conversation.State.OPEN)
    last = 0
    while True:
        with transaction.atomic():
            batch = list(rows.filter(pk__gt=last).order_by("pk").select_for_update()[:_BATCH])
            if batch:
                recompute(batch, levels.mailbox)
                last = batch[-1].pk
        if len(batch) < _BATCH:
            break
    with transaction.atomic():
        seen = ServiceLevels.objects.filter(pk=levels.pk, recompute_since=levels.recompute_since)
        seen.update(recompute_since=None)
        events.announce(levels.mailbox_id)
    return 1


def _missing(
    row: Conversation, limits: Sequence[TimeLimit], levels: Levels, calendar: Calendar
) -> list[TimeLimit]:
    """Limits that an open conversation would have, had its mailbox had them when the message arrived."""
    at = row.last_arrived_at
    if row.state != Conversation.State.OPEN or at is None:
        return []
    known = {each.kind for each in limits if each.ended_at is None or each.ended_at >= at}
    wanted = {Kind.DONE} if row.is_waiting else {Kind.ANSWERED, Kind.DONE}
    found = []
    for kind in sorted(wanted - known):
        limit_at = _limit_at(calendar, levels, Kind(kind), at)
        if limit_at is not None:
            found.append(TimeLimit(conversation=row, kind=kind, began_at=at, limit_at=limit_at))
    return found


def _limit_at(calendar: Calendar, levels: Levels, kind: Kind, began_at: datetime) -> datetime | None:
    return calendar.after(began_at, levels[kind]) if kind in levels else None


def _set_nearest(row: Conversation, running: Sequence[TimeLimit]) -> None:
    nearest = min(running, key=lambda each: each.limit_at, default=None)
    row.limit_at = nearest.limit_at if nearest else None
    row.limit_kind = nearest.kind if nearest else ""


def _levels_from(row: ServiceLevels) -> Levels:
    hours = {
        Kind.OPENED: row.opened_within_hours,
        Kind.ANSWERED: row.answered_within_hours,
        Kind.DONE: row.done_within_hours,
    }
    return {kind: timedelta(hours=count) for kind, count in hours.items() if count}
