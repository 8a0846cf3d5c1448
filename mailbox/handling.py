"""Taking care of conversations: take, give back, finish, reopen, throw away; every change in the history.

A change locks the conversation first, so what is decided is decided on what is so; that nobody takes what
another has is the database's to say (`assigned_once`). What a change did can be undone for a few seconds, by
whoever did it, if nothing has been changed since.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from . import events
from .access import mailboxes_of
from .models import Assignment, Conversation, ConversationEvent, FunctionMailbox, HandOver, Message, Person

UNDO_SECONDS: Final = 10
What = ConversationEvent.What
State = Conversation.State


class AlreadyTaken(Exception):
    """Somebody else has the conversation in hand."""


class NotInHand(Exception):
    """Only whoever has the conversation in hand can do this."""


class TooLateToUndo(Exception):
    """The seconds are over, it was somebody else's, or something has been changed since."""


def take(conversation_id: int, person: Person, *, instead_of: int | None = None) -> ConversationEvent:
    """Take a conversation in hand; from `instead_of`, whom one has seen holding it. Raises `AlreadyTaken`."""
    with transaction.atomic():
        row = locked(conversation_id)
        if row.holder_id not in {None, instead_of}:
            raise AlreadyTaken
        before = _as_it_is(row)
        hold(row, person)
        return _changed(row, What.TAKEN, person, before)


def give_back(conversation_id: int, person: Person) -> ConversationEvent:
    """Let others take it. Raises `NotInHand`."""
    with transaction.atomic():
        row = locked(conversation_id)
        if row.holder_id != person.pk:
            raise NotInHand
        before = _as_it_is(row)
        hold(row, None)
        return _changed(row, What.GIVEN_BACK, person, before)


def finish(conversation_id: int, person: Person) -> ConversationEvent:
    """Nothing more is to be done."""
    return _move(conversation_id, person, State.DONE, What.DONE)


def reopen(conversation_id: int, person: Person) -> ConversationEvent:
    """Something is to be done after all; also takes it out of the trash."""
    return _move(conversation_id, person, State.OPEN, What.REOPENED)


def throw_away(conversation_id: int, person: Person) -> ConversationEvent:
    """Put it in the trash. What is deleted, and when, the mailbox's retention rules say."""
    return _move(conversation_id, person, State.TRASH, What.TRASHED)


def remind(conversation_id: int, person: Person, at: datetime | None) -> ConversationEvent:
    """Bring the conversation up again then; None takes a reminder away."""
    with transaction.atomic():
        row = locked(conversation_id)
        before = _as_it_is(row)
        row.remind_at = at
        row.save(update_fields=["remind_at"])
        to = timezone.localtime(at).date().isoformat() if at else ""
        return _changed(row, What.REMIND, person, before, to=to)


def bring_up() -> int:
    """Bring up what somebody wanted to be reminded of; how many conversations."""
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
            _changed(row, What.BROUGHT_UP, None, None)
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
        if event is None or event.before is None or event.pk != event_id:
            raise TooLateToUndo
        before = event.before
        holder = Person.objects.filter(pk=before["holder"]).first() if before["holder"] else None
        if holder is not None and not _is_member(holder, row.mailbox_id):
            holder = None
        hold(row, holder)
        row.state = before["state"]
        row.remind_at = datetime.fromisoformat(before["remind_at"]) if before["remind_at"] else None
        row.save(update_fields=["state", "remind_at"])
        event.undone_at = timezone.now()
        event.save(update_fields=["undone_at"])
        _changed(row, What.UNDONE, person, None, to=event.what)
        return row


def undoable(conversation: Conversation, person: Person) -> ConversationEvent | None:
    """The change that the person may still undo: the latest, their own, a few seconds old."""
    latest = conversation.events.exclude(what=What.OPENED).order_by("-at", "-pk").first()
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


def note_opened(conversation: Conversation, person: Person) -> None:
    """Remember who has opened the conversation, and when they first did."""
    ConversationEvent.objects.get_or_create(
        conversation=conversation, actor=person, what=What.OPENED, defaults={"at": timezone.now()}
    )


