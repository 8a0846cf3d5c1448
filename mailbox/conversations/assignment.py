"""Assigning conversations to members of their mailbox, and what every change of a conversation has in common.

Every change locks the conversation first, so that it is decided on its present state, and records an event. A
constraint of the database (`assigned_once`) ensures that a conversation has one assignee at most.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.http import Http404
from django.utils import timezone

from mailbox import access_log, events
from mailbox.access import (
    WITHOUT_WORK,
    conversations_to_work_on,
    current_memberships,
    members_who_see,
    working_memberships,
)
from mailbox.approval import ending
from mailbox.models import (
    Assignment,
    Conversation,
    ConversationEvent,
    Draft,
    FunctionMailbox,
    Membership,
    Person,
    Reassignment,
)
from mailbox.search import index
from mailbox.staffed_hours import time_limits

What = ConversationEvent.What


class AlreadyAssigned(Exception):
    """The conversation is assigned to somebody else."""


class NotAssigned(Exception):
    """Only the conversation's assignee can do this."""


class NotAMember(Http404):
    """The person is no member of the mailbox, only reads it, or is not named in a protected conversation: for
    them there is nothing to change."""


class AlreadyThere(Exception):
    """The other mailbox has messages of the same conversation already."""


class BeingSent(Exception):
    """An answer in the conversation is being sent from its mailbox."""


def assign(conversation_id: int, person: Person, *, instead_of: int | None = None) -> ConversationEvent:
    """Assign a conversation to the person, if it is unassigned or assigned to `instead_of`.

    `instead_of` is the assignee that the person's page showed. An offer of the conversation is withdrawn.
    Raises `AlreadyAssigned`, `NotAMember`.
    """
    with transaction.atomic():
        row = locked(conversation_id)
        if row.assignee_id not in {None, instead_of}:
            raise AlreadyAssigned
        before = snapshot_for_undo(row)
        end_offer(row, Reassignment.Outcome.WITHDRAWN)
        set_assignee(row, person)
        return record_event(row, What.TAKEN, person, before=before)


def unassign(conversation_id: int, person: Person) -> ConversationEvent:
    """End the person's assignment, and withdraw an offer. Raises `NotAssigned`, `NotAMember`."""
    with transaction.atomic():
        row = locked_for(conversation_id, person)
        if row.assignee_id != person.pk:
            raise NotAssigned
        before = snapshot_for_undo(row)
        end_offer(row, Reassignment.Outcome.WITHDRAWN)
        set_assignee(row, None)
        return record_event(row, What.GIVEN_BACK, person, before=before)


def note_opened(conversation: Conversation, person: Person) -> None:
    """Record when the person opened the conversation for the first time; its limit for opening is met."""
    ConversationEvent.objects.get_or_create(
        conversation=conversation, actor=person, what=What.OPENED, defaults={"at": timezone.now()}
    )
    time_limits.end_opened(conversation)


def record_answer(conversation: Conversation, person: Person) -> None:
    """Record that the person has sent a message in the conversation."""
    record_event(conversation, What.ANSWERED, person)


def unassign_all(person: Person, mailbox: FunctionMailbox) -> None:
    """End the person's assignments in a mailbox that they do not see any more, and decline offers to them.

    The caller has ended the membership, or locked the person out, in the same transaction.
    """
    # `set_assignee` locks the membership too: an assignment is made before this, or is refused after it.
    list(Membership.objects.select_for_update().filter(person=person, mailbox=mailbox))
    for key in list(
        Conversation.objects.filter(mailbox=mailbox, assignee=person).values_list("pk", flat=True)
    ):
        with transaction.atomic():
            row = locked(key)
            if row.assignee_id == person.pk:
                end_offer(row, Reassignment.Outcome.WITHDRAWN)
                set_assignee(row, None)
                record_event(row, What.LEFT, person)
    offered = Reassignment.objects.filter(conversation__mailbox=mailbox, to_person=person, settled_at=None)
    for offer in list(offered):
        with transaction.atomic():
            row = locked(offer.conversation_id)
            if row.reassignments.filter(to_person=person, settled_at=None).exists():
                end_offer(row, Reassignment.Outcome.DECLINED)
                record_event(row, What.LEFT, person)
    ending.end_of_asker(person, mailbox)


def adapt_to_role(membership: Membership) -> None:
    """End what somebody does not have any more whose role in a mailbox was changed, in that transaction."""
    if membership.role in WITHOUT_WORK:
        unassign_all(membership.person, membership.mailbox)
    if membership.role == Membership.Role.OBSERVER:
        membership.named_members.all().delete()


def locked(conversation_id: int) -> Conversation:
    """The conversation, locked until this transaction ends."""
    # Without its mailbox in the query: one that waits while the conversation is moved would find no row.
    return Conversation.objects.select_for_update().get(pk=conversation_id)


def locked_for(conversation_id: int, person: Person) -> Conversation:
    """The conversation, locked until this transaction ends, for a change by the person. Raises `NotAMember`.

    The mailbox is checked after locking: the conversation may have been moved since the page was shown, to a
    mailbox that the person does not see. The membership is not locked here, since `unassign_all` locks it
    before the conversations.
    """
    row = locked(conversation_id)
    if not conversations_to_work_on(person).filter(pk=row.pk).exists():
        raise NotAMember
    return row


