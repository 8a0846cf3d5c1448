"""Taking care of conversations: take, give back, finish, reopen, throw away; every change in the history.

A change locks the conversation first, so what is decided is decided on what is so; that nobody takes what
another has is the database's to say (`assigned_once`). What a change did can be undone for a few seconds, by
whoever did it, if nothing has been changed since.
"""

from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils import timezone

from mailbox import access_log, events
from mailbox.access import current_memberships, mailboxes_of, undoable_by
from mailbox.models import (
    Assignment,
    Conversation,
    ConversationEvent,
    Draft,
    FunctionMailbox,
    Label,
    Membership,
    Message,
    Person,
    Reassignment,
)
from mailbox.search import index

UNDO_SECONDS: Final = 10
What = ConversationEvent.What
State = Conversation.State
# Lines of a history that change nothing of how the conversation is handled.
_NO_CHANGES: Final = (What.OPENED, What.NOTED, What.NOTE_REMOVED, What.RETENTION_HOLD, What.RELEASED)


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


class TooLateToUndo(Exception):
    """The seconds are over, it was somebody else's, or something has been changed since."""


def assign(conversation_id: int, person: Person, *, instead_of: int | None = None) -> ConversationEvent:
    """Take a conversation in hand; from `instead_of`, whom one has seen holding it.

    What its assignee was offering to somebody is offered no more. Raises `AlreadyTaken`, `NotAMember`.
    """
    with transaction.atomic():
        row = locked(conversation_id)
        if row.assignee_id not in {None, instead_of}:
            raise AlreadyAssigned
        before = snapshot_for_undo(row)
        settle(row, Reassignment.Outcome.WITHDRAWN)
        hold(row, person)
        return record_event(row, What.TAKEN, person, before=before)


def unassign(conversation_id: int, person: Person) -> ConversationEvent:
    """Let others take it. Raises `NotInHand`, `NotAMember`."""
    with transaction.atomic():
        row = locked_for(conversation_id, person)
        if row.assignee_id != person.pk:
            raise NotAssigned
        before = snapshot_for_undo(row)
        settle(row, Reassignment.Outcome.WITHDRAWN)
        hold(row, None)
        return record_event(row, What.GIVEN_BACK, person, before=before)


def finish(conversation_id: int, person: Person) -> ConversationEvent:
    """Nothing more is to be done. Raises `NotAMember`."""
    return _move(conversation_id, person, State.DONE, What.DONE)


def reopen(conversation_id: int, person: Person) -> ConversationEvent:
    """Something is to be done after all; also takes it out of the trash. Raises `NotAMember`."""
    return _move(conversation_id, person, State.OPEN, What.REOPENED)


def move_to_trash(conversation_id: int, person: Person) -> ConversationEvent:
    """Put it in the trash. What is deleted, and when, retention rules say. Raises `NotAMember`."""
    return _move(conversation_id, person, State.TRASH, What.TRASHED)


def remind(conversation_id: int, person: Person, at: datetime | None) -> ConversationEvent:
    """Bring the conversation up again then; None takes a reminder away. Raises `NotAMember`."""
    with transaction.atomic():
        row = locked_for(conversation_id, person)
        before = snapshot_for_undo(row)
        row.remind_at = at
        row.save(update_fields=["remind_at"])
        to = timezone.localtime(at).date().isoformat() if at else ""
        return record_event(row, What.REMIND, person, before=before, to=to)


def send_due_reminders() -> int:
    """Bring up what somebody wanted to be reminded of; how many conversations.

    Whose reminder it was stands in the history: their start page shows it until they have looked.
    """
    count = 0
    due = Conversation.objects.filter(remind_at__lte=timezone.now())
    for key in list(due.order_by("pk").values_list("pk", flat=True)):
        with transaction.atomic():
            row = locked(key)
            if row.remind_at is None or row.remind_at > timezone.now():
                continue
            row.remind_at, row.state, row.is_waiting = None, State.OPEN, False
            row.last_activity_at = timezone.now()
            row.save(update_fields=["remind_at", "state", "is_waiting", "last_activity_at"])
            wanted = (
                row.events.filter(what=What.REMIND).select_related("actor").order_by("-at", "-pk").first()
            )
            record_event(row, What.BROUGHT_UP, wanted.actor if wanted else None)
            count += 1
    return count


