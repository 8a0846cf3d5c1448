"""Whom a mailbox has told of what arrives outside its staffed hours, and in which order."""

from collections.abc import Sequence
from typing import Final

from django.db import transaction
from django.utils import timezone

from mailbox import access_log
from mailbox.models import DutyList, DutyPerson, FunctionMailbox, Person

MOST_PEOPLE: Final = 3
SHORTEST_MINUTES: Final = 5
LONGEST_MINUTES: Final = 720


def duty_list_of(mailbox: FunctionMailbox) -> DutyList | None:
    """The mailbox's duty list with its people."""
    return DutyList.objects.filter(mailbox=mailbox).prefetch_related("people__person").first()


def set_duty_list(actor: Person, mailbox: FunctionMailbox, people: Sequence[Person], minutes: int) -> None:
    """Set who is told, in this order, the next one after so many minutes; with nobody nothing is told."""
    with transaction.atomic():
        row, _created = DutyList.objects.select_for_update().update_or_create(
            mailbox=mailbox,
            defaults={"escalate_after_minutes": minutes},
            create_defaults={"escalate_after_minutes": minutes, "since": timezone.now()},
        )
        row.people.all().delete()
        DutyPerson.objects.bulk_create(
            DutyPerson(duty_list=row, person=person, position=position)
            for position, person in enumerate(people)
        )
        if not people:
            row.delete()
        access_log.record(actor, "duty-list-changed", mailbox.participant_id, mailbox=mailbox)
