"""What open pages may see now, for many at once: as many queries for a thousand as for one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.db import DatabaseError
from django.utils.crypto import constant_time_compare

from mailbox.access import mailbox_ids_of
from mailbox.accounts import sessions
from mailbox.accounts.session_store import SessionStore
from mailbox.conversations import presence
from mailbox.models import Conversation, Draft, Person
from transport.row_keys import row_key

_MOST_PLACES = 20


@dataclass(frozen=True, slots=True)
class Page:
    """What an open page, or several of one browser, say that they are: the session, and what they show."""

    session_key: str
    conversations: tuple[int, ...] = ()
    drafts: tuple[int, ...] = ()

    @classmethod
    def asked(cls, session_key: str, conversations: Iterable[str], drafts: Iterable[str]) -> "Page":
        return cls(session_key, _numbers(conversations), _numbers(drafts))


@dataclass(frozen=True, slots=True)
class Sight:
    """Who looks, at which mailboxes, and at which conversations their pages say that they are."""

    person_id: int
    mailbox_ids: frozenset[int]
    places: frozenset[presence.Place]

    @property
    def conversation_ids(self) -> frozenset[int]:
        return frozenset(place.conversation_id for place in self.places)


@dataclass(frozen=True, slots=True)
class Look:
    """A question of a page: what it may see now. Whoever `is_here` is noted as being there."""

    page: Page
    is_here: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """The answer; no sight for who is logged out or locked. `at` and `there` are of those who are here."""

    sight: Sight | None
    at: datetime | None = None
    there: frozenset[tuple[int, int, bool]] = frozenset()


def look(questions: Sequence[Look]) -> list[Seen]:
    """Answers to the questions, in their order."""
    sights = _sights([question.page for question in questions])
    here = [sight for question, sight in zip(questions, sights, strict=True) if question.is_here and sight]
    places = [(sight.person_id, place) for sight in here for place in sight.places]
    if not places:
        return [Seen(sight) for sight in sights]
    at = presence.note_all(places)
    there = presence.there_now({place.conversation_id for _, place in places})
    return [
        Seen(sight, at, _there(sight, there)) if question.is_here and sight and sight.places else Seen(sight)
        for question, sight in zip(questions, sights, strict=True)
    ]


def leave(left: Sequence[tuple[Sight, datetime]]) -> list[None]:
    """These pages are closed. Where the database is away, what they said is over in a while by itself."""
    try:
        for sight, since in left:
            for place in sight.places:
                presence.leave(sight.person_id, place, since)
    except DatabaseError:
        pass
    return [None] * len(left)


def _sights(pages: Sequence[Page]) -> list[Sight | None]:
    people = _people_of({page.session_key for page in pages})
    mailbox_ids = mailbox_ids_of(people.values())
    conversations: dict[int, int] = {}
    drafts: dict[int, tuple[int, int | None]] = {}
    if shown := {number for page in pages for number in page.conversations}:
        conversations = dict(Conversation.objects.filter(pk__in=shown).values_list("pk", "mailbox"))
    if shown := {number for page in pages for number in page.drafts}:
        rows = Draft.objects.filter(pk__in=shown).values_list("pk", "mailbox", "answers__conversation_id")
        drafts = {number: (box, answered) for number, box, answered in rows}

    def sight_of(page: Page) -> Sight | None:
        person_id = people.get(page.session_key)
        if person_id is None:
            return None
        own = mailbox_ids[person_id]
        places = presence.places_of(
            own,
            conversations={one: conversations[one] for one in page.conversations if one in conversations},
            drafts={one: drafts[one] for one in page.drafts if one in drafts},
        )
        return Sight(person_id, own, places)

    return [sight_of(page) for page in pages]


def _people_of(session_keys: Iterable[str]) -> dict[str, int]:
    """Who is logged in by each session, as Django's `get_user` would tell; nobody by one that is over."""
    loaded = SessionStore.load_many(set(session_keys))
    open_ones = {key: session for key, session in loaded.items() if not sessions.is_over(session)}
    claimed = {key: number for key, session in open_ones.items() if (number := _claimed(session)) is not None}
    people = Person.objects.filter(is_active=True).in_bulk(set(claimed.values()))
    return {
        key: person_id
        for key, person_id in claimed.items()
        if person_id in people and _is_of(open_ones[key], people[person_id])
    }


def _claimed(session: SessionBase) -> int | None:
    is_known = session.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS
    return row_key(str(session.get(SESSION_KEY, ""))) if is_known else None


def _is_of(session: SessionBase, person: Person) -> bool:
    said = session.get(HASH_SESSION_KEY, "")
    hashes = (person.get_session_auth_hash(), *person.get_session_auth_fallback_hash())
    return any(constant_time_compare(said, expected) for expected in hashes)


def _there(sight: Sight, there: dict[int, frozenset[tuple[int, bool]]]) -> frozenset[tuple[int, int, bool]]:
    return frozenset((talk, *who) for talk in sight.conversation_ids for who in there.get(talk, ()))


def _numbers(said: Iterable[str]) -> tuple[int, ...]:
    keys = {key for text in said if (key := row_key(text)) is not None}
    return tuple(sorted(keys)[:_MOST_PLACES])
