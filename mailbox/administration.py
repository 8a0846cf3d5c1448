"""What an administrator of an organisation may do. Every change is an entry in the access log."""

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from . import access_log, events
from .access import Viewer, administered_by
from .models import FunctionMailbox, Membership, OrganisationRole, Person


class AddressTaken(Exception):
    """The organisation has a mailbox for this function address already."""


def mailboxes_administered_by(person: Viewer) -> QuerySet[FunctionMailbox]:
    """The mailboxes of the organisations that the person administers."""
    return FunctionMailbox.objects.filter(participant_id__in=administered_by(person))


def people_administered_by(person: Viewer) -> QuerySet[Person]:
    """People with a membership or a role in those organisations."""
    organisations = administered_by(person)
    members = Person.objects.filter(memberships__mailbox__participant_id__in=organisations)
    holders = Person.objects.filter(organisation_roles__participant_id__in=organisations)
    return (members | holders).distinct().order_by("name", "pk")


def open_mailbox(actor: Person, participant_id: str, address: str, name: str) -> FunctionMailbox:
    """Make a mailbox for a function address. Raises `AddressTaken`."""
    try:
        with transaction.atomic():
            mailbox = FunctionMailbox.objects.create(
                participant_id=participant_id, address=address, name=name
            )
            _log(participant_id, actor, "mailbox-created", mailbox=mailbox)
    except IntegrityError:
        raise AddressTaken from None
    return mailbox


def set_open(actor: Person, mailbox: FunctionMailbox, *, is_open: bool) -> None:
    """Open or close a mailbox: a closed one refuses new messages, and keeps what it has."""
    with transaction.atomic():
        mailbox.is_open = is_open
        mailbox.save(update_fields=["is_open"])
        what = "mailbox-opened" if is_open else "mailbox-closed"
        _log(mailbox.participant_id, actor, what, mailbox=mailbox)


def add_member(actor: Person, mailbox: FunctionMailbox, subject: str, name: str) -> Person:
    """Make somebody a member, adding the person if need be."""
    with transaction.atomic():
        person, created = Person.add(subject, name)
        if created:
            _log(mailbox.participant_id, actor, "person-added", person=person)
        _, joined = Membership.objects.get_or_create(person=person, mailbox=mailbox)
        if joined:
            _log(mailbox.participant_id, actor, "member-added", mailbox=mailbox, person=person)
            events.announce(mailbox.pk)
    return person


def remove_member(actor: Person, membership: Membership) -> None:
    """End a membership: what the person sees of the mailbox ends with it."""
    with transaction.atomic():
        mailbox, person = membership.mailbox, membership.person
        membership.delete()
        _log(mailbox.participant_id, actor, "member-removed", mailbox=mailbox, person=person)
        events.announce(mailbox.pk)


def set_locked(actor: Person, person: Person, *, is_locked: bool) -> None:
    """Lock a person out at once, open pages too; or let them in again."""
    with transaction.atomic():
        person.is_active = not is_locked
        person.save(update_fields=["is_active"])
        for participant_id in administered_by(actor):
            _log(participant_id, actor, "person-locked" if is_locked else "person-unlocked", person=person)
        for mailbox_id in person.memberships.values_list("mailbox_id", flat=True):
            events.announce(mailbox_id)


def note_bundle(actor: Person, mailbox: FunctionMailbox) -> None:
    """Note that a conversation of the mailbox was taken out as a record bundle."""
    _log(mailbox.participant_id, actor, "record-bundle-made", mailbox=mailbox)


def make_administrator(participant_id: str, person: Person) -> None:
    """Used when an installation is set up; nobody can do it in the pages who is not one already."""
    OrganisationRole.objects.get_or_create(person=person, participant_id=participant_id)


def _log(
    participant_id: str,
    actor: Person | None,
    what: str,
    *,
    mailbox: FunctionMailbox | None = None,
    person: Person | None = None,
) -> None:
    access_log.note(actor, what, participant_id, mailbox=mailbox, person=person)