def undo(event_id: int, person: Person) -> Conversation:
    """Take a change back. Raises `TooLateToUndo`."""
    with transaction.atomic():
        told = ConversationEvent.objects.filter(pk=event_id).first()
        if told is None:
            raise TooLateToUndo
        row = locked(told.conversation_id)
        event = undoable(row, person)
        if not undoable_by(person).filter(pk=row.pk).exists():
            raise TooLateToUndo
        if event is None or event.before is None or event.pk != event_id:
            raise TooLateToUndo
        before = event.before
        mailbox_id = before.get("mailbox", row.mailbox_id)
        if mailbox_id != row.mailbox_id:
            try:
                move(row, FunctionMailbox.objects.get(pk=mailbox_id), person)
            except (AlreadyThere, BeingSent):
                raise TooLateToUndo from None
        _hold_again(row, before["assignee"])
        row.state = before["state"]
        row.remind_at = datetime.fromisoformat(before["remind_at"]) if before["remind_at"] else None
        row.due_on = date.fromisoformat(before["due_on"]) if before.get("due_on") else None
        row.save(update_fields=["state", "remind_at", "due_on"])
        _offer_again(row, before.get("offer"))
        if "labels" in before:
            row.labels.set(Label.objects.filter(pk__in=before["labels"], mailbox=row.mailbox))
        event.undone_at = timezone.now()
        event.save(update_fields=["undone_at"])
        record_event(row, What.UNDONE, person, to=event.what)
        return row


def undoable(conversation: Conversation, person: Person) -> ConversationEvent | None:
    """The change that the person may still undo: the latest, their own, a few seconds old."""
    latest = conversation.events.exclude(what__in=_NO_CHANGES).order_by("-at", "-pk").first()
    if latest is None or latest.actor_id != person.pk or latest.before is None or latest.undone_at:
        return None
    return latest if timezone.now() - latest.at <= timedelta(seconds=UNDO_SECONDS) else None


def latest_undoable(mailbox: FunctionMailbox, person: Person) -> ConversationEvent | None:
    """What the person has just changed in the mailbox, while it may be undone."""
    since = timezone.now() - timedelta(seconds=UNDO_SECONDS)
    rows = ConversationEvent.objects.filter(
        conversation__mailbox=mailbox, actor=person, at__gte=since, before__isnull=False, undone_at=None
    )
    latest = rows.select_related("conversation").order_by("-at", "-pk").first()
    return latest if latest is not None and undoable(latest.conversation, person) == latest else None


def undoable_event(event_id: int, person: Person) -> ConversationEvent | None:
    """That change, while the person may undo it."""
    rows = ConversationEvent.objects.select_related("conversation")
    event = rows.filter(pk=event_id, actor=person).first()
    return event if event is not None and undoable(event.conversation, person) == event else None


def note_opened(conversation: Conversation, person: Person) -> None:
    """Remember who has opened the conversation, and when they first did."""
    ConversationEvent.objects.get_or_create(
        conversation=conversation, actor=person, what=What.OPENED, defaults={"at": timezone.now()}
    )


def answered(conversation: Conversation, person: Person) -> None:
    """A message was sent in the conversation."""
    record_event(conversation, What.ANSWERED, person)


def arrived(conversation: Conversation) -> None:
    """A message has come: what was done or thrown away is open again."""
    if conversation.state != State.OPEN:
        Conversation.objects.filter(pk=conversation.pk).update(state=State.OPEN)
        record_event(conversation, What.ARRIVED, None)


