"""What administrators of an organisation and managers of a mailbox may do.

Every change is an entry in the access log. Whoever calls has let `mailbox.access` say that the actor may.
"""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from mailbox import access_log, events
from mailbox.access import Viewer, administered_by, managed_by, may_name
from mailbox.conversations import assignment
from mailbox.models import (
    Conversation,
    FunctionMailbox,
    Membership,
    OrganisationLock,
    OrganisationRole,
    Person,
    Redirection,
)

from . import four_eyes, routing


class AddressTaken(Exception):
    """The organisation has a mailbox for this function address already."""


class RoleNotGrantable(Exception):
    """Nobody gives what they do not hold, nor anything to themselves."""


def mailboxes_administered_by(person: Viewer) -> QuerySet[FunctionMailbox]:
    """The mailboxes of the organisations that the person administers."""
    return FunctionMailbox.objects.filter(participant_id__in=administered_by(person))


def people_administered_by(person: Viewer) -> QuerySet[Person]:
    """People with a membership or a role in those organisations, and leaders of their departments."""
    organisations = administered_by(person)
    leaders = Person.objects.filter(led_departments__department__participant_id__in=organisations)
    members = Person.objects.filter(memberships__mailbox__participant_id__in=organisations)
    holders = Person.objects.filter(organisation_roles__participant_id__in=organisations)
    return (members | holders | leaders).distinct().order_by("name", "pk")


def open_mailbox(actor: Person, participant_id: str, address: str, name: str) -> FunctionMailbox:
    """Make a mailbox for a function address. Raises `AddressTaken`."""
    try:
        with transaction.atomic():
            mailbox = FunctionMailbox.objects.create(
                participant_id=participant_id, address=address, name=name
            )
            access_log.record(actor, "mailbox-created", participant_id, mailbox=mailbox)
    except IntegrityError:
        raise AddressTaken from None
    return mailbox


def set_open(actor: Person, mailbox: FunctionMailbox, *, is_open: bool, second: Person | None = None) -> bool:
    """Open or close a mailbox: a closed one refuses new messages, and keeps what it has.

    False where it waits for a second administrator, since another mailbox's messages would come to the actor.
    """
    with transaction.atomic():
        row = FunctionMailbox.objects.select_for_update().get(pk=mailbox.pk)
        if row.is_open != is_open:
            stand_in = routing.stand_in_of(row.participant_id, row.address)
            kind = Redirection.Kind.OPEN_MAILBOX if is_open else Redirection.Kind.CLOSE_MAILBOX
            giving, taking = (stand_in, row) if is_open else (row, stand_in)
            is_moved = stand_in is not None or not is_open
            if is_moved and not four_eyes.apply_or_propose(
                actor,
                kind,
                row.participant_id,
                mailbox=giving,
                target=taking,
                value={"mailbox": row.pk},
                second=second,
            ):
                return False
        mailbox.is_open = is_open
        mailbox.save(update_fields=["is_open"])
        what = "mailbox-opened" if is_open else "mailbox-closed"
        access_log.record(actor, what, mailbox.participant_id, mailbox=mailbox)
    return True


def set_limit(actor: Person, mailbox: FunctionMailbox, hours: int) -> None:
    """Set how long a message may wait before the mailbox counts as unattended."""
    with transaction.atomic():
        mailbox.unattended_after_hours = hours
        mailbox.save(update_fields=["unattended_after_hours"])
        access_log.record(actor, "mailbox-limit-set", mailbox.participant_id, mailbox=mailbox, hours=hours)


def add_member(
    actor: Person,
    mailbox: FunctionMailbox,
    subject: str,
    name: str,
    *,
    role: str = Membership.Role.MEMBER,
    ends_at: datetime | None = None,
) -> Person:
    """Make somebody a member until a moment, adding the person if need be; a membership there is changed.

    Raises `RoleNotGrantable` where somebody names themselves.
    """
    with transaction.atomic():
        person, created = Person.add(subject, name)
        if person.pk == actor.pk:
            raise RoleNotGrantable
        if created:
            access_log.record(actor, "person-added", mailbox.participant_id, person=person)
        add_known_member(actor, mailbox, person, role=role, ends_at=ends_at)
    return person


