"""Protecting a conversation, changing who is named, ending the protection, and opening it as a manager."""

import uuid
from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.utils import timezone

from mailbox import access, access_log
from mailbox.conversations import assignment
from mailbox.models import (
    Conversation,
    ConversationEvent,
    Draft,
    Membership,
    NamedMember,
    Person,
    ProtectedOpening,
    ProtectionNotice,
    Reassignment,
)

What = ConversationEvent.What


class NotMembers(Exception):
    """Somebody who was named is no member of the mailbox any more."""


class BeingSent(Exception):
    """Somebody who would not be named has ordered an answer in the conversation to be sent."""


class NotProtected(Exception):
    """The conversation is not protected any more."""


def set_named_members(conversation_id: int, person: Person, named: Collection[int]) -> bool:
    """Protect a conversation that the person sees, or change who is named in it; whether anything changed.

    `named` are keys of people; the person is always one of them. Whoever is not named sees it no more: their
    assignment ends, and an offer to them or to another mailbox is withdrawn. Raises `NotMembers`,
    `BeingSent`, `assignment.NotAMember`.
    """
    wanted = {*named, person.pk}
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        # Shared until this transaction ends: none of them ends between the check and the rows.
        pairs = assignment.share_memberships(
            [(key, row.mailbox_id) for key in sorted(wanted)], of_readers=True
        )
        if {key for key, _ in pairs} != wanted:
            raise NotMembers
        before = access.people_named_in([row.pk])[row.pk]
        if row.is_protected and before == wanted:
            return False
        # What they have ordered could not be sent, and nobody who is named would learn of it.
        ordered = Draft.objects.filter(answers__conversation=row).exclude(send_at=None)
        if ordered.exclude(send_by__in=wanted).exists():
            raise BeingSent
        memberships = Membership.objects.filter(mailbox=row.mailbox_id, person__in=wanted)
        row.named_members.exclude(membership__in=memberships).delete()
        now = timezone.now()
        NamedMember.objects.bulk_create(
            [
                NamedMember(conversation=row, membership=each, named_by=person, named_at=now)
                for each in memberships.exclude(person__in=before).order_by("pk")
            ]
        )
        is_new = not row.is_protected
        row.is_protected = True
        row.save(update_fields=["is_protected"])
        _end_what_others_have(row, wanted)
        names = ", ".join(access.members_who_see(row).values_list("name", flat=True))
        assignment.record_event(
            row, What.PROTECTED if is_new else What.NAMED_MEMBERS_CHANGED, person, to=names
        )
        what = "conversation-protected" if is_new else "protected-members-set"
        _log(person, what, row, named=sorted(wanted))
    return True


def protect_as(row: Conversation, original: Conversation, person: Person) -> None:
    """Protect a conversation, which a message that was forwarded has begun, for those who see the original,
    if that is protected."""
    if not original.is_protected or row.is_protected:
        return
    now = timezone.now()
    members = [named.membership_id for named in original.named_members.order_by("pk")]
    NamedMember.objects.bulk_create(
        NamedMember(conversation=row, membership_id=key, named_by=person, named_at=now) for key in members
    )
    row.is_protected = True
    row.save(update_fields=["is_protected"])
    names = ", ".join(access.members_who_see(row).values_list("name", flat=True))
    assignment.record_event(row, What.PROTECTED, person, to=names)
    _log(person, "conversation-protected", row, original=str(original.conversation_id))


def end_protection(conversation_id: int, person: Person) -> None:
    """All members of the mailbox see the conversation again.

    Raises `NotProtected`, `assignment.NotAMember`.
    """
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        if not row.is_protected:
            raise NotProtected
        row.named_members.all().delete()
        row.is_protected = False
        row.save(update_fields=["is_protected"])
        assignment.record_event(row, What.PROTECTION_REMOVED, person)
        _log(person, "conversation-unprotected", row)


def open_as_manager(
    conversation_id: int, person: Person, reason: ProtectedOpening.Reason, explanation: str
) -> None:
    """Name a manager, who is not, in a protected conversation of their mailbox, and tell those who are.

    The log gets the reason; the explanation may tell of the content, so it stays with the conversation.
    Raises `assignment.NotAMember` where the person may not, or the conversation is not protected any more.
    """
    with transaction.atomic():
        row = assignment.locked(conversation_id)
        pairs = assignment.share_memberships([(person.pk, row.mailbox_id)])
        if not pairs or not access.protected_to_open(person).filter(pk=row.pk).exists():
            raise assignment.NotAMember
        now, key = timezone.now(), uuid.uuid4()
        told = list(access.members_who_see(row))
        NamedMember.objects.create(
            conversation=row,
            membership=Membership.objects.get(mailbox=row.mailbox_id, person=person),
            named_by=person,
            named_at=now,
        )
        ProtectedOpening.objects.create(
            conversation=row, key=key, person=person, at=now, reason=reason, explanation=explanation
        )
        # Should nobody be left once more, managers are told once more.
        ProtectionNotice.objects.filter(conversation=row, kind=ProtectionNotice.Kind.ABANDONED).delete()
        ProtectionNotice.objects.bulk_create(
            ProtectionNotice(kind=ProtectionNotice.Kind.OPENED, conversation=row, person=each, made_at=now)
            for each in told
        )
        assignment.record_event(row, What.OPENED_BY_MANAGER, person, to=reason)
        _log(person, "protected-opened", row, reason=str(reason), opening=str(key))


def _end_what_others_have(row: Conversation, named: Collection[int]) -> None:
    offer = row.reassignments.filter(settled_at=None).first()
    if offer is not None and offer.to_person_id not in named:
        assignment.end_offer(row, Reassignment.Outcome.WITHDRAWN)
    if row.assignee_id is not None and row.assignee_id not in named:
        assignment.set_assignee(row, None)


def _log(person: Person, what: str, row: Conversation, **details: Any) -> None:
    mailbox = row.mailbox
    access_log.record(person, what, mailbox.participant_id, mailbox=mailbox, conversation=row, **details)
