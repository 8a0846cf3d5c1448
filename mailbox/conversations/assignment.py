"""Assigning conversations to members of their mailbox; and what every change has in common.

A change locks the conversation first, so that it is decided on its present state, and is a line of its
history. That nobody is assigned what another has is the database's to say (`assigned_once`).
"""

from typing import Any

from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils import timezone

from mailbox import access_log, events
from mailbox.access import current_memberships, mailboxes_of
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

What = ConversationEvent.What


class AlreadyAssigned(Exception):
    """Somebody else has the conversation in hand."""


class NotAssigned(Exception):
    """Only whoever has the conversation in hand can do this."""


class NotAMember(Http404):
    """Only members of the mailbox do anything with its conversations: for others they do not exist."""


class AlreadyThere(Exception):
    """The other mailbox has messages of the same conversation."""


class BeingSent(Exception):
    """An answer is on its way out of the mailbox."""


def assign(conversation_id: int, person: Person, *, instead_of: int | None = None) -> ConversationEvent:
    """Assign a conversation to the person; also where it is assigned to `instead_of`, as their page showed.

    An offer by the assignee until now ends. Raises `AlreadyAssigned`, `NotAMember`.
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
    """Let others be assigned it. Raises `NotAssigned`, `NotAMember`."""
    with transaction.atomic():
        row = locked_for(conversation_id, person)
        if row.assignee_id != person.pk:
            raise NotAssigned
        before = snapshot_for_undo(row)
        end_offer(row, Reassignment.Outcome.WITHDRAWN)
        set_assignee(row, None)
        return record_event(row, What.GIVEN_BACK, person, before=before)


def note_opened(conversation: Conversation, person: Person) -> None:
    """Remember who has opened the conversation, and when they first did."""
    ConversationEvent.objects.get_or_create(
        conversation=conversation, actor=person, what=What.OPENED, defaults={"at": timezone.now()}
    )


def answered(conversation: Conversation, person: Person) -> None:
    """A message was sent in the conversation."""
    record_event(conversation, What.ANSWERED, person)


def unassign_all(person: Person, mailbox: FunctionMailbox) -> None:
    """Give back what the person had in hand in a mailbox that they see no more, and what was offered them.

    Whoever calls has taken the membership or the person's right to log in away in the same transaction.
    """
    # Taking locks the membership (`set_assignee`): who was about to has it by now, or does not get it.
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
    for made in list(offered):
        with transaction.atomic():
            row = locked(made.conversation_id)
            if row.reassignments.filter(to_person=person, settled_at=None).exists():
                end_offer(row, Reassignment.Outcome.DECLINED)
                record_event(row, What.LEFT, person)


def locked(conversation_id: int) -> Conversation:
    """The conversation, for a change in this transaction."""
    # Not with its mailbox in one query: who waits for a conversation that is moved meanwhile would find none.
    return Conversation.objects.select_for_update().get(pk=conversation_id)


def locked_for(conversation_id: int, person: Person) -> Conversation:
    """The conversation, for a change that the person makes in this transaction. Raises `NotAMember`.

    Asked when it is locked: it may have been moved since the page looked, to a mailbox that the person does
    not see. Their membership is not locked: who ends one locks it before the conversations (`unassign_all`).
    """
    row = locked(conversation_id)
    if not mailboxes_of(person).filter(pk=row.mailbox_id).exists():
        raise NotAMember
    return row


def set_assignee(row: Conversation, person: Person | None) -> None:
    """Assign a locked conversation to the person, or to nobody. Raises `NotAMember`, `AlreadyAssigned`."""
    if row.assignee_id == (person.pk if person else None):
        return
    now = timezone.now()
    row.assignments.filter(ended_at=None).update(ended_at=now)
    if person is not None:
        if not stays_member(person.pk, row.mailbox_id):
            raise NotAMember
        try:
            with transaction.atomic():
                Assignment.objects.create(conversation=row, person=person, began_at=now)
        except IntegrityError:
            raise AlreadyAssigned from None
    row.assignee = person
    row.save(update_fields=["assignee"])


def end_offer(row: Conversation, outcome: Reassignment.Outcome) -> None:
    """End the offer that a locked conversation is in, if it is in one."""
    row.reassignments.filter(settled_at=None).update(settled_at=timezone.now(), outcome=outcome)


def move(row: Conversation, mailbox: FunctionMailbox, person: Person) -> None:
    """Let a locked conversation be another mailbox's of the same organisation, with what is begun in it.

    Labels are a mailbox's own: those go along that the other has by the same name. Raises `AlreadyThere`,
    `BeingSent`.
    """
    if mailbox.conversations.filter(conversation_id=row.conversation_id).exists():
        raise AlreadyThere
    drafts = Draft.objects.filter(answers__conversation=row)
    if drafts.exclude(send_at=None).exists():
        raise BeingSent
    left = row.mailbox_id
    names = [name.lower() for name in row.labels.values_list("name", flat=True)]
    row.labels.set([label for label in mailbox.labels.all() if label.name.lower() in names])
    row.mailbox = mailbox
    row.save(update_fields=["mailbox"])
    drafts.update(mailbox=mailbox)
    index.move(row, mailbox)
    organisation = mailbox.participant_id
    access_log.record(
        person, "conversation-moved", organisation, mailbox=mailbox, conversation=row, left=left
    )
    events.announce(left)


def stays_member(person_id: int, mailbox_id: int) -> bool:
    """Whether the person is a member, which they then stay until this transaction has ended."""
    rows = Membership.objects.filter(person=person_id, mailbox=mailbox_id)
    list(rows.select_for_update(no_key=True))
    # Asked anew: the query that waited for the lock still sees what was so before.
    return rows.filter(current_memberships(), person__is_active=True).exists()


def snapshot_for_undo(row: Conversation) -> dict[str, Any]:
    """What a change may have changed, for undoing it."""
    return {
        "mailbox": row.mailbox_id,
        "state": row.state,
        "assignee": row.assignee_id,
        "remind_at": row.remind_at.isoformat() if row.remind_at else None,
        "due_on": row.due_on.isoformat() if row.due_on else None,
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
    """Add a line to the history, and say that something has changed."""
    event = ConversationEvent.objects.create(
        conversation=row, at=timezone.now(), actor=person, what=what, to=to[:256], before=before
    )
    events.announce(row.mailbox_id)
    return event
