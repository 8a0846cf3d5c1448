"""Leaders of departments: people who see the figures of a department and of those below it."""

from django.db import transaction
from django.db.models import Q, QuerySet

from mailbox import access_log, events
from mailbox.administration import mailboxes
from mailbox.models import (
    Department,
    DepartmentLeader,
    Membership,
    MonthlyFigures,
    OrganisationRole,
    Person,
)

from .tree import Gone


class OwnLeadership(Exception):
    """Nobody makes themselves a leader."""


def known_people(actor: Person, department: Department) -> QuerySet[Person]:
    """People of the department's organisation who may become leaders of it, by name."""
    members = Membership.objects.filter(mailbox__participant_id=department.participant_id)
    roles = OrganisationRole.objects.filter(participant_id=department.participant_id)
    leaders = DepartmentLeader.objects.filter(department__participant_id=department.participant_id)
    known = Q(pk__in=members.values("person")) | Q(pk__in=roles.values("person"))
    rows = Person.objects.filter(known | Q(pk__in=leaders.values("person"))).exclude(pk=actor.pk)
    return rows.exclude(led_departments__department=department).order_by("name", "pk")


def add(actor: Person, department: Department, person: Person) -> None:
    """Let a person see the department's figures. Raises `Gone`, `OwnLeadership`."""
    if person.pk == actor.pk:
        raise OwnLeadership
    with transaction.atomic():
        access_log.record(
            actor, "leader-added", department.participant_id, person=person, department=department.name
        )
        if not Department.objects.filter(pk=department.pk, removed_at=None).exists():
            raise Gone
        DepartmentLeader.objects.get_or_create(department=department, person=person)
        mailboxes.update_login_lock(person)


def add_new(actor: Person, department: Department, subject: str, name: str) -> Person:
    """As `add`, for somebody who need not be known here; `subject` is what the e-ID says of them."""
    with transaction.atomic():
        person, is_new = Person.add(subject, name)
        if is_new:
            access_log.record(actor, "person-added", department.participant_id, person=person)
        add(actor, department, person)
    return person


def remove(actor: Person, leader: DepartmentLeader) -> None:
    """Let a person no longer see the department's figures, nor get them by mail."""
    department = leader.department
    with transaction.atomic():
        access_log.record(
            actor,
            "leader-removed",
            department.participant_id,
            person=leader.person,
            department=department.name,
        )
        MonthlyFigures.objects.filter(person=leader.person, department=department).delete()
        leader.delete()
        events.announce_to(leader.person_id)
