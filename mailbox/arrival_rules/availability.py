"""Who can be given work now, and by when it is to be done."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from mailbox.models import LoginSession
from mailbox.staffed_hours.calendar import Calendar


def present_among(person_ids: Iterable[int], at: datetime) -> frozenset[int]:
    """Those of the people who are present: who are logged in, and have done something for so short a time ago
    that their login goes on (`SDK_SESSION_IDLE_SECONDS`). In one query.

    Whether their mailbox is staffed then is asked of its calendar; of people's own hours nothing is known.
    """
    # A session is stored again when its person does something, and would end so long after that.
    active_until = at + timedelta(seconds=settings.SESSION_COOKIE_AGE - settings.SDK_SESSION_IDLE_SECONDS)
    active = Session.objects.filter(expire_date__gt=active_until).values("session_key")
    logins = LoginSession.objects.filter(
        person__in=set(person_ids),
        session_key__in=active,
        begun_at__gt=at - timedelta(seconds=settings.SESSION_COOKIE_AGE),
    )
    return frozenset(logins.values_list("person", flat=True))


def due_day(arrived_at: datetime, days: int, calendar: Calendar | None = None) -> date:
    """The day so many calendar days after the day, in local time, on which a message arrived.

    In a mailbox with staffed hours it is the first working day from then on.
    """
    day = timezone.localtime(arrived_at).date() + timedelta(days=days)
    return (calendar.next_working_day(day) if calendar is not None else None) or day