def add_known_member(
    actor: Person,
    mailbox: FunctionMailbox,
    person: Person,
    *,
    role: str = Membership.Role.MEMBER,
    ends_at: datetime | None = None,
) -> None:
    """Make somebody who is known here a member until a moment. Raises `RoleNotGrantable` as `add_member`."""
    if person.pk == actor.pk:
        raise RoleNotGrantable
    with transaction.atomic():
        membership, joined = Membership.objects.update_or_create(
            person=person,
            mailbox=mailbox,
            defaults={"role": role, "ends_at": ends_at, "rule": None, "directory_mapping": None},
        )
        access_log.record(
            actor,
            "member-added" if joined else "member-changed",
            mailbox.participant_id,
            mailbox=mailbox,
            person=person,
            role=membership.role,
            until=ends_at.isoformat() if ends_at else None,
        )
        if not joined:
            assignment.adapt_to_role(membership)
        update_login_lock(person)
        events.announce(mailbox.pk)


def known_people(actor: Person, mailbox: FunctionMailbox) -> QuerySet[Person]:
    """People of the mailbox's organisation whom the actor knows of and may make members, by name: an
    administrator everybody in it, a manager the members of the mailboxes that they manage there."""
    own = FunctionMailbox.objects.filter(participant_id=mailbox.participant_id, pk__in=managed_by(actor))
    known = Q(pk__in=Membership.objects.filter(mailbox__in=own).values("person"))
    if mailbox.participant_id in administered_by(actor):
        roles = OrganisationRole.objects.filter(participant_id=mailbox.participant_id)
        known |= Q(pk__in=roles.values("person"))
    members = mailbox.memberships.values("person")
    return Person.objects.filter(known).exclude(pk=actor.pk).exclude(pk__in=members).order_by("name", "pk")


def remove_person(actor: Person, person: Person) -> None:
    """End everything that a person holds in the organisations that the actor administers.

    Raises `RoleNotGrantable` where one of the roles is not the actor's to take, or it is the actor's own.
    """
    if person.pk == actor.pk:
        raise RoleNotGrantable
    with transaction.atomic():
        organisations = administered_by(actor)
        for role in person.organisation_roles.filter(participant_id__in=organisations):
            revoke_role(actor, role)
        memberships = person.memberships.filter(mailbox__participant_id__in=organisations)
        for membership in memberships.select_related("mailbox", "person"):
            remove_member(actor, membership)
        person.led_departments.filter(department__participant_id__in=organisations).delete()
        for participant_id in organisations:
            access_log.record(actor, "person-removed", participant_id, person=person)
        events.announce_to(person.pk)


def remove_member(actor: Person | None, membership: Membership, **details: Any) -> None:
    """End a membership: what the person sees of the mailbox ends with it. Without an actor its time is up."""
    with transaction.atomic():
        mailbox, person = membership.mailbox, membership.person
        membership.delete()
        assignment.unassign_all(person, mailbox)
        what = "member-removed" if actor else "membership-ended"
        access_log.record(actor, what, mailbox.participant_id, mailbox=mailbox, person=person, **details)
        events.announce(mailbox.pk)


def end_memberships() -> int:
    """Remove memberships whose time is up (they opened nothing any more); how many."""
    ended = Membership.objects.filter(ends_at__lte=timezone.now()).select_related("mailbox", "person")
    for membership in ended:
        remove_member(None, membership)
    return len(ended)


def set_locked(actor: Person, person: Person, *, is_locked: bool) -> None:
    """Lock a person out of the organisations that the actor administers, at once and in open pages too; or
    let them in again. What other organisations have given, or locked, stays as it is."""
    with transaction.atomic():
        for participant_id in sorted(set(administered_by(actor)) & _organisations_of(person)):
            if is_locked:
                lock_out(actor, person, participant_id)
            else:
                let_in(actor, person, participant_id)


