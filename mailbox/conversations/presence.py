"""Who is looking at a conversation, and who is writing an answer in it, as far as is known just now.

A page says so when it is fetched, and its stream of events for as long as it is open; what nobody says again
is over after `EXPIRES`. Others' pages are told to fetch again when somebody comes or goes, and nothing more.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q
from django.utils import timezone

from mailbox import events
from mailbox.access import Viewer, conversations_of, drafts_of, members_of
from mailbox.models import Conversation, Draft, Person, Presence

# Three beats of a stream: one that is late is not somebody who has left.
EXPIRES: Final = timedelta(seconds=45)
_FORGOTTEN: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Place:
    """A conversation that a page shows, or in which the person writes."""

    conversation_id: int
    is_writing: bool


@dataclass(frozen=True, slots=True)
class Others:
    """Names of those who look and of those who write, but for the one who asks."""

    looking: tuple[str, ...] = ()
    writing: tuple[str, ...] = ()


def place_of(person: Viewer, *, conversation: str = "", draft: str = "") -> Place | None:
    """What an open page says that it shows, if the person may see it."""
    if draft.isdecimal() and len(draft) < 19:
        row = drafts_of(person).filter(pk=int(draft)).select_related("answers").first()
        return of_draft(row) if row is not None else None
    if conversation.isdecimal() and len(conversation) < 19:
        talk = conversations_of(person).filter(pk=int(conversation)).first()
        return Place(talk.pk, is_writing=False) if talk is not None else None
    return None


def of_draft(draft: Draft) -> Place | None:
    """The conversation in which the draft is an answer."""
    if draft.answers is None:
        return None
    return Place(draft.answers.conversation_id, is_writing=True)


def places_of(
    mailbox_ids: Set[int], *, conversations: Mapping[int, int], drafts: Mapping[int, tuple[int, int | None]]
) -> frozenset[Place]:
    """`place_of` for what has been looked up: conversations by their mailbox, drafts by theirs and the
    conversation that they answer. Only what lies in these mailboxes, which are those that a person sees."""
    looking = {Place(talk, is_writing=False) for talk, box in conversations.items() if box in mailbox_ids}
    answers = (answered for box, answered in drafts.values() if box in mailbox_ids and answered is not None)
    return frozenset(looking | {Place(answered, is_writing=True) for answered in answers})


def note(person_id: int, place: Place) -> datetime:
    """The person is there now; when that was. Others are told if they were not there before."""
    return note_all([(person_id, place)])


def note_all(people: Iterable[tuple[int, Place]]) -> datetime:
    """These people are there now; when that was. One who writes in a conversation also looks at it."""
    now = timezone.now()
    writes: dict[tuple[int, int], bool] = {}
    for person_id, place in people:
        key = (person_id, place.conversation_id)
        writes[key] = writes.get(key, False) or place.is_writing
    rows = Presence.objects.filter(
        person__in={person_id for person_id, _ in writes}, conversation__in={talk for _, talk in writes}
    )
    before = {(row.person_id, row.conversation_id): row for row in rows}
    for wrote_at, updated in ((now, ["seen_at", "wrote_at"]), (None, ["seen_at"])):
        Presence.objects.bulk_create(
            [
                Presence(person_id=one, conversation_id=talk, seen_at=now, wrote_at=wrote_at)
                # In one order, so that two processes never wait for each other.
                for (one, talk), does_write in sorted(writes.items())
                if does_write is (wrote_at is not None)
            ],
            update_conflicts=True,
            unique_fields=["person", "conversation"],
            update_fields=updated,
        )
    for key, is_writing in writes.items():
        row = before.get(key)
        if is_writing and not _is_fresh(row.wrote_at if row else None, now):
            events.announce_writing(key[1])
        elif not _is_fresh(row.seen_at if row else None, now):
            events.announce_presence(key[1])
    return now


def note_page(person: Viewer, place: Place | None) -> None:
    """The person has fetched a page that is there: all that a browser without scripts says."""
    if place is not None and person.pk is not None:
        note(person.pk, place)


def stop_writing(person: Viewer, place: Place | None) -> None:
    """The person has sent or thrown away what they wrote; a page that is shown again says otherwise."""
    if place is None:
        return
    rows = Presence.objects.filter(person_id=person.pk or 0, conversation=place.conversation_id)
    if rows.exclude(wrote_at=None).update(wrote_at=None):
        events.announce_writing(place.conversation_id)


def leave(person_id: int, place: Place, since: datetime) -> None:
    """The page that said so at `since` is closed; another of the person's that has said so later is not."""
    rows = Presence.objects.filter(person=person_id, conversation=place.conversation_id)
    if place.is_writing and rows.filter(wrote_at=since).update(wrote_at=None):
        events.announce_writing(place.conversation_id)
    if rows.filter(seen_at=since).delete()[0]:
        events.announce_presence(place.conversation_id)


def others_in(conversation: Conversation, person: Viewer) -> Others:
    """Who else is there, as long as they are members."""
    since = timezone.now() - EXPIRES
    rows = Presence.objects.filter(
        conversation=conversation, seen_at__gt=since, person__in=members_of(conversation.mailbox)
    )
    rows = rows.exclude(person_id=person.pk or 0).select_related("person").order_by("person__name", "pk")
    return Others(
        _names(row.person for row in rows if not _is_fresh(row.wrote_at)),
        _names(row.person for row in rows if _is_fresh(row.wrote_at)),
    )


def there_now(conversation_ids: Iterable[int]) -> dict[int, frozenset[tuple[int, bool]]]:
    """Who is there, and whether they write: for noticing that somebody has gone without a word."""
    since = timezone.now() - EXPIRES
    there: dict[int, set[tuple[int, bool]]] = {talk: set() for talk in conversation_ids}
    for row in Presence.objects.filter(conversation__in=there, seen_at__gt=since):
        there[row.conversation_id].add((row.person_id, _is_fresh(row.wrote_at)))
    return {talk: frozenset(people) for talk, people in there.items()}


def forget() -> int:
    """Remove what has been over for long; how many."""
    old = Q(seen_at__lt=timezone.now() - _FORGOTTEN)
    return Presence.objects.filter(old).delete()[0]


def _is_fresh(at: datetime | None, now: datetime | None = None) -> bool:
    return at is not None and at > (now or timezone.now()) - EXPIRES


def _names(people: Iterable[Person]) -> tuple[str, ...]:
    return tuple(person.name for person in people)
