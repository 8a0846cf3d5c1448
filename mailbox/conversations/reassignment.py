"""Reassigning a conversation: to a colleague, or to another function of the organisation.

The assignee writes what has been done and what remains, and stays responsible until the receiver accepts. An
offer that is declined or withdrawn changes nothing. A conversation that another function accepts moves to its
mailbox: answers are sent from there, and only members of that mailbox see it.
"""

from datetime import date

from django.db import transaction
from django.utils import timezone

from mailbox import access, events
from mailbox.models import Conversation, ConversationEvent, FunctionMailbox, Person, Reassignment
from mailbox.staffed_hours import calendars

from . import assignment

What = ConversationEvent.What
Outcome = Reassignment.Outcome


class InvalidReceiver(Exception):
    """The person is no member of the mailbox; or the function is closed, or another organisation's."""


class AlreadyOffered(Exception):
    """The conversation is offered to somebody already."""


class NotOpen(Exception):
    """The conversation is done or in the trash."""


class NoLongerOffered(Exception):
    """The offer has been answered or withdrawn."""


def offer(
    conversation_id: int,
    person: Person,
    *,
    to: Person | FunctionMailbox,
    done: str,
    remains: str,
    due_on: date | None = None,
) -> Reassignment:
    """Offer a conversation that is assigned to the person, or unassigned and then assigned to them.

    `done` and `remains` are texts for the receiver. A due date on which nobody is there becomes the next
    working day of the receiver's mailbox. Raises `assignment.NotAssigned`, `AlreadyOffered`,
    `NotOpen`, `InvalidReceiver`, and `assignment.AlreadyThere` if the function has the conversation already.
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
        receivers = access.possible_assignees(row) if is_person else access.mailboxes_to_offer_to(row)
        if to == person or not receivers.filter(pk=to.pk).exists():
            raise InvalidReceiver
        if isinstance(to, FunctionMailbox):
            _check_not_there(row, to)
        before = assignment.snapshot_for_undo(row)
        assignment.set_assignee(row, person)
        working_at = to if isinstance(to, FunctionMailbox) else row.mailbox
        created = Reassignment.objects.create(
            conversation=row,
            made_at=timezone.now(),
            made_by=person,
            to_person=to if isinstance(to, Person) else None,
            to_mailbox=to if isinstance(to, FunctionMailbox) else None,
            done=done,
            remains=remains,
            due_on=due_on and calendars.working_day_from(working_at, due_on),
        )
        assignment.record_event(row, What.OFFERED, person, to=to.name, before=before)
        _announce(created)
        return created


def accept(reassignment_id: int, person: Person) -> Conversation:
    """Accept an offer: the conversation is assigned to the person, with the offer's due date.

    Raises `NoLongerOffered`, `assignment.NotAMember`, `assignment.AlreadyThere`, `assignment.BeingSent`.
    """
    with transaction.atomic():
        shown = _offered_to(reassignment_id, person)
        # Locked before the conversation, as `unassign_all` does when a membership ends.
        assignment.lock_membership(person.pk, shown.to_mailbox_id or shown.conversation.mailbox_id)
        row, offer = _locked(shown, person)
        before = assignment.snapshot_for_undo(row)
        assignment.end_offer(row, Outcome.ACCEPTED)
        if offer.to_mailbox is not None:
            assignment.move(row, offer.to_mailbox, person)
        assignment.set_assignee(row, person)
        if offer.due_on is not None:
            row.due_on = offer.due_on
            row.save(update_fields=["due_on"])
        to = offer.to_mailbox.name if offer.to_mailbox else ""
        assignment.record_event(row, What.ACCEPTED, person, to=to, before=before)
        _announce(offer)
        return row


def decline(reassignment_id: int, person: Person) -> ConversationEvent:
    """Decline an offer: the conversation stays with its assignee. Raises `NoLongerOffered`."""
    with transaction.atomic():
        row, offer = _locked(_offered_to(reassignment_id, person), person)
        before = assignment.snapshot_for_undo(row)
        assignment.end_offer(row, Outcome.DECLINED)
        _announce(offer)
        return assignment.record_event(row, What.DECLINED, person, before=before)


def withdraw(conversation_id: int, person: Person) -> ConversationEvent:
    """Withdraw the person's offer of a conversation. Raises `NoLongerOffered`, `assignment.NotAssigned`."""
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        if row.assignee_id != person.pk:
            raise assignment.NotAssigned
        offer = offer_in(row)
        if offer is None:
            raise NoLongerOffered
        before = assignment.snapshot_for_undo(row)
        assignment.end_offer(row, Outcome.WITHDRAWN)
        _announce(offer)
        return assignment.record_event(row, What.WITHDRAWN, person, before=before)


def offer_in(conversation: Conversation) -> Reassignment | None:
    """The offer of the conversation that waits for an answer, if there is one."""
    rows = Reassignment.objects.filter(conversation=conversation, settled_at=None)
    return rows.select_related("conversation__mailbox", "made_by", "to_person", "to_mailbox").first()


def last_accepted(conversation: Conversation) -> Reassignment | None:
    """The offer that was accepted last: its texts are shown to the assignee."""
    rows = Reassignment.objects.filter(conversation=conversation, outcome=Outcome.ACCEPTED)
    rows = rows.select_related("conversation__mailbox", "made_by", "to_person", "to_mailbox")
    return rows.order_by("-settled_at", "-pk").first()


def _offered_to(reassignment_id: int, person: Person) -> Reassignment:
    rows = access.offers_to(person).select_related("conversation")
    found = rows.filter(pk=reassignment_id).first()
    if found is None:
        raise NoLongerOffered
    return found


def _locked(shown: Reassignment, person: Person) -> tuple[Conversation, Reassignment]:
    """Lock the conversation; returns it and its offer, if that is still the one that was shown."""
    row = assignment.locked(shown.conversation_id)
    offer = offer_in(row)
    if offer is None or offer.pk != shown.pk or not access.offers_to(person).filter(pk=offer.pk).exists():
        raise NoLongerOffered
    return row, offer


def _check_not_there(row: Conversation, mailbox: FunctionMailbox) -> None:
    if mailbox.conversations.filter(conversation_id=row.conversation_id).exists():
        raise assignment.AlreadyThere


def _announce(offer: Reassignment) -> None:
    """Have the members of the mailbox that it is offered to reload their pages, which list offers."""
    if offer.to_mailbox_id is not None:
        events.announce(offer.to_mailbox_id)