def lock_out(
    actor: Person | None,
    person: Person,
    participant_id: str,
    *,
    is_by_directory: bool = False,
    **details: Any,
) -> None:
    """Lock a person out of one organisation, at once and in open pages too.

    A directory service leaves an administrator's lock as it is; an administrator's takes over the other's.
    `details` are for the administrative log.
    """
    with transaction.atomic():
        lock, is_new = OrganisationLock.objects.get_or_create(
            person=person, participant_id=participant_id, defaults={"is_by_directory": is_by_directory}
        )
        if lock.is_by_directory and not is_by_directory:
            lock.is_by_directory = False
            lock.save(update_fields=["is_by_directory"])
        if not is_new and is_by_directory:
            return
        for mailbox in FunctionMailbox.objects.filter(
            participant_id=participant_id, memberships__person=person
        ):
            assignment.unassign_all(person, mailbox)
        access_log.record(actor, "person-locked", participant_id, person=person, **details)
        update_login_lock(person)
        events.announce_to(person.pk)


def let_in(
    actor: Person | None,
    person: Person,
    participant_id: str,
    *,
    is_by_directory: bool = False,
    **details: Any,
) -> None:
    """Let a person in to one organisation again. A directory service lifts the lock that it made, and no
    other; an administrator lifts any."""
    with transaction.atomic():
        locks = OrganisationLock.objects.filter(person=person, participant_id=participant_id)
        if is_by_directory:
            locks = locks.filter(is_by_directory=True)
        is_lifted = bool(locks.delete()[0])
        if is_by_directory and not is_lifted:
            return
        access_log.record(actor, "person-unlocked", participant_id, person=person, **details)
        update_login_lock(person)
        events.announce_to(person.pk)


def _organisations_of(person: Person) -> set[str]:
    """Those in which the person has a membership or a role, or leads a department."""
    members = person.memberships.values_list("mailbox__participant_id", flat=True)
    led = person.led_departments.values_list("department__participant_id", flat=True)
    return {*members, *led, *person.organisation_roles.values_list("participant_id", flat=True)}


def update_login_lock(person: Person) -> None:
    """Whoever is locked out everywhere cannot log in."""
    # Two organisations may lock the same person at once: the second one counts the first one's lock.
    Person.objects.select_for_update(no_key=True).get(pk=person.pk)
    locked = set(person.locks.values_list("participant_id", flat=True))
    person.is_active = not locked or bool(_organisations_of(person) - locked)
    person.save(update_fields=["is_active"])


def give_role(actor: Person, person: Person, role: str, participant_id: str) -> None:
    """Make somebody an administrator or an auditor. Raises `RoleNotGrantable`."""
    if not may_name(actor, person, role, participant_id):
        raise RoleNotGrantable
    with transaction.atomic():
        _, given = OrganisationRole.objects.get_or_create(
            person=person, participant_id=participant_id, role=role
        )
        if given:
            access_log.record(actor, "role-given", participant_id, person=person, role=role)
            update_login_lock(person)


def revoke_role(actor: Person, given_role: OrganisationRole) -> None:
    """Revoke a role. Raises `RoleNotGrantable`."""
    if not may_name(actor, given_role.person, given_role.role, given_role.participant_id):
        raise RoleNotGrantable
    with transaction.atomic():
        person, role, participant_id = given_role.person, given_role.role, given_role.participant_id
        given_role.delete()
        access_log.record(actor, "role-taken", participant_id, person=person, role=role)
        events.announce_to(person.pk)


def record_bundle_made(actor: Person, conversation: Conversation) -> None:
    """Record that a conversation was exported as a record bundle."""
    mailbox = conversation.mailbox
    access_log.record(
        actor, "record-bundle-made", mailbox.participant_id, mailbox=mailbox, conversation=conversation
    )


def eark_package_made(actor: Person, conversation: Conversation) -> None:
    """Record that a conversation was exported as an E-ARK package."""
    mailbox = conversation.mailbox
    access_log.record(
        actor, "eark-package-made", mailbox.participant_id, mailbox=mailbox, conversation=conversation
    )


def appoint(participant_id: str, person: Person, role: str) -> None:
    """Give a person a role while a node is set up, on nobody's order; nothing changes if they have it."""
    _, given = OrganisationRole.objects.get_or_create(person=person, participant_id=participant_id, role=role)
    if given:
        access_log.record(None, "role-given", participant_id, person=person, role=role)
