"""Who has a conversation open, and who is writing an answer in it, as far as is known just now.

A page reports this when it is fetched, and its event stream reports it again for as long as the page is open.
A report that is not repeated expires after `EXPIRES`. When somebody comes or goes, the pages of others are
told to fetch again, and nothing more.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q
from django.utils import timezone

from mailbox import events
from mailbox.access import Viewer, members_who_see
from mailbox.models import Conversation, Draft, Person, Presence

# Three heartbeats of a stream: a late heartbeat does not mean that the person has left.
EXPIRES: Final = timedelta(seconds=45)
_KEPT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Activity:
    """What an open page shows of a conversation: its messages, or an answer that is being written."""

    conversation_id: int
    is_writing: bool


@dataclass(frozen=True, slots=True)
class Others:
    """Names of those who read and of those who write, without the person who asks."""

    looking: tuple[str, ...] = ()
    writing: tuple[str, ...] = ()


def activity_of_draft(draft: Draft) -> Activity | None:
    """Writing in the conversation that the draft answers; None for a draft that answers none."""
    if draft.answers is None:
        return None
    return Activity(draft.answers.conversation_id, is_writing=True)


def visible_activities(
    mailbox_ids: Set[int], *, conversations: Mapping[int, int], drafts: Mapping[int, tuple[int, int | None]]
) -> frozenset[Activity]:
    """What pages show of conversations in these mailboxes; the rest is left out.

    `conversations` holds each conversation's mailbox by the conversation's key; `drafts` holds each draft's
    mailbox and the conversation that it answers by the draft's key.
    """
    looking = {
        Activity(conversation_id, is_writing=False)
        for conversation_id, mailbox_id in conversations.items()
        if mailbox_id in mailbox_ids
    }
    writing = {
        Activity(answered_id, is_writing=True)
        for mailbox_id, answered_id in drafts.values()
        if mailbox_id in mailbox_ids and answered_id is not None
    }
    return frozenset(looking | writing)


def mark_present(person_id: int, activity: Activity) -> datetime:
    """Record that the person is present now, and return that time. Others are told if it is news."""
    return mark_all_present([(person_id, activity)])


def mark_all_present(people: Iterable[tuple[int, Activity]]) -> datetime:
    """`mark_present` for many at once. A person who writes in a conversation also has it open."""
    now = timezone.now()
    is_writing_by_key: dict[tuple[int, int], bool] = {}
    for person_id, activity in people:
        key = (person_id, activity.conversation_id)
        is_writing_by_key[key] = is_writing_by_key.get(key, False) or activity.is_writing
    rows = Presence.objects.filter(
        person__in={person_id for person_id, _ in is_writing_by_key},
        conversation__in={conversation_id for _, conversation_id in is_writing_by_key},
    )
    before = {(row.person_id, row.conversation_id): row for row in rows}
    for wrote_at, updated in ((now, ["seen_at", "wrote_at"]), (None, ["seen_at"])):
        Presence.objects.bulk_create(
            [
                Presence(person_id=person_id, conversation_id=conversation_id, seen_at=now, wrote_at=wrote_at)
                # Always in the same order, so that two processes never wait for each other.
                for (person_id, conversation_id), is_writing in sorted(is_writing_by_key.items())
                if is_writing is (wrote_at is not None)
            ],
            update_conflicts=True,
            unique_fields=["person", "conversation"],
            update_fields=updated,
        )
    for (person_id, conversation_id), is_writing in is_writing_by_key.items():
        row = before.get((person_id, conversation_id))
        if is_writing and not _is_fresh(row.wrote_at if row else None, now):
            events.announce_writing(conversation_id)
        elif not _is_fresh(row.seen_at if row else None, now):
            events.announce_presence(conversation_id)
    return now


def mark_page_fetched(person: Viewer, activity: Activity | None) -> None:
    """Record that the person has fetched a page: the only report of a browser without scripts."""
    if activity is not None and person.pk is not None:
        mark_present(person.pk, activity)


def stop_writing(person: Viewer, activity: Activity | None) -> None:
    """The person has sent or discarded the draft; a page that shows the draft again reports anew."""
    if activity is None:
        return
    rows = Presence.objects.filter(person_id=person.pk or 0, conversation=activity.conversation_id)
    if rows.exclude(wrote_at=None).update(wrote_at=None):
        events.announce_writing(activity.conversation_id)


def mark_page_closed(person_id: int, activity: Activity, reported_at: datetime) -> None:
    """The page that reported last at `reported_at` is closed.

    Where another page of the person's has reported later, the person is still present.
    """
    rows = Presence.objects.filter(person=person_id, conversation=activity.conversation_id)
    if activity.is_writing and rows.filter(wrote_at=reported_at).update(wrote_at=None):
        events.announce_writing(activity.conversation_id)
    if rows.filter(seen_at=reported_at).delete()[0]:
        events.announce_presence(activity.conversation_id)


def others_in(conversation: Conversation, person: Viewer) -> Others:
    """Who else has the conversation open, if they still see it."""
    since = timezone.now() - EXPIRES
    rows = Presence.objects.filter(
        conversation=conversation, seen_at__gt=since, person__in=members_who_see(conversation)
    )
    rows = rows.exclude(person_id=person.pk or 0).select_related("person").order_by("person__name", "pk")
    return Others(
        _names(row.person for row in rows if not _is_fresh(row.wrote_at)),
        _names(row.person for row in rows if _is_fresh(row.wrote_at)),
    )


def present_in(conversation_ids: Iterable[int]) -> dict[int, frozenset[tuple[int, bool]]]:
    """The keys of the people in each conversation now, and whether they write.

    A stream compares two of these to notice that somebody has gone without telling it.
    """
    since = timezone.now() - EXPIRES
    present: dict[int, set[tuple[int, bool]]] = {key: set() for key in conversation_ids}
    for row in Presence.objects.filter(conversation__in=present, seen_at__gt=since):
        present[row.conversation_id].add((row.person_id, _is_fresh(row.wrote_at)))
    return {conversation_id: frozenset(people) for conversation_id, people in present.items()}


def remove_expired() -> int:
    """Delete rows that expired more than a day ago; returns how many."""
    old = Q(seen_at__lt=timezone.now() - _KEPT)
    return Presence.objects.filter(old).delete()[0]


def _is_fresh(at: datetime | None, now: datetime | None = None) -> bool:
    return at is not None and at > (now or timezone.now()) - EXPIRES


def _names(people: Iterable[Person]) -> tuple[str, ...]:
    return tuple(person.name for person in people)