def set_assignee(row: Conversation, person: Person | None) -> None:
    """Assign a locked conversation to the person, or unassign it. Raises `NotAMember`, `AlreadyAssigned`."""
    if row.assignee_id == (person.pk if person else None):
        return
    now = timezone.now()
    row.assignments.filter(ended_at=None).update(ended_at=now)
    if person is not None:
        if not may_be_assigned(row, person):
            raise NotAMember
        try:
            with transaction.atomic():
                Assignment.objects.create(conversation=row, person=person, began_at=now)
        except IntegrityError:
            raise AlreadyAssigned from None
    row.assignee = person
    row.save(update_fields=["assignee"])


def may_be_assigned(row: Conversation, person: Person) -> bool:
    """Whether the person, whose membership is locked by this, works on a locked conversation."""
    is_member = lock_membership(person.pk, row.mailbox_id)
    return is_member and (not row.is_protected or members_who_see(row).filter(pk=person.pk).exists())


def end_offer(row: Conversation, outcome: Reassignment.Outcome) -> None:
    """End the offer of a locked conversation with this outcome, if there is an offer."""
    row.reassignments.filter(settled_at=None).update(settled_at=timezone.now(), outcome=outcome)


def move(row: Conversation, mailbox: FunctionMailbox, person: Person) -> None:
    """Move a locked conversation with its drafts to another mailbox of the same organisation.

    Of its labels it keeps those that the other mailbox has by the same name. Raises `AlreadyThere`,
    `BeingSent`.
    """
    if mailbox.conversations.filter(conversation_id=row.conversation_id).exists():
        raise AlreadyThere
    drafts = Draft.objects.filter(answers__conversation=row)
    if drafts.exclude(send_at=None).exists():
        raise BeingSent
    previous_mailbox_id = row.mailbox_id
    names = [name.lower() for name in row.labels.values_list("name", flat=True)]
    row.labels.set([label for label in mailbox.labels.all() if label.name.lower() in names])
    row.mailbox = mailbox
    if not row.registration_state:
        row.expect_registration()
    row.save(update_fields=["mailbox", "registration_state"])
    ending.end_in_conversation(row, person)
    drafts.update(mailbox=mailbox)
    index.move(row, mailbox)
    time_limits.recompute([row], mailbox)
    organisation = mailbox.participant_id
    access_log.record(
        person,
        "conversation-moved",
        organisation,
        mailbox=mailbox,
        conversation=row,
        left=previous_mailbox_id,
    )
    events.announce(previous_mailbox_id)


def lock_membership(person_id: int, mailbox_id: int) -> bool:
    """Lock the person's membership until this transaction ends; whether they are a member who works there."""
    rows = Membership.objects.filter(person=person_id, mailbox=mailbox_id)
    list(rows.select_for_update(no_key=True))
    # A new query: the one that waited for the lock still sees the rows as they were before.
    return rows.filter(current_memberships(), working_memberships(), person__is_active=True).exists()


def share_memberships(
    pairs: Collection[tuple[int, int]], *, of_readers: bool = False
) -> frozenset[tuple[int, int]]:
    """Those of the pairs of person and mailbox that are memberships, which do not end before this transaction
    has; those of readers only where that is asked for. One that is being ended just now is left out.

    For deliveries, which hold many conversations: they never wait here, and others who assign do not wait for
    them.
    """
    if not pairs:
        return frozenset()
    people, mailboxes = [person for person, _ in pairs], [mailbox for _, mailbox in pairs]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM mailbox_membership WHERE (person_id, mailbox_id) IN "
            "(SELECT * FROM unnest(%s::bigint[], %s::bigint[])) ORDER BY id FOR KEY SHARE SKIP LOCKED",
            [people, mailboxes],
        )
        keys = [key for (key,) in cursor.fetchall()]
    # A new query: what has ended by now is seen by it alone.
    rows = Membership.objects.filter(current_memberships(), pk__in=keys, person__is_active=True)
    rows = rows if of_readers else rows.filter(working_memberships())
    return frozenset(rows.values_list("person_id", "mailbox_id"))


def assign_all(people: Mapping[int, int], at: datetime) -> None:
    """Store that conversations, which the caller has locked and nobody is assigned, are assigned to people;
    both by their keys. Their memberships are shared (`share_memberships`). The caller stores the assignees.
    """
    Assignment.objects.bulk_create(
        Assignment(conversation_id=conversation_id, person_id=person_id, began_at=at)
        for conversation_id, person_id in people.items()
    )


def snapshot_for_undo(row: Conversation) -> dict[str, Any]:
    """The values that a change may alter, so that `undo` can restore them."""
    return {
        "mailbox": row.mailbox_id,
        "state": row.state,
        "assignee": row.assignee_id,
        "remind_at": row.remind_at.isoformat() if row.remind_at else None,
        "due_on": row.due_on.isoformat() if row.due_on else None,
        "is_priority": row.is_priority,
        "offer": row.reassignments.filter(settled_at=None).values_list("pk", flat=True).first(),
        "labels": list(row.labels.values_list("pk", flat=True)),
    }


def record_event(
    row: Conversation,
    what: ConversationEvent.What,
    person: Person | None,
    *,
    to: str = "",
    before: dict[str, Any] | None = None,
) -> ConversationEvent:
    """Record an event in the history, and announce that the mailbox has changed."""
    event = ConversationEvent.objects.create(
        conversation=row, at=timezone.now(), actor=person, what=what, to=to[:256], before=before
    )
    events.announce(row.mailbox_id)
    return event
