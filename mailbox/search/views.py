"""The search page. Questions are posted, so that they are in no address and in no log of addresses."""

import hashlib
import hmac
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from mailbox import access, access_log
from mailbox.forms import first_errors
from mailbox.models import AccessLogEntry, Draft, Message
from mailbox.requests import PersonRequest
from transport.rate_limits import limited
from transport.storage.encryption.keys import search_key

from . import Hits, find
from .forms import SearchForm
from .results import groups_of
from .words import terms_of


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited("search", methods=("POST",))
def search(request: PersonRequest) -> HttpResponse:
    """The form; POST answers a question with a page, or with a fragment for htmx."""
    labels = access.labels_of(request.user).select_related("mailbox").order_by("mailbox__name", "name", "pk")
    context: dict[str, Any] = {
        "mailboxes": access.mailboxes_of(request.user).order_by("name", "pk"),
        "labels": labels,
        "asked": request.POST,
    }
    if request.method != "POST":
        return render(request, "search/page.html", context)
    form = SearchForm(request.POST)
    template = "search/_hits.html" if request.htmx else "search/page.html"
    if not form.is_valid():
        # htmx swaps answers with status 200 alone.
        status = 200 if request.htmx else 422
        return render(request, template, {**context, "errors": first_errors(form)}, status=status)
    question, after = form.cleaned_data["question"], form.cleaned_data["after"]
    hits = find(request.user, question, form.filters(), after=after)
    _log_search(request, question, hits)
    context |= {
        "question": question,
        "groups": groups_of(hits, previous=after.match if after else None),
        "next_after": hits.next_after.as_text() if hits.next_after else "",
        "further_page_fields": form.further_page_fields(),
        "is_answered": True,
    }
    is_further_page = request.htmx and after is not None
    return render(request, "search/_further.html" if is_further_page else template, context)


def _log_search(request: PersonRequest, question: str, hits: Hits) -> None:
    """Log the search in each organisation that was searched, with a keyed hash of the question instead of
    its words: the same question has the same hash. And log each conversation of which the answer shows
    something."""
    shown = _shown_entries(hits)
    participants = access.mailboxes_of(request.user).values_list("participant_id", flat=True)
    words = " ".join(term.text for term in terms_of(question)).encode()
    for participant in sorted(set(participants)):
        digest = hmac.new(search_key(participant), b"question\0" + words, hashlib.sha256).hexdigest()
        searched = AccessLogEntry(what="searched", details={"question": digest, "hits": len(hits.hits)})
        entries = [searched, *shown.get(participant, [])]
        access_log.record_all(request.user, participant, entries)


def _shown_entries(hits: Hits) -> dict[str, list[AccessLogEntry]]:
    """By participant an entry for each conversation, and for each draft without one, that the answer
    shows."""
    drafts = [hit.row for hit in hits.hits if isinstance(hit.row, Draft)]
    messages = Message.objects.select_related("conversation").in_bulk(
        {key for draft in drafts for key in (draft.answers_id, draft.forwards_id) if key}
    )
    entries: dict[str, dict[object, AccessLogEntry]] = {}
    for hit in hits.hits:
        row = hit.row
        details: dict[str, str] = {}
        if isinstance(row, Draft):
            mailbox, message = row.mailbox, messages.get(row.answers_id or row.forwards_id or 0)
            conversation = message.conversation if message else None
            details = {} if conversation else {"draft": str(row.key)}
        else:
            conversation, mailbox = row.conversation, row.conversation.mailbox
        conversation_id = conversation.conversation_id if conversation else None
        entry = AccessLogEntry(
            what="shown-in-search", mailbox=mailbox, conversation_id=conversation_id, details=details
        )
        entries.setdefault(mailbox.participant_id, {}).setdefault(
            (mailbox.pk, conversation_id, details.get("draft")), entry
        )
    return {participant: list(by_row.values()) for participant, by_row in entries.items()}
