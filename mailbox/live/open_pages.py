"""What open pages may see now, answered for many at once: a thousand cost as many queries as one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.db import DatabaseError
from django.http import QueryDict
from django.utils.crypto import constant_time_compare

from mailbox.access import mailbox_ids_of, people_named_in
from mailbox.accounts import sessions
from mailbox.accounts.session_store import SessionStore
from mailbox.conversations import presence
from mailbox.forms import KeysField, renamed
from mailbox.models import Conversation, Draft, Person
from transport.row_keys import row_key

_MOST_OF_A_KIND: Final = 20
# What a page that was opened before an upgrade calls them.
_OLD_NAMES: Final = {"konversation": "conversation", "utkast": "draft"}


@dataclass(frozen=True, slots=True)
class Page:
    """An open page, or several of one browser: the session, and the conversations and drafts that they show.

    `is_continued` says that the page is known to have been up to date seconds ago: it was fetched then, or
    heard another stream. All of it is the browser's word; what the person may not see is left out later.
    """

    session_key: str
    conversations: tuple[int, ...] = ()
    drafts: tuple[int, ...] = ()
    is_continued: bool = False

    @classmethod
    def from_query(cls, session_key: str, query: QueryDict) -> "Page":
        """The page that a stream's address describes: `conversation` and `draft`, as often as need be, and
        `continued`."""
        given = renamed(query, _OLD_NAMES)
        conversations, drafts = _keys(given.getlist("conversation")), _keys(given.getlist("draft"))
        return cls(session_key, conversations, drafts, given.get("continued") == "1")


@dataclass(frozen=True, slots=True)
class PageAccess:
    """The person of an open page, the mailboxes that they see, and what their pages show of those."""

    person_id: int
    mailbox_ids: frozenset[int]
    activities: frozenset[presence.Activity]

    @property
    def conversation_ids(self) -> frozenset[int]:
        return frozenset(activity.conversation_id for activity in self.activities)


@dataclass(frozen=True, slots=True)
class PageCheck:
    """The question what a page may see now; with `marks_presence` its person is recorded as present."""

    page: Page
    marks_presence: bool = False


@dataclass(frozen=True, slots=True)
class PageStatus:
    """The answer to a `PageCheck`.

    `access` is None for whoever is logged out or locked. Where presence was recorded, `marked_at` is the time
    and `present` holds who is in the page's conversations: conversation, person, whether they write.
    """

    access: PageAccess | None
    marked_at: datetime | None = None
    present: frozenset[tuple[int, int, bool]] = frozenset()


def check_pages(checks: Sequence[PageCheck]) -> list[PageStatus]:
    """Answers to the checks, in their order."""
    found = _access_of([check.page for check in checks])
    marking = [access for check, access in zip(checks, found, strict=True) if check.marks_presence and access]
    activities = [(access.person_id, activity) for access in marking for activity in access.activities]
    if not activities:
        return [PageStatus(access) for access in found]
    marked_at = presence.mark_all_present(activities)
    present = presence.present_in({activity.conversation_id for _, activity in activities})
    return [
        PageStatus(access, marked_at, _present(access, present))
        if check.marks_presence and access and access.activities
        else PageStatus(access)
        for check, access in zip(checks, found, strict=True)
    ]


def close_pages(closed: Sequence[tuple[PageAccess, datetime]]) -> list[None]:
    """End the presence of pages that are closed, each with the time of its last report.

    Where the database is away nothing is done: the presence then expires by itself.
    """
    try:
        for access, reported_at in closed:
            for activity in access.activities:
                presence.mark_page_closed(access.person_id, activity, reported_at)
    except DatabaseError:
        pass
    return [None] * len(closed)


def _access_of(pages: Sequence[Page]) -> list[PageAccess | None]:
    people = _people_of({page.session_key for page in pages})
    mailbox_ids = mailbox_ids_of(people.values())
    conversations: dict[int, int] = {}
    drafts: dict[int, tuple[int, int | None]] = {}
    protected: set[int] = set()
    if shown := {key for page in pages for key in page.conversations}:
        found = Conversation.objects.filter(pk__in=shown).values_list("pk", "mailbox", "is_protected")
        for key, mailbox_id, is_protected in found:
            conversations[key] = mailbox_id
            protected |= {key} if is_protected else set()
    if shown := {key for page in pages for key in page.drafts}:
        of_answered = ("answers__conversation_id", "answers__conversation__is_protected")
        rows = Draft.objects.filter(pk__in=shown).values_list("pk", "mailbox", *of_answered)
        for key, mailbox_id, answered_id, is_protected in rows:
            drafts[key] = (mailbox_id, answered_id)
            protected |= {answered_id} if is_protected else set()
    named = people_named_in(protected)

    def access_of(page: Page) -> PageAccess | None:
        person_id = people.get(page.session_key)
        if person_id is None:
            return None
        own = mailbox_ids[person_id]
        activities = presence.visible_activities(
            own,
            conversations={key: conversations[key] for key in page.conversations if key in conversations},
            drafts={key: drafts[key] for key in page.drafts if key in drafts},
        )
        seen = {each for each in activities if person_id in named.get(each.conversation_id, {person_id})}
        return PageAccess(person_id, own, frozenset(seen))

    return [access_of(page) for page in pages]


def _people_of(session_keys: Iterable[str]) -> dict[str, int]:
    """Who is logged in by each session, as Django's `get_user` decides; ended sessions are left out."""
    loaded = SessionStore.load_many(set(session_keys))
    current = {key: session for key, session in loaded.items() if not sessions.is_over(session)}
    claimed = {
        key: person_id
        for key, session in current.items()
        if (person_id := _person_id_in(session)) is not None
    }
    people = Person.objects.filter(is_active=True).in_bulk(set(claimed.values()))
    return {
        key: person_id
        for key, person_id in claimed.items()
        if person_id in people and _has_hash_of(current[key], people[person_id])
    }


def _person_id_in(session: SessionBase) -> int | None:
    is_known = session.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS
    return row_key(str(session.get(SESSION_KEY, ""))) if is_known else None


def _has_hash_of(session: SessionBase, person: Person) -> bool:
    stored = session.get(HASH_SESSION_KEY, "")
    hashes = (person.get_session_auth_hash(), *person.get_session_auth_fallback_hash())
    return any(constant_time_compare(stored, expected) for expected in hashes)


def _present(
    access: PageAccess, present: dict[int, frozenset[tuple[int, bool]]]
) -> frozenset[tuple[int, int, bool]]:
    return frozenset(
        (conversation_id, person_id, is_writing)
        for conversation_id in access.conversation_ids
        for person_id, is_writing in present.get(conversation_id, ())
    )


def _keys(texts: Iterable[str]) -> tuple[int, ...]:
    return tuple(sorted(KeysField().to_python(texts))[:_MOST_OF_A_KIND])
