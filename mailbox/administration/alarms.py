"""Unattended mailboxes: without an active member, or with a message that has waited too long.

Each one has an alarm, which pages and metrics read. Its managers get a mail once a day while it lasts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Min, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from mailbox import fault_isolation
from mailbox.access import (
    Viewer,
    current_memberships,
    mailboxes_of,
    managed_by,
    working_memberships,
)
from mailbox.models import (
    Conversation,
    FunctionMailbox,
    Membership,
    Message,
    Person,
    UnattendedAlarm,
)
from mailbox.staffed_hours import calendars
from mailbox.staffed_hours.calendar import ROUND_THE_CLOCK, Calendar
from transport import mail

from .certificates import administrator_addresses

_REPEAT_AFTER: Final = timedelta(days=1)
Reason = UnattendedAlarm.Reason


@dataclass(frozen=True, slots=True)
class Unattended:
    """An unattended mailbox, why it is unattended, and since when."""

    mailbox: FunctionMailbox
    reason: Reason
    since: datetime


def unhandled() -> QuerySet[Conversation]:
    """Open conversations in which the latest message is neither answered nor done."""
    answer = Message.objects.filter(
        conversation=OuterRef("pk"),
        direction=Message.Direction.OUT,
        is_automatic=False,
        at__gt=OuterRef("last_arrived_at"),
    )
    rows = Conversation.objects.filter(last_arrived_at__isnull=False, state=Conversation.State.OPEN)
    return rows.exclude(Exists(answer))


def unassigned() -> QuerySet[Conversation]:
    """Unhandled conversations without an assignee."""
    return unhandled().filter(assignee=None)


def unattended(now: datetime) -> list[Unattended]:
    """The open mailboxes that are unattended now; a mailbox's limit counts its staffed hours."""
    active = Membership.objects.filter(
        current_memberships(), working_memberships(), mailbox=OuterRef("pk"), person__is_active=True
    )
    rows = FunctionMailbox.objects.filter(is_open=True).annotate(has_member=Exists(active))
    boxes = list(rows.order_by("pk"))
    oldest = dict(
        unassigned()
        .order_by()
        .values("mailbox")
        .annotate(oldest=Min("last_arrived_at"))
        .values_list("mailbox", "oldest")
    )
    waiting = [box for box in boxes if box.pk in oldest]
    found_calendars = calendars.calendars_of(waiting)
    found = []
    for box in boxes:
        waiting_since = oldest.get(box.pk)
        limit = timedelta(hours=box.unattended_after_hours)
        calendar = found_calendars.get(box.pk, ROUND_THE_CLOCK)
        if not box.has_member:
            found.append(Unattended(box, Reason.NO_MEMBER, waiting_since or now))
        elif waiting_since is not None and _has_waited(calendar, waiting_since, now, limit):
            found.append(Unattended(box, Reason.UNTAKEN, waiting_since))
    return found


def _has_waited(calendar: Calendar, since: datetime, now: datetime, limit: timedelta) -> bool:
    """Whether more working time than the limit has passed; where the time since then is shorter, it has
    not."""
    return now - since > limit and calendar.time_between(since, now) > limit


def send_alarms() -> None:
    """Update the alarms to the current state, and send those that are due to the managers by mail."""
    now = timezone.now()
    with transaction.atomic():
        found = {each.mailbox.pk: each for each in unattended(now)}
        UnattendedAlarm.objects.exclude(mailbox__in=found).delete()
        for mailbox_id, each in found.items():
            UnattendedAlarm.objects.update_or_create(
                mailbox_id=mailbox_id,
                defaults={"reason": each.reason},
                create_defaults={"reason": each.reason, "since": each.since},
            )
    _send_due(now)


def alarms_of(person: Viewer) -> QuerySet[UnattendedAlarm]:
    """The alarms for a person's start page: of their own mailboxes, and of those that they manage."""
    boxes = FunctionMailbox.objects.filter(Q(pk__in=mailboxes_of(person)) | Q(pk__in=managed_by(person)))
    return UnattendedAlarm.objects.filter(mailbox__in=boxes).select_related("mailbox").order_by("since")


def counts() -> dict[str, int]:
    """How many mailboxes are unattended, by reason."""
    rows = UnattendedAlarm.objects.values_list("reason", flat=True)
    return {reason.value: sum(row == reason for row in rows) for reason in Reason}


def _send_due(now: datetime) -> None:
    due = UnattendedAlarm.objects.filter(Q(told_at=None) | Q(told_at__lt=now - _REPEAT_AFTER))
    fault_isolation.count_each(partial(_send_alarm, now), list(due.select_related("mailbox")))


def _send_alarm(now: datetime, alarm: UnattendedAlarm) -> int:
    addresses = _recipients(alarm.mailbox)
    if addresses:
        _mail(alarm, addresses)
    UnattendedAlarm.objects.filter(pk=alarm.pk).update(told_at=now)
    return len(addresses)


def alarm_addresses(participant_id: str) -> set[str]:
    """The mail addresses of an organisation's administrators and of the operators."""
    return {*administrator_addresses(participant_id), *settings.SDK_OPERATOR_MAIL}


def mail_alarm(addresses: Iterable[str], subject: str, text: str, path: str) -> None:
    """Mail everybody a text with a link to a page.

    Raises `mail.NothingSent` where there are addresses, and none could be reached.
    """
    recipients = sorted(addresses)
    body = f"{text}\n\n{settings.SDK_PUBLIC_URL}{path}\n"
    if recipients and not mail.send_each(recipients, subject, body):
        raise mail.NothingSent


def _recipients(mailbox: FunctionMailbox) -> list[str]:
    """The mail addresses of the managers; if none has one, those of the organisation's administrators."""
    managing = Membership.objects.filter(current_memberships(), mailbox=mailbox, role=Membership.Role.MANAGER)
    people = Person.objects.filter(pk__in=managing.values("person_id"), is_active=True)
    addresses = people.exclude(mail_address="").values_list("mail_address", flat=True)
    return sorted(set(addresses) or set(administrator_addresses(mailbox.participant_id)))


def _mail(alarm: UnattendedAlarm, addresses: list[str]) -> None:
    """Send the mail, which names the mailbox and no content."""
    with override(settings.LANGUAGE_CODE):
        subject = _("Obevakad brevlåda: %(name)s") % {"name": alarm.mailbox.name}
        why = {
            Reason.NO_MEMBER: _("Ingen aktiv medlem läser den."),
            Reason.UNTAKEN: _("Det äldsta meddelandet har väntat längre än brevlådans gräns."),
        }[Reason(alarm.reason)]
    mail_alarm(addresses, subject, why, reverse("administration-mailbox", args=[alarm.mailbox_id]))
