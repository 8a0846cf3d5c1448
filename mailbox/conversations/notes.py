"""Internal notes on a conversation, and the members whom they mention. Notes are never sent."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from mailbox import access, events
from mailbox.models import Conversation, ConversationEvent, Mention, Note, Person
from mailbox.search import index

from . import assignment

LONGEST: Final = 10_000
_NAMED: Final = re.compile(r"(?<![\w@.])@(?=\w)")
_WORD: Final = re.compile(r"[\w-]+")


class NotTheirs(Exception):
    """Only its author may delete a note."""


def write(
    conversation_id: int, person: Person, text: str, *, mentioned: Iterable[int] = ()
) -> tuple[Note, list[str]]:
    """Add a note. It mentions those whom it names (`@Karin`, `@Karin Svensson`) and those in `mentioned`.

    Returns the note, and the names in it that belong to no member, or to several members.
    Raises `assignment.NotAMember`.
    """
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        members = list(access.members_who_see(row))
        named, unknown = named_in(text, members)
        note = Note.objects.create(conversation=row, text=text, written_by=person, at=timezone.now())
        chosen = {*(member.pk for member in named), *mentioned} & {member.pk for member in members}
        Mention.objects.bulk_create(Mention(note=note, person_id=key) for key in sorted(chosen - {person.pk}))
        index.add(note)
        assignment.record_event(row, ConversationEvent.What.NOTED, person)
    return note, unknown


def remove(note: Note, person: Person) -> None:
    """Delete the person's own note; the history keeps that there was one. Raises `NotTheirs`."""
    if note.written_by_id != person.pk:
        raise NotTheirs
    with transaction.atomic():
        row = assignment.locked_for(note.conversation_id, person)
        if Note.objects.filter(pk=note.pk).delete()[0]:
            assignment.record_event(row, ConversationEvent.What.NOTE_REMOVED, person)


def named_in(text: str, members: Sequence[Person]) -> tuple[list[Person], list[str]]:
    """The members whom a text names after an @, by full name or by a first name that only one member has.

    Returns those members, and the other names after an @.
    """
    named: dict[int, Person] = {}
    unknown: list[str] = []
    by_length = sorted(members, key=lambda member: len(member.name), reverse=True)
    for found in _NAMED.finditer(text):
        rest = text[found.end() :]
        matching = [member for member in by_length if _begins_with(rest, member.name)][:1]
        word = _WORD.match(rest)
        if not matching and word:
            matching = [member for member in members if _first_name(member) == word.group().casefold()]
        if len(matching) == 1:
            named[matching[0].pk] = matching[0]
        elif word and word.group() not in unknown:
            unknown.append(word.group())
    return list(named.values()), unknown


def notes_of(conversation: Conversation) -> QuerySet[Note]:
    """The conversation's notes, the oldest first."""
    rows = conversation.notes.select_related("written_by", "conversation__mailbox")
    return rows.prefetch_related("mentions__person").order_by("at", "pk")


def mentions_of(person: Person) -> QuerySet[Mention]:
    """Mentions of the person in notes that they have not seen yet, the newest first."""
    seen = access.notes_of(person)
    rows = Mention.objects.filter(person_id=person.pk, seen_at=None, note__in=seen)
    return with_notes(rows).order_by("-note__at", "-pk")


def with_notes(rows: QuerySet[Mention]) -> QuerySet[Mention]:
    """The mentions, each with its note, who wrote it, and where."""
    return rows.select_related("note__conversation__mailbox", "note__written_by")


def mark_seen(conversation: Conversation, person: Person, *, newest: int | None = None) -> None:
    """Record that the person has seen the conversation's notes, or those up to the `newest` of them."""
    rows = Mention.objects.filter(note__conversation=conversation, person=person, seen_at=None)
    if newest is not None:
        rows = rows.filter(note__lte=newest)
    if rows.update(seen_at=timezone.now()):
        # Their other pages show how many mentions are unseen.
        events.announce_to(person.pk)


def _begins_with(text: str, name: str) -> bool:
    beginning = text[: len(name)]
    return beginning.casefold() == name.casefold() and not re.match(r"\w", text[len(name) :])


def _first_name(person: Person) -> str:
    return person.name.split()[0].casefold() if person.name.split() else ""