def bring_back(conversation_id: int, what: ConversationEvent.What, person: Person | None = None) -> None:
    """Something that was sent did not come out, or may not have: it is in the inbox again, at the top."""
    row = locked(conversation_id)
    row.state, row.is_waiting, row.last_activity_at = State.OPEN, False, timezone.now()
    row.save(update_fields=["state", "is_waiting", "last_activity_at"])
    record_event(row, what, person)


def wait_again(message: Message) -> None:
    """What brought it back is over: if the message was the last word, it is the other side's turn again."""
    row = locked(message.conversation_id)
    later = row.messages.filter(at__gt=message.at)
    if row.state == State.OPEN and not row.is_waiting and not later.exists():
        row.is_waiting = True
        row.save(update_fields=["is_waiting"])


def unassign_all(person: Person, mailbox: FunctionMailbox) -> None:
    """Give back what the person had in hand in a mailbox that they see no more, and what was offered them.

    Whoever calls has taken the membership or the person's right to log in away in the same transaction.
    """
    # Taking locks the membership (`hold`): who was about to has it by now, or does not get it.
    list(Membership.objects.select_for_update().filter(person=person, mailbox=mailbox))
    for key in list(
        Conversation.objects.filter(mailbox=mailbox, assignee=person).values_list("pk", flat=True)
    ):
        with transaction.atomic():
            row = locked(key)
            if row.assignee_id == person.pk:
                settle(row, Reassignment.Outcome.WITHDRAWN)
                hold(row, None)
                record_event(row, What.LEFT, person)
    offered = Reassignment.objects.filter(conversation__mailbox=mailbox, to_person=person, settled_at=None)
    for made in list(offered):
        with transaction.atomic():
            row = locked(made.conversation_id)
            if row.reassignments.filter(to_person=person, settled_at=None).exists():
                settle(row, Reassignment.Outcome.DECLINED)
                record_event(row, What.LEFT, person)


def locked(conversation_id: int) -> Conversation:
    """The conversation, for a change in this transaction."""
    # Not with its mailbox in one query: who waits for a conversation that is moved meanwhile would find none.
    return Conversation.objects.select_for_update().get(pk=conversation_id)


def locked_for(conversation_id: int, person: Person) -> Conversation:
    """The conversation, for a change that the person makes in this transaction. Raises `NotAMember`.

    Asked when it is locked: it may have been moved since the page looked, to a mailbox that the person does
    not see. Their membership is not locked: who ends one locks it before the conversations (`give_back_all`).
    """
    row = locked(conversation_id)
    if not mailboxes_of(person).filter(pk=row.mailbox_id).exists():
        raise NotAMember
    return row


def hold(row: Conversation, person: Person | None) -> None:
    """Let the person have a locked conversation in hand, or nobody. Raises `NotAMember`, `AlreadyTaken`."""
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


def settle(row: Conversation, outcome: Reassignment.Outcome) -> None:
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


def _move(
    conversation_id: int, person: Person, state: Conversation.State, what: ConversationEvent.What
) -> ConversationEvent:
    with transaction.atomic():
        row = locked_for(conversation_id, person)
        before = snapshot_for_undo(row)
        row.state = state
        row.save(update_fields=["state"])
        if state != State.OPEN:
            hold(row, None)
            # What is finished is not on its way to somebody else.
            settle(row, Reassignment.Outcome.WITHDRAWN)
        return record_event(row, what, person, before=before)


def _hold_again(row: Conversation, assignee_id: int | None) -> None:
    """Whoever had it before has it again, if they are still a member."""
    if row.assignee_id == assignee_id:
        return
    assignee = Person.objects.filter(pk=assignee_id).first() if assignee_id else None
    hold(row, assignee if assignee is not None and stays_member(assignee.pk, row.mailbox_id) else None)


def _offer_again(row: Conversation, offer_id: int | None) -> None:
    """The offer that there was before stands again, and one that has been made since does not."""
    stands = row.reassignments.filter(settled_at=None).first()
    if stands is not None and stands.pk != offer_id:
        settle(row, Reassignment.Outcome.WITHDRAWN)
    if offer_id is not None:
        row.reassignments.filter(pk=offer_id).update(settled_at=None, outcome="")
