"""A mailbox's labels: creating, changing and removing them, and labelling conversations."""

from collections.abc import Iterable
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet, Value
from django.db.models.functions import Lower

from mailbox import access, events
from mailbox.models import Conversation, ConversationEvent, FunctionMailbox, Label, Labelling, Person

from . import assignment

MOST: Final = 50
LONGEST: Final = 40


class NameTaken(Exception):
    """The mailbox has a label by this name already."""


class TooMany(Exception):
    """The mailbox has `MOST` labels already."""


def labels_of(mailbox: FunctionMailbox, person: Person) -> QuerySet[Label]:
    """The mailbox's labels by name; `used` is the number of conversations of the person's that have each."""
    is_seen = ~Q(labelling__conversation__in=access.hidden_from(person))
    return mailbox.labels.annotate(used=Count("labelling", filter=is_seen)).order_by("name", "pk")


def create(mailbox: FunctionMailbox, name: str, colour: str) -> Label:
    """Create a label. Raises `NameTaken`, `TooMany`."""
    with transaction.atomic():
        # The lock keeps others from adding a label in between. A message that arrives does not wait for it.
        FunctionMailbox.objects.select_for_update(no_key=True).get(pk=mailbox.pk)
        if mailbox.labels.count() >= MOST:
            raise TooMany
        return _saved(Label(mailbox=mailbox, name=name, colour=colour))


def change(label: Label, name: str, colour: str) -> None:
    """Change a label's name and colour. Raises `NameTaken`."""
    label.name, label.colour = name, colour
    _saved(label)


def remove(label: Label) -> None:
    """Delete a label; conversations that have it lose it."""
    with transaction.atomic():
        label.delete()
        events.announce(label.mailbox_id)


def set_labels(
    conversation_id: int, person: Person, chosen: Iterable[int], *, seen: Iterable[int], new_name: str = ""
) -> None:
    """Add the chosen labels that the conversation had not, and remove those that are not chosen any more.

    `seen` are the labels that the person's page showed: what others have changed since is kept. The label
    called `new_name` is added too, and created where the mailbox has none. Each change records an event.
    Raises `NotAMember`, `TooMany`.
    """
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        if new_name:
            chosen = {*chosen, _named(row.mailbox, new_name).pk}
        had = {label.pk: label for label in row.labels.all()}
        added, removed = set(chosen) - set(seen), set(seen) - set(chosen)
        wanted = {label.pk: label for label in row.mailbox.labels.filter(pk__in=(set(had) | added) - removed)}
        changes = [
            (ConversationEvent.What.UNLABELLED, label) for key, label in had.items() if key not in wanted
        ]
        changes += [
            (ConversationEvent.What.LABELLED, label) for key, label in wanted.items() if key not in had
        ]
        before = assignment.snapshot_for_undo(row)
        row.labels.set(wanted.values())
        for number, (what, label) in enumerate(changes, 1):
            # One click made all changes: undoing the last one restores all labels.
            is_last = number == len(changes)
            assignment.record_event(row, what, person, to=label.name, before=before if is_last else None)


def add(conversation_id: int, person: Person, label_id: int) -> ConversationEvent | None:
    """Add a label of the mailbox; None where the conversation has it already. Raises `NotAMember`."""
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


def labels_by_conversation(conversations: Iterable[Conversation]) -> dict[int, list[Label]]:
    """The labels of the conversations by the conversation's key, in one query."""
    found: dict[int, list[Label]] = {}
    rows = Labelling.objects.filter(conversation__in=list(conversations))
    for row in rows.select_related("label").order_by("label__name"):
        found.setdefault(row.conversation_id, []).append(row.label)
    return found


def _named(mailbox: FunctionMailbox, name: str) -> Label:
    """The mailbox's label by a name, in capitals or not; a new grey one where it has none."""
    known = mailbox.labels.alias(in_lower_case=Lower("name")).filter(in_lower_case=Lower(Value(name)))
    try:
        return known.first() or create(mailbox, name, Label.Colour.GREY)
    except NameTaken:
        # Somebody has created it in between.
        return known.get()


def _saved(label: Label) -> Label:
    try:
        with transaction.atomic():
            label.save()
            events.announce(label.mailbox_id)
    except IntegrityError:
        raise NameTaken from None
    return label
