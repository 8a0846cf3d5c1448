"""The first words of each conversation's latest message, as lists show them.

Showing a list does not open its conversations, and is not recorded in the access log; so lists show no words
of confidential messages (docs/decisions.md). They show one line of others, read in one query for all rows.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db.models import F, Func, IntegerField
from django.utils.translation import gettext as _

from mailbox.access import Viewer
from mailbox.models import Conversation, Document, Message
from mailbox.texts.markdown import without_marks

LONGEST: Final = 140
# Texts that take more bytes than this in the database are not decrypted for one line.
_LARGEST_TEXTS: Final = 40_000


def first_words_of(conversations: Sequence[Conversation], person: Viewer) -> dict[int, str]:
    """The words by the conversation's key, for rows with a `last_message_id` (`inbox.page_of`)."""
    shown = {_annotations(row)["last_message_id"]: row.pk for row in conversations if not row.is_confidential}
    if not shown:
        return {}
    rows = Document.objects.filter(message__in=[key for key in shown if key], message__is_confidential=False)
    rows = rows.annotate(size=Func(F("texts"), function="PG_COLUMN_SIZE", output_field=IntegerField()))
    rows = rows.filter(size__lte=_LARGEST_TEXTS).select_related("message__written_by")
    rows = rows.order_by("message_id", "position").distinct("message_id")
    return {shown[row.message_id]: _line(row.message, row.texts, person) for row in rows}


def _line(message: Message, texts: Iterable[str], person: Viewer) -> str:
    words = " ".join(without_marks("\n".join(text[: 4 * LONGEST] for text in texts)).split())[:LONGEST]
    by = _written_by(message, person)
    return f"{by}: {words}" if by and words else words


def _written_by(message: Message, person: Viewer) -> str:
    """The author, for messages of ours and for answers."""
    if message.direction == Message.Direction.OUT:
        if message.written_by_id == person.pk:
            return _("Du")
        return _first_name(message.written_by.name) if message.written_by else ""
    if message.ref_to_message_id is None:
        return ""
    names = [str(sender.get("label") or "") for sender in message.sender_persons]
    return f"↩ {_first_name(names[0])}" if names and names[0].strip() else "↩"


def _first_name(name: str) -> str:
    return name.split()[0] if name.split() else ""


def _annotations(row: Conversation) -> dict[str, Any]:
    return vars(row)
