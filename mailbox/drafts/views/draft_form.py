"""The form in which a draft is written."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from addressbook import personal
from addressbook.search import MINIMUM_LENGTH, search
from mailbox import access, access_log
from mailbox.attachments.uploads import accepted_suffixes, room_for_files
from mailbox.drafts import canned_texts, composer, message_builder, send_order
from mailbox.drafts.composer import REFERENCE_KINDS, Content
from mailbox.models import Draft, Message
from mailbox.requests import PersonRequest
from mailbox.texts import message_text


def form(
    request: PersonRequest,
    row: Draft,
    *,
    errors: dict[str, str] | None = None,
    theirs: Content | None = None,
    question: str = "",
    status: int = 200,
) -> HttpResponse:
    """The page in which a draft is written."""
    person = request.user
    access_log.note_draft_opened(person, row)
    unseen = unseen_shown(row)
    if unseen and row.answers is not None:
        access_log.note_opened(person, row.answers.conversation, is_by_itself=True)
    context = {
        "draft": row,
        "mailbox": row.mailbox,
        "text": canned_texts.text_to_begin_with(row, person),
        "recipients": message_builder.recipients_of(row),
        "errors": errors or {},
        "error_count": ngettext("%(n)d fel", "%(n)d fel", len(errors or {})) % {"n": len(errors or {})},
        "theirs": theirs.values if theirs else None,
        "reference_kinds": [(code, _(name)) for code, name in REFERENCE_KINDS.items()],
        "further_references": _rows(row.further_references, {"root": "", "value": ""}),
        "further_persons": _rows(row.further_persons, ""),
        "canned_texts": row.mailbox.canned_texts.all(),
        "distribution_lists": row.mailbox.distribution_lists.all(),
        "inside": access.handed_to(row.mailbox),
        "unseen": unseen,
        "suffixes": ",".join(accepted_suffixes()),
        "room": room_for_files(),
        "question": question,
        "hits": search(question) if question else [],
        "suggestions": [] if question else personal.suggestions(person.pk),
        "is_too_short": 0 < len(question) < MINIMUM_LENGTH,
        "choose": True,
    }
    return render(request, "drafts/draft.html", context, status=status)


def _rows(further: list[Any], empty: Any) -> list[tuple[int, Any]]:
    """Numbered rows for what there is besides the first, and an empty one while there is room."""
    return list(enumerate([*further, empty][: composer.MOST_REFERENCES - 1], 2))


def number(text: str) -> int:
    """A row's key as a form tells it; 0 for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def unseen_shown(row: Draft) -> list[Message]:
    """What has come into the conversation that whoever writes has not seen, for showing."""
    rows = list(send_order.unseen_messages(row).prefetch_related("documents__attachments"))
    for message in rows:
        message.is_sent = message.direction == Message.Direction.OUT  # type: ignore[attr-defined]
    message_text.Page().render_texts(rows)
    return rows