def answered(conversation: Conversation, person: Person) -> None:
    """A message was sent in the conversation."""
    _changed(conversation, What.ANSWERED, person, None)


def arrived(conversation: Conversation) -> None:
    """A message has come: what was done or thrown away is open again."""
    if conversation.state != State.OPEN:
        Conversation.objects.filter(pk=conversation.pk).update(state=State.OPEN)
        _changed(conversation, What.ARRIVED, None, None)


def bring_back(conversation_id: int, what: ConversationEvent.What) -> None:
    """Something that was sent did not come out, or may not have: it is in the inbox again, at the top."""
    row = locked(conversation_id)
    row.state, row.is_waiting, row.last_activity_at = State.OPEN, False, timezone.now()
    row.save(update_fields=["state", "is_waiting", "last_activity_at"])
    _changed(row, what, None, None)


def wait_again(message: Message) -> None:
    """What brought it back is over: if the message was the last word, it is the other side's turn again."""
    row = locked(message.conversation_id)
    later = row.messages.filter(at__gt=message.at)
    if row.state == State.OPEN and not row.is_waiting and not later.exists():
        row.is_waiting = True
        row.save(update_fields=["is_waiting"])


def give_back_all(person: Person, mailbox: FunctionMailbox) -> None:
    """Give back what the person had in hand in a mailbox that they see no more, and what was offered them."""
    for key in list(Conversation.objects.filter(mailbox=mailbox, holder=person).values_list("pk", flat=True)):
        with transaction.atomic():
            row = locked(key)
            if row.holder_id == person.pk:
                hold(row, None)
                _changed(row, What.LEFT, person, None)
    offers = HandOver.objects.filter(conversation__mailbox=mailbox, to_person=person, settled_at=None)
    offers.update(settled_at=timezone.now(), outcome=HandOver.Outcome.DECLINED)


def locked(conversation_id: int) -> Conversation:
    """The conversation, for a change in this transaction."""
    rows = Conversation.objects.select_for_update(of=("self",)).select_related("mailbox")
    return rows.get(pk=conversation_id)


def hold(row: Conversation, person: Person | None) -> None:
    """Let the person have a locked conversation in hand, or nobody."""
    if row.holder_id == (person.pk if person else None):
        return
    now = timezone.now()
    row.assignments.filter(ended_at=None).update(ended_at=now)
    if person is not None:
        try:
            with transaction.atomic():
                Assignment.objects.create(conversation=row, person=person, began_at=now)
        except IntegrityError:
            raise AlreadyTaken from None
    row.holder = person
    row.save(update_fields=["holder"])


def note(
    row: Conversation,
    what: ConversationEvent.What,
    person: Person | None,
    *,
    to: str = "",
    before: dict[str, Any] | None = None,
) -> ConversationEvent:
    """Add a line to the history, and say that something has changed."""
    return _changed(row, what, person, before, to=to)


def _move(
    conversation_id: int, person: Person, state: Conversation.State, what: ConversationEvent.What
) -> ConversationEvent:
    with transaction.atomic():
        row = locked(conversation_id)
        before = _as_it_is(row)
        row.state = state
        row.save(update_fields=["state"])
        if state != State.OPEN:
            hold(row, None)
            # What is finished is not on its way to somebody else.
            row.hand_overs.filter(settled_at=None).update(
                settled_at=timezone.now(), outcome=HandOver.Outcome.WITHDRAWN
            )
        return _changed(row, what, person, before)


def _as_it_is(row: Conversation) -> dict[str, Any]:
    return {
        "state": row.state,
        "holder": row.holder_id,
        "remind_at": row.remind_at.isoformat() if row.remind_at else None,
    }


def _changed(
    row: Conversation,
    what: ConversationEvent.What,
    person: Person | None,
    before: dict[str, Any] | None,
    *,
    to: str = "",
) -> ConversationEvent:
    event = ConversationEvent.objects.create(
        conversation=row, at=timezone.now(), actor=person, what=what, to=to[:256], before=before
    )
    events.announce(row.mailbox_id)
    return event


def _is_member(person: Person, mailbox_id: int) -> bool:
    return mailboxes_of(person).filter(pk=mailbox_id).exists()
