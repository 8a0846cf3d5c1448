"""Handing a conversation over: to a colleague or to another function of the organisation.

Whoever has it in hand says what is done and what remains, and has it until the receiver accepts; what is
declined, or withdrawn, stays with them. What another function accepts is moved to its mailbox: answers go
from there, and who is not a member there sees it no more.
"""

from datetime import date

from django.db import transaction
from django.utils import timezone

from mailbox import access, events
from mailbox.models import Conversation, ConversationEvent, FunctionMailbox, Person, Reassignment

from . import assignment

What = ConversationEvent.What
Outcome = Reassignment.Outcome


class NotToThem(Exception):
    """They are no member of the mailbox, or the function is none of the organisation's, or closed."""


class AlreadyOffered(Exception):
    """It is being offered to somebody."""


class NotOpen(Exception):
    """What is done or thrown away is handed over to nobody."""


class NoLongerOffered(Exception):
    """The offer has been answered, or taken back."""


def offer(
    conversation_id: int,
    person: Person,
    *,
    to: Person | FunctionMailbox,
    done: str,
    remains: str,
    due_on: date | None = None,
) -> Reassignment:
    """Offer what one has in hand; what nobody has in hand one takes first, so that it can come back.

    Raises `handling.NotInHand`, `AlreadyOffered`, `NotOpen`, `NotToThem`, and `handling.AlreadyThere` where
    the other function has the conversation.
    """
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        if row.state != Conversation.State.OPEN:
            raise NotOpen
        if row.reassignments.filter(settled_at=None).exists():
            raise AlreadyOffered
        if row.assignee_id not in {None, person.pk}:
            raise assignment.NotAssigned
        is_person = isinstance(to, Person)
        receivers = (
            access.members_of(row.mailbox) if is_person else access.reassignable_mailboxes(row.mailbox)
        )
        if to == person or not receivers.filter(pk=to.pk).exists():
            raise NotToThem
        if isinstance(to, FunctionMailbox):
            _check_not_there(row, to)
        before = assignment.snapshot_for_undo(row)
        assignment.set_assignee(row, person)
        made = Reassignment.objects.create(
            conversation=row,
            made_at=timezone.now(),
            made_by=person,
            to_person=to if isinstance(to, Person) else None,
            to_mailbox=to if isinstance(to, FunctionMailbox) else None,
            done=done,
            remains=remains,
            due_on=due_on,
        )
        assignment.record_event(row, What.OFFERED, person, to=to.name, before=before)
        _tell(made)
        return made


def accept(reassignment_id: int, person: Person) -> Conversation:
    """Take over what is offered, with the day when it is due; the person has it in hand from now on.

    Raises `NoLongerOffered`, `handling.NotAMember`, `handling.AlreadyThere`, `handling.BeingSent`.
    """
    with transaction.atomic():
        told = _offered_to(reassignment_id, person)
        # Before the conversation, in the order in which whoever ends a membership locks the two.
        assignment.stays_member(person.pk, told.to_mailbox_id or told.conversation.mailbox_id)
        row, made = _locked(told, person)
        before = assignment.snapshot_for_undo(row)
        assignment.end_offer(row, Outcome.ACCEPTED)
        if made.to_mailbox is not None:
            assignment.move(row, made.to_mailbox, person)
        assignment.set_assignee(row, person)
        if made.due_on is not None:
            row.due_on = made.due_on
            row.save(update_fields=["due_on"])
        to = made.to_mailbox.name if made.to_mailbox else ""
        assignment.record_event(row, What.ACCEPTED, person, to=to, before=before)
        _tell(made)
        return row


def decline(reassignment_id: int, person: Person) -> ConversationEvent:
    """Let it go back to whoever offered it. Raises `NoLongerOffered`."""
    with transaction.atomic():
        row, made = _locked(_offered_to(reassignment_id, person), person)
        before = assignment.snapshot_for_undo(row)
        assignment.end_offer(row, Outcome.DECLINED)
        _tell(made)
        return assignment.record_event(row, What.DECLINED, person, before=before)


def withdraw(conversation_id: int, person: Person) -> ConversationEvent:
    """Keep what one has been offering. Raises `NoLongerOffered`, `handling.NotInHand`."""
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        if row.assignee_id != person.pk:
            raise assignment.NotAssigned
        made = offer_in(row)
        if made is None:
            raise NoLongerOffered
        before = assignment.snapshot_for_undo(row)
        assignment.end_offer(row, Outcome.WITHDRAWN)
        _tell(made)
        return assignment.record_event(row, What.WITHDRAWN, person, before=before)


def offer_in(conversation: Conversation) -> Reassignment | None:
    """The offer that the conversation is in."""
    rows = Reassignment.objects.filter(conversation=conversation, settled_at=None)
    return rows.select_related("conversation__mailbox", "made_by", "to_person", "to_mailbox").first()


def taken_over_by(conversation: Conversation) -> Reassignment | None:
    """What was said when the conversation was last taken over: whoever has it may want to read it again."""
    rows = Reassignment.objects.filter(conversation=conversation, outcome=Outcome.ACCEPTED)
    rows = rows.select_related("conversation__mailbox", "made_by", "to_person", "to_mailbox")
    return rows.order_by("-settled_at", "-pk").first()


def _offered_to(reassignment_id: int, person: Person) -> Reassignment:
    rows = access.offers_to(person).select_related("conversation")
    made = rows.filter(pk=reassignment_id).first()
    if made is None:
        raise NoLongerOffered
    return made


def _locked(told: Reassignment, person: Person) -> tuple[Conversation, Reassignment]:
    """The conversation, locked, and the offer as it is then, if it still is one to the person."""
    row = assignment.locked(told.conversation_id)
    made = offer_in(row)
    if made is None or made.pk != told.pk or not access.offers_to(person).filter(pk=made.pk).exists():
        raise NoLongerOffered
    return row, made


def _check_not_there(row: Conversation, mailbox: FunctionMailbox) -> None:
    if mailbox.conversations.filter(conversation_id=row.conversation_id).exists():
        raise assignment.AlreadyThere


def _tell(made: Reassignment) -> None:
    """Whoever it is offered to has it on their start page, and it goes from there."""
    if made.to_mailbox_id is not None:
        events.announce(made.to_mailbox_id)
