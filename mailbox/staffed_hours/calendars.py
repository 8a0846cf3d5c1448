"""The calendars of mailboxes: a mailbox's own, or its organisation's for mailboxes without one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from mailbox import access_log
from mailbox.models import FunctionMailbox, Person, ServiceLevels, StaffedHours, StaffedHoursException

from .calendar import NOBODY, Calendar, Hours, Week

MOST_EXCEPTIONS: Final = 400


class TooManyExceptions(Exception):
    """The calendar has `MOST_EXCEPTIONS` exceptions already."""


class NoHours(Exception):
    """The owner has no hours of its own to which there could be an exception."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose hours they are: a mailbox's, or by default those of an organisation's mailboxes."""

    participant_id: str
    mailbox: FunctionMailbox | None = None


def calendar_of(mailbox: FunctionMailbox) -> Calendar | None:
    """The mailbox's calendar; None where neither it nor its organisation has set staffed hours."""
    return calendars_of([mailbox]).get(mailbox.pk)


def calendars_of(mailboxes: Iterable[FunctionMailbox]) -> dict[int, Calendar]:
    """The calendars of mailboxes by their keys, in two queries; those without staffed hours are missing."""
    boxes = list(mailboxes)
    rows = StaffedHours.objects.filter(
        Q(mailbox__in=[box.pk for box in boxes])
        | Q(mailbox=None, participant_id__in={box.participant_id for box in boxes})
    )
    found = {(row.participant_id, row.mailbox_id): row for row in rows.prefetch_related("exceptions")}
    calendars = {key: calendar_from(row) for key, row in found.items()}
    own_or_default = {
        box.pk: calendars.get((box.participant_id, box.pk)) or calendars.get((box.participant_id, None))
        for box in boxes
    }
    return {key: calendar for key, calendar in own_or_default.items() if calendar is not None}


def working_day_from(mailbox: FunctionMailbox, day: date) -> date:
    """The mailbox's first working day from this one on; the day itself where the mailbox has no calendar, or
    none follows."""
    calendar = calendar_of(mailbox)
    return (calendar.next_working_day(day) if calendar is not None else None) or day


def calendar_from(row: StaffedHours) -> Calendar:
    """The calendar of a row, with its exceptions."""
    return Calendar(
        week=_week(row.week),
        is_closed_on_holidays=row.is_closed_on_holidays,
        day_before_ends=row.day_before_ends,
        exceptions={each.day: hours_from(each.hours) for each in row.exceptions.all()},
    )


def hours_from(stored: Sequence[Sequence[int]]) -> tuple[Hours, ...]:
    """The hours of a day as a row has them."""
    return tuple(Hours(begins, ends) for begins, ends in stored)


def own_row(owner: Owner) -> StaffedHours | None:
    """The owner's own hours."""
    return StaffedHours.objects.filter(_of(owner)).prefetch_related("exceptions").first()


def save(actor: Person, owner: Owner, calendar: Calendar) -> None:
    """Set the owner's hours; its exceptions stay as they are. A mailbox that had its organisation's hours
    begins with a copy of their exceptions."""
    with transaction.atomic():
        row, is_new = StaffedHours.objects.update_or_create(
            participant_id=owner.participant_id,
            mailbox=owner.mailbox,
            defaults={
                "week": [_stored(hours) for hours in calendar.week],
                "is_closed_on_holidays": calendar.is_closed_on_holidays,
                "day_before_ends": calendar.day_before_ends,
            },
        )
        if is_new and owner.mailbox is not None:
            default = own_row(Owner(owner.participant_id))
            inherited = default.exceptions.all() if default is not None else []
            StaffedHoursException.objects.bulk_create(
                StaffedHoursException(staffed_hours=row, day=each.day, hours=each.hours, note=each.note)
                for each in inherited
            )
        _record(actor, owner)


def remove(actor: Person, owner: Owner) -> None:
    """Remove the owner's hours with their exceptions: a mailbox has its organisation's then."""
    with transaction.atomic():
        deleted, _ = StaffedHours.objects.filter(_of(owner)).delete()
        if deleted:
            _record(actor, owner)


def set_exception(actor: Person, owner: Owner, day: date, hours: Sequence[Hours], note: str) -> None:
    """Set other hours on a day, or none. Raises `NoHours`, `TooManyExceptions`."""
    with transaction.atomic():
        row = StaffedHours.objects.select_for_update().filter(_of(owner)).first()
        if row is None:
            raise NoHours
        others = row.exceptions.exclude(day=day)
        if others.count() >= MOST_EXCEPTIONS:
            raise TooManyExceptions
        row.exceptions.update_or_create(day=day, defaults={"hours": _stored(hours), "note": note})
        _record(actor, owner)


def remove_exception(actor: Person, owner: Owner, key: int) -> bool:
    """Remove one of the owner's exceptions; returns whether there was one."""
    with transaction.atomic():
        rows = StaffedHoursException.objects.filter(
            pk=key, staffed_hours__in=StaffedHours.objects.filter(_of(owner))
        )
        deleted, _ = rows.delete()
        if deleted:
            _record(actor, owner)
    return bool(deleted)


def _record(actor: Person, owner: Owner) -> None:
    """Record the change, and have the time limits of the mailboxes computed anew (`time_limits`)."""
    boxes = FunctionMailbox.objects.filter(participant_id=owner.participant_id)
    if owner.mailbox is not None:
        boxes = boxes.filter(pk=owner.mailbox.pk)
    ServiceLevels.objects.filter(mailbox__in=boxes).update(recompute_since=timezone.now())
    access_log.record(actor, "staffed-hours-changed", owner.participant_id, mailbox=owner.mailbox)


def _of(owner: Owner) -> Q:
    return Q(participant_id=owner.participant_id, mailbox=owner.mailbox)


def _week(stored: Sequence[Sequence[Sequence[int]]]) -> Week:
    return tuple(hours_from(day) for day in stored) if stored else NOBODY


def _stored(hours: Sequence[Hours]) -> list[list[int]]:
    return [[each.begins, each.ends] for each in sorted(hours)]
