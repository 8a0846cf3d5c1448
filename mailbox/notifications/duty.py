"""Telling the people on duty of what arrives outside staffed hours, one after the other until it is seen.

A notice names the mailbox, and nothing of the message. It ends when a member has seen the message, when the
conversation is answered, done or put away, when staffed hours begin, and after `_MOST_ROUNDS` of everybody.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_noop

from mailbox import fault_isolation
from mailbox.access import members_of, people_named_in
from mailbox.models import Conversation, DutyAlert, DutyList, DutyNotice, Person, PushSubscription, ReadMark
from mailbox.staffed_hours import calendars

from .notices import push_to, send_mail

# What arrived longer ago, while nothing ran, is told to nobody any more.
_LOOKS_BACK: Final = timedelta(hours=12)
_MOST_ROUNDS: Final = 3
_NOTICES_KEPT: Final = timedelta(days=7)


def send_duty_notices() -> int:
    """Tell those on duty what is due; returns how many notices were sent."""
    DutyNotice.objects.filter(at__lt=timezone.now() - _NOTICES_KEPT).delete()
    keys = DutyList.objects.order_by("pk").values_list("pk", flat=True)
    return fault_isolation.count_each(_send_of_list, list(keys))


def _send_of_list(key: int) -> int:
    """Tell those on one list, unless another worker is doing it."""
    with transaction.atomic():
        rows = DutyList.objects.select_for_update(skip_locked=True, of=("self",))
        duty_list = rows.select_related("mailbox").filter(pk=key).first()
        if duty_list is None:
            return 0
        now = timezone.now()
        running = DutyAlert.objects.filter(conversation__mailbox=duty_list.mailbox, ended_at=None)
        calendar = calendars.calendar_of(duty_list.mailbox)
        if calendar is None or calendar.is_staffed(now):
            running.update(ended_at=now)
            return 0
        arrived = _unseen_arrivals(duty_list, now)
        DutyAlert.objects.bulk_create(
            [
                DutyAlert(conversation=row, arrived_at=row.last_arrived_at, next_at=now)
                for row in arrived
                if row.last_arrived_at is not None and not calendar.is_staffed(row.last_arrived_at)
            ],
            ignore_conflicts=True,
        )
        running.exclude(_is_unseen()).update(ended_at=now)
        told = _due_people(
            duty_list,
            list(running.filter(next_at__lte=now).select_related("conversation").order_by("pk")),
            now,
        )
        for person in told:
            _tell(duty_list, person, now)
    return len(told)


def _unseen_arrivals(duty_list: DutyList, now: datetime) -> list[Conversation]:
    """Conversations of the mailbox in which a message has arrived lately that has no alert yet."""
    known = DutyAlert.objects.filter(conversation=OuterRef("pk"), arrived_at=OuterRef("last_arrived_at"))
    rows = Conversation.objects.filter(
        mailbox=duty_list.mailbox,
        state=Conversation.State.OPEN,
        last_arrived_at__gt=max(duty_list.since, now - _LOOKS_BACK),
    )
    return list(rows.exclude(Exists(known)).order_by("pk"))


def _is_unseen() -> Q:
    """Alerts whose message waits and has been seen by nobody."""
    seen = ReadMark.objects.filter(conversation=OuterRef("conversation"), seen_at__gte=OuterRef("arrived_at"))
    return Q(~Exists(seen), conversation__state=Conversation.State.OPEN, conversation__is_waiting=False)


def _due_people(duty_list: DutyList, alerts: list[DutyAlert], now: datetime) -> list[Person]:
    """Whom the alerts concern that are due; each once, however many alerts there are. Moves the alerts on."""
    reachable = _reachable_people(duty_list)
    named = people_named_in(alert.conversation_id for alert in alerts if alert.conversation.is_protected)
    told: dict[int, Person] = {}
    for alert in alerts:
        of_conversation = named.get(alert.conversation_id)
        people = [each for each in reachable if of_conversation is None or each.pk in of_conversation]
        if alert.told_count >= _MOST_ROUNDS * len(people):
            alert.ended_at = now
            continue
        person = people[alert.told_count % len(people)]
        told[person.pk] = person
        alert.told_count += 1
        alert.next_at = now + timedelta(minutes=duty_list.escalate_after_minutes)
    DutyAlert.objects.bulk_update(alerts, ["told_count", "next_at", "ended_at"])
    return list(told.values())


def _reachable_people(duty_list: DutyList) -> list[Person]:
    """Those on the list who are members now, and have a mail address or a browser that takes pushes."""
    subscribed = PushSubscription.objects.filter(person=OuterRef("pk"))
    reachable = members_of(duty_list.mailbox).filter(~Q(mail_address="") | Exists(subscribed))
    people = reachable.in_bulk(list(duty_list.people.values_list("person", flat=True)))
    order = duty_list.people.order_by("position").values_list("person", flat=True)
    return [people[key] for key in order if key in people]


def _tell(duty_list: DutyList, person: Person, now: datetime) -> None:
    DutyNotice.objects.create(mailbox=duty_list.mailbox, person=person, at=now)
    if person.mail_address:
        title = gettext_noop("Nytt utanför bemannad tid i %(name)s")
        link = reverse("mailbox", args=[duty_list.mailbox_id])
        send_mail(person, title, duty_list.mailbox, link)
    push_to(person.push_subscriptions.all())
