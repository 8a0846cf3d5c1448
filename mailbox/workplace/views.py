"""Start page, mailboxes, conversations."""

from typing import Final

from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailbox import access, access_log
from mailbox.administration import alarms, counterparts, quarantine
from mailbox.attachments import previews
from mailbox.conversations import assignment, labels, notes, presence, thread
from mailbox.conversations.views import notes_and_labels
from mailbox.delivery.ladder import ladder_of, short_state
from mailbox.drafts import send_order
from mailbox.models import Conversation, Document, Message
from mailbox.requests import PersonRequest
from mailbox.texts import message_text
from transport.message_service.api import deliveries_of

from . import inbox, list_query, worklist

_HISTORY: Final = 50


@login_required
@require_safe
def start(request: PersonRequest) -> HttpResponse:
    """What waits for the person; their mailboxes, and what is in each."""
    told = request.GET.get("angra", "")
    is_number = told.isdecimal() and len(told) < 19
    person = request.user
    context = {
        "undoable": assignment.undoable_event(int(told), person) if is_number else None,
        "undo_seconds": assignment.UNDO_SECONDS,
        "waiting": worklist.waiting_for(person),
        "today": timezone.localdate(),
        "mailboxes": inbox.mailboxes_with_counts(request.user),
        "alarms": alarms.alarms_of(request.user),
        "quarantined": quarantine.count_unremoved(request.user),
        "waiting_for_scanner": quarantine.waiting_for_scanner(request.user)[0],
        "set_aside": counterparts.arrivals_set_aside(request.user).count(),
    }
    template = "workplace/_start.html" if request.htmx else "workplace/start.html"
    return render(request, template, context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def mailbox(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """A view of a mailbox. Filters are posted: a reference stands in an address only as a keyed hash."""
    box = get_object_or_404(access.mailboxes_of(request.user), pk=mailbox_id)
    if request.method == "POST":
        return redirect(
            f"{reverse('mailbox', args=[box.pk])}?{list_query.as_asked(box, request.POST).urlencode()}"
        )
    asked = list_query.read(request.GET)
    person = request.user
    is_drafts, is_mine = asked.view is inbox.View.DRAFTS, asked.view is inbox.View.MINE
    page = inbox.page_of(
        box,
        request.user,
        asked.after,
        view=asked.view,
        filters=asked.filters,
        order=asked.order,
    )
    put_on = labels.having(page.rows)
    for row in page.rows:
        row.put_on = put_on.get(row.pk, [])  # type: ignore[attr-defined]
        row.state_text = short_state(  # type: ignore[attr-defined]
            row.last_state or "",  # type: ignore[attr-defined]
            is_receipt_missing=bool(row.last_receipt_missing),  # type: ignore[attr-defined]
        )
    counted = inbox.counts(box, request.user)
    drafts = inbox.drafts_of(box, request.user, asked.after, order=asked.order) if is_drafts else None
    context = {
        "mailbox": box,
        "page": drafts or page,
        "asked": asked,
        "views": [(view, list_query.NAMES[view], counted[view]) for view in inbox.View],
        "view_name": list_query.NAMES[asked.view],
        "nothing": list_query.NOTHING[asked.view],
        "statuses": list_query.STATUSES.items(),
        "orders": [(order, list_query.ORDERS[order]) for order in inbox.orders_of(asked.view)],
        "labels": box.labels.all(),
        "mentions": notes.mentions_of(person).filter(note__conversation__mailbox=box) if is_mine else [],
        "offers": access.offers_to(person).filter(to_mailbox=box).count(),
        "today": timezone.localdate(),
        "is_drafts": is_drafts,
        "outbox": send_order.outbox(box),
        "undoable": assignment.latest_undoable(box, person),
        "undo_seconds": assignment.UNDO_SECONDS,
    }
    template = "workplace/_conversations.html" if request.htmx else "workplace/mailbox.html"
    return render(request, template, context)


@login_required
@require_safe
def conversation(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """A conversation: every message in order, with what is known of its delivery, and who does what."""
    rows = access.conversations_of(request.user).select_related("mailbox", "assignee", "retention_hold__by")
    talk = get_object_or_404(rows, pk=conversation_id)
    person = request.user
    inbox.mark_seen(talk, request.user)
    if "X-Background" not in request.headers:
        assignment.note_opened(talk, person)
        presence.note_page(person, presence.Place(talk.pk, is_writing=False))
    notes.mark_seen(talk, person)
    access_log.record_opened(request.user, talk, is_by_itself="X-Background" in request.headers)
    page = _page_asked(request, talk)
    shown = _messages(talk, page)
    context = {
        "conversation": talk,
        "mailbox": talk.mailbox,
        "messages_shown": shown,
        "newest_message": max((row.pk for row in shown), default=""),
        "page": page,
        "address": request.get_full_path(),
        # All of a long history is shown to who asks for it.
        **notes_and_labels.sidebar_context(
            talk, person, lines=None if request.GET.get("historik") == "hela" else _HISTORY
        ),
        "undoable": assignment.undoable(talk, person),
        "undo_seconds": assignment.UNDO_SECONDS,
    }
    is_fragment = request.htmx
    template = "workplace/_conversation.html" if is_fragment else "workplace/conversation.html"
    return render(request, template, context)


@login_required
@require_POST
def printed(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """The page's script tells that it is being printed."""
    rows = access.conversations_of(request.user).select_related("mailbox")
    access_log.record_printed(request.user, get_object_or_404(rows, pk=conversation_id))
    return HttpResponse(status=204)


def _page_asked(request: PersonRequest, talk: Conversation) -> thread.ThreadPage:
    number, holding = request.GET.get("sida", ""), request.GET.get("meddelande", "")
    return thread.page_of(talk, number=_key(number), holding=_key(holding))


def _key(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _messages(talk: Conversation, page: thread.ThreadPage) -> list[Message]:
    """The messages of a page in its order, with their documents and what is known of their delivery."""
    documents = Document.objects.prefetch_related("attachments")
    found = talk.messages.filter(pk__in=[link.key for link in page.links])
    by_key = {row.pk: row for row in found.prefetch_related(Prefetch("documents", documents))}
    rows = [by_key[link.key] for link in page.links if link.key in by_key]
    sent = [row.message_id for row in rows if row.direction == Message.Direction.OUT]
    deliveries = deliveries_of(talk.mailbox.participant_id, sent)
    links = {link.key: link for link in page.links}
    before = None
    for row in rows:
        link = links[row.pk]
        row.is_sent = row.direction == Message.Direction.OUT  # type: ignore[attr-defined]
        # What stands right above needs no pointing at.
        row.answers = link.answers if link.answers != before else None  # type: ignore[attr-defined]
        row.is_orphan = link.is_orphan  # type: ignore[attr-defined]
        delivery = deliveries.get(row.message_id) if row.direction == Message.Direction.OUT else None
        row.ladder = ladder_of(delivery) if delivery is not None else None  # type: ignore[attr-defined]
        row.attachment_count = 0  # type: ignore[attr-defined]
        for document in row.documents.all():
            for attachment in document.attachments.all():
                row.attachment_count += 1  # type: ignore[attr-defined]
                attachment.shown_as = previews.kind_of(attachment.content_type, attachment.size)  # type: ignore[attr-defined]
        before = row.pk
    message_text.Page().render_texts(rows)
    return rows
