"""A mailbox's labels: made, changed, put on conversations and taken off."""

from collections.abc import Iterable
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet

from mailbox import events
from mailbox.models import Conversation, ConversationEvent, FunctionMailbox, Label, Labelling, Person

from . import assignment

MOST: Final = 50
LONGEST: Final = 40


class NameTaken(Exception):
    """The mailbox has a label by this name."""


class TooMany(Exception):
    """A mailbox has at most `MOST` labels: more sort nothing."""


def labels_of(mailbox: FunctionMailbox) -> QuerySet[Label]:
    """The mailbox's labels by name, with how many conversations have each."""
    return mailbox.labels.annotate(used=Count("labelling")).order_by("name", "pk")


def make(mailbox: FunctionMailbox, name: str, colour: str) -> Label:
    """Raises `NameTaken`, `TooMany`."""
    with transaction.atomic():
        # Counted while no other makes one. A message that arrives meanwhile does not wait for this lock.
        FunctionMailbox.objects.select_for_update(no_key=True).get(pk=mailbox.pk)
        if mailbox.labels.count() >= MOST:
            raise TooMany
        return _saved(Label(mailbox=mailbox, name=name, colour=colour))


def change(label: Label, name: str, colour: str) -> None:
    """Raises `NameTaken`."""
    label.name, label.colour = name, colour
    _saved(label)


def remove(label: Label) -> None:
    """Take a label away, from every conversation that has it."""
    with transaction.atomic():
        label.delete()
        events.announce(label.mailbox_id)


def put(conversation_id: int, person: Person, chosen: Iterable[int], *, seen: Iterable[int]) -> None:
    """Put on what was chosen beside what the person had `seen` on it, and take off what they chose no more.

    What others have changed meanwhile stays. A line of history for each change.
    """
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        had = {label.pk: label for label in row.labels.all()}
        on, off = set(chosen) - set(seen), set(seen) - set(chosen)
        wanted = {label.pk: label for label in row.mailbox.labels.filter(pk__in=(set(had) | on) - off)}
        changes = [
            (ConversationEvent.What.UNLABELLED, label) for key, label in had.items() if key not in wanted
        ]
        changes += [
            (ConversationEvent.What.LABELLED, label) for key, label in wanted.items() if key not in had
        ]
        before = assignment.snapshot_for_undo(row)
        row.labels.set(wanted.values())
        for number, (what, label) in enumerate(changes, 1):
            # Undoing the last undoes them all: they were one press of a button.
            is_last = number == len(changes)
            assignment.record_event(row, what, person, to=label.name, before=before if is_last else None)


def add(conversation_id: int, person: Person, label_id: int) -> ConversationEvent | None:
    """Put one label of the mailbox's on a conversation; nothing where it has it. Raises `NotAMember`."""
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        label = row.mailbox.labels.filter(pk=label_id).first()
        if label is None or row.labels.filter(pk=label_id).exists():
            return None
        before = assignment.snapshot_for_undo(row)
        row.labels.add(label)
        return assignment.record_event(
            row, ConversationEvent.What.LABELLED, person, to=label.name, before=before
        )


def having(conversations: Iterable[Conversation]) -> dict[int, list[Label]]:
    """The labels of each conversation, in one query."""
    found: dict[int, list[Label]] = {}
    rows = Labelling.objects.filter(conversation__in=list(conversations))
    for row in rows.select_related("label").order_by("label__name"):
        found.setdefault(row.conversation_id, []).append(row.label)
    return found


def _saved(label: Label) -> Label:
    try:
        with transaction.atomic():
            label.save()
            events.announce(label.mailbox_id)
    except IntegrityError:
        raise NameTaken from None
    return label
