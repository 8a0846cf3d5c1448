"""The pages on which a draft is written, and read by those who do not write in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from addressbook import personal
from addressbook.search import MINIMUM_LENGTH, search
from mailbox import access, access_log
from mailbox.attachments.uploads import accepted_suffixes, room_for_files
from mailbox.conversations import presence
from mailbox.drafts import canned_texts, composer, draft_lock, message_check, recipients, send_order
from mailbox.drafts.composer import Content, Kind
from mailbox.drafts.forms import MOST_REFERENCES
from mailbox.models import Draft, DraftVersion, FunctionMailbox, Message, Person
from mailbox.requests import PersonRequest
from mailbox.texts import message_text


@dataclass(frozen=True, slots=True)
class UnseenMessage:
    """A message that has been added to the conversation and that whoever writes has not seen."""

    pk: int
    is_sent: bool
    sent_by: str
    counterpart: str
    at: datetime
    rendered: SafeString
    is_text_cut: bool
    attachments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EarlierVersion:
    """What a draft said before."""

    pk: int
    written_by: str
    written_at: datetime
    subject: str
    text: str


def form(
    request: PersonRequest,
    row: Draft,
    *,
    errors: Mapping[str, str] | None = None,
    unsaved: Content | None = None,
    question: str = "",
    status: int = 200,
) -> HttpResponse:
    """The page in which its owner writes a draft; for others, the page in which they read it.

    `unsaved` is what was typed and not saved since the draft had been changed meanwhile.
    """
    is_reader = not access.drafts_to_work_on(request.user).filter(pk=row.pk).exists()
    if is_reader or not draft_lock.may_write(row, request.user):
        return read_only(request, row, unsaved=unsaved, status=status)
    context = form_context(request, row, errors=errors, unsaved=unsaved, question=question)
    in_thread = request.htmx and row.answers_id is not None
    template = "drafts/_composer_form.html" if in_thread else "drafts/draft.html"
    return render(request, template, context, status=status)


def form_context(
    request: PersonRequest,
    row: Draft,
    *,
    errors: Mapping[str, str] | None = None,
    unsaved: Content | None = None,
    question: str = "",
) -> dict[str, Any]:
    """What the form of a draft shows."""
    person = request.user
    access_log.record_draft_opened(person, row)
    count = len(errors or {})
    return {
        "draft": row,
        "mailbox": row.mailbox,
        "text": canned_texts.text_to_begin_with(row, person),
        "errors": errors or {},
        "error_count": ngettext("%(n)d fel", "%(n)d fel", count) % {"n": count},
        "unsaved": unsaved.values if unsaved else None,
        "reference_kinds": [(code, _(name)) for code, name in message_check.REFERENCE_KINDS.items()],
        "further_references": _rows(row.further_references, {"root": "", "value": ""}),
        "further_persons": _rows(row.further_persons, ""),
        "canned_texts": row.mailbox.canned_texts.all(),
        "unseen": unseen_messages(request, row),
        "suffixes": ",".join(accepted_suffixes()),
        "room": room_for_files(),
        "versions": versions_of(row),
        "is_writer": True,
        "in_thread": bool(request.htmx and row.answers_id),
        "other_mailboxes": mailboxes_to_write_from(row, person),
        **heading_context(row),
        **recipients_context(row, person, question=question),
        **assignee_context(row, person),
    }


def heading_context(row: Draft) -> dict[str, Any]:
    """What kind of message the draft is, in words."""
    kind = composer.kind_of(row)
    heading = {
        Kind.NEW: _("Skriv meddelande"),
        Kind.ANSWER: _("Svara"),
        Kind.SUPPLEMENT: _("Komplettera"),
        Kind.FORWARD: _("Vidarebefordra"),
    }[kind]
    forwarded = row.forwards
    return {
        "kind": kind.value,
        "heading": heading,
        "conversation": access_log.conversation_of(row),
        "forwarded": forwarded,
        "forwarded_party": f"{forwarded.counterpart_function}, {forwarded.counterpart_organisation}"
        if forwarded is not None
        else "",
    }


def recipients_context(row: Draft, person: Person, *, question: str = "") -> dict[str, Any]:
    """Whom the draft is for, and whom it may be for."""
    chosen = recipients.recipients_of(row)
    known = recipients.chosen_functions(chosen)
    # Who is chosen is not offered again.
    hits = [hit for hit in search(question) if hit.function.pk not in known] if question else []
    suggestions = [] if question else personal.suggestions(person.pk)
    return {
        "draft": row,
        "mailbox": row.mailbox,
        "recipients": chosen,
        "chosen_functions": sorted(known),
        "distribution_lists": row.mailbox.distribution_lists.all(),
        "inside": access.reassignable_mailboxes(row.mailbox),
        "question": question,
        "hits": hits,
        "suggestions": [function for function in suggestions if function.pk not in known],
        "is_too_short": 0 < len(question) < MINIMUM_LENGTH,
        "choose": True,
    }


def assignee_context(row: Draft, person: Person) -> dict[str, Any]:
    """Who is responsible for the conversation, where that is a colleague."""
    conversation = row.answers.conversation if row.answers is not None else None
    assignee = conversation.assignee if conversation is not None else None
    return {"assigned_to": assignee if assignee is not None and assignee.pk != person.pk else None}


def read_only(
    request: PersonRequest,
    row: Draft,
    *,
    unsaved: Content | None = None,
    has_changed: bool = False,
    status: int = 200,
) -> HttpResponse:
    """A colleague's draft: to be read, taken over, or left for one of one's own."""
    access_log.record_draft_opened(request.user, row)
    rendered, is_text_cut = message_text.rendered_beginning(row.text)
    others = (
        presence.others_in(row.answers.conversation, request.user)
        if row.answers is not None
        else presence.Others()
    )
    context = {
        "draft": row,
        "mailbox": row.mailbox,
        "recipients": recipients.recipients_of(row),
        "rendered": rendered,
        "is_text_cut": is_text_cut,
        "versions": versions_of(row),
        "may_work": access.drafts_to_work_on(request.user).filter(pk=row.pk).exists(),
        "writing": others.writing,
        "unsaved": unsaved.values if unsaved else None,
        "has_changed": has_changed,
        "address": request.get_full_path() if request.method == "GET" else "",
        "in_thread": bool(request.htmx and "X-Background" not in request.headers),
        **heading_context(row),
        **assignee_context(row, request.user),
    }
    template = "drafts/_read_only.html" if request.htmx else "drafts/read_only.html"
    return render(request, template, context, status=status)


def versions_of(row: Draft) -> list[EarlierVersion]:
    """What the draft said before, the latest first."""
    return [
        EarlierVersion(
            version.pk,
            version.written_by.name if version.written_by else "",
            version.written_at,
            str(version.content.get("subject", "")),
            str(version.content.get("text", "")),
        )
        for version in DraftVersion.objects.filter(draft=row).select_related("written_by", "draft__mailbox")
    ]


def unseen_messages(request: PersonRequest, row: Draft) -> list[UnseenMessage]:
    """What has been added to the conversation since it was seen; the access log notes that it is shown."""
    rows = list(send_order.unseen_messages(row).prefetch_related("documents__attachments"))
    if rows and row.answers is not None:
        access_log.record_opened(request.user, row.answers.conversation, is_by_itself=True)
    return [_unseen(message) for message in rows]


def _unseen(message: Message) -> UnseenMessage:
    rendered, is_text_cut = message_text.rendered_beginning("".join(message_text.whole_text(message)))
    persons = message.sender_persons
    return UnseenMessage(
        message.pk,
        message.direction == Message.Direction.OUT,
        str(persons[0]["label"]) if persons else "",
        f"{message.counterpart_function}, {message.counterpart_organisation}",
        message.at,
        rendered,
        is_text_cut,
        tuple(
            attachment.name
            for document in message.documents.all()
            for attachment in document.attachments.all()
        ),
    )


def _rows(further: list[Any], empty: Any) -> list[tuple[int, Any]]:
    """Numbered rows for what there is besides the first, and an empty one while there is room."""
    return list(enumerate([*further, empty][: MOST_REFERENCES - 1], 2))


def mailboxes_to_write_from(row: Draft, person: Person) -> list[FunctionMailbox]:
    """Mailboxes that a new draft can be written from instead, while it holds nothing but a recipient."""
    if row.answers_id or row.forwards_id or row.subject or row.text or row.is_inside:
        return []
    if row.attachments.exists() or row.further_recipients.exists() or not row.recipient_address:
        return []
    return list(access.mailboxes_to_work_in(person).exclude(pk=row.mailbox_id).order_by("name", "pk"))
