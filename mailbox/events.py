"""Live updates: they tell pages that something has changed, and nothing of what.

What has changed is a mailbox, what a person may see, or who is present in a conversation. The updates are
notifications of PostgreSQL: part of the transaction, sent on commit and dropped on rollback. `mailbox.live`
listens to them. A notification is lost for whoever does not listen just then, so that each is a row for an
hour, too.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from django.db import connection
from django.utils import timezone

from mailbox.models import Announcement
from transport import unit_of_work

CHANNEL: Final = "mailbox_changed"
# Rows are kept for so long, or longer.
KEPT: Final = timedelta(hours=1)
# The number of the transaction says whether a listener that was away can have heard it.
ANNOUNCE: Final = """
    WITH announced AS (
        INSERT INTO mailbox_announcement (payload, transaction_number, announced_at)
        SELECT payload, pg_current_xact_id()::text::bigint, clock_timestamp()
        FROM unnest(%s::text[]) AS payload
        RETURNING payload
    )
    SELECT pg_notify(%s, payload) FROM announced
"""


def announce(mailbox_id: int) -> None:
    """Notify on commit that a mailbox has changed."""
    _notify(str(mailbox_id))


def announce_to(person_id: int) -> None:
    """Notify on commit that what a person may see has changed: their open pages reload at once."""
    _notify(of_person(person_id))


def announce_writing(conversation_id: int) -> None:
    """Notify on commit that somebody has begun or stopped writing in a conversation: its pages reload."""
    _notify(of_conversation(conversation_id))


def announce_presence(conversation_id: int) -> None:
    """Notify on commit that somebody has opened or left a conversation: its pages reload who is present."""
    _notify(of_presence(conversation_id))


def remove_old() -> None:
    """Delete the rows of announcements that nobody can have missed any more."""
    Announcement.objects.filter(announced_at__lt=timezone.now() - KEPT).delete()


def of_person(person_id: int) -> str:
    """The payload of a change of what the person may see; a mailbox's own is its key."""
    return f"person {person_id}"


def of_conversation(conversation_id: int) -> str:
    """The payload of a change of who is writing in the conversation."""
    return f"conversation {conversation_id}"


def of_presence(conversation_id: int) -> str:
    """The payload of a change of who has the conversation open."""
    return f"presence {conversation_id}"


def _notify(payload: str) -> None:
    unit_of_work.notify(_notify_all, payload)


def _notify_all(payloads: Sequence[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(ANNOUNCE, [list(payloads), CHANNEL])
