"""Searching what one may see. Questions are posted: they stand in no address, so in no log of addresses."""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, time, timedelta
from functools import cache
from itertools import islice
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from mailbox import access, access_log
from mailbox.models import AccessLogEntry, Document, Draft, Message, Note
from mailbox.requests import PersonRequest
from mailbox.texts.markdown import without_marks
from transport.rate_limits import limited
from transport.storage.encryption.keys import search_key

from . import Filters, Hit, Hits, find
from .highlight import LONGEST, Marker, Part
from .words import terms

_DIRECTIONS = {"in": False, "ut": True}
_MOST_TEXTS: Final = 20


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited("search", methods=("POST",))
def search(request: PersonRequest) -> HttpResponse:
    """The form; POST answers a question: a fragment for htmx, a page without it."""
    boxes = access.mailboxes_of(request.user).order_by("name", "pk")
    asked = request.POST
    question = asked.get("fraga", "").strip()
    labels = access.labels_of(request.user).select_related("mailbox").order_by("mailbox__name", "name", "pk")
    context: dict[str, Any] = {
        "mailboxes": boxes,
        "labels": labels,
        "asked": asked,
        "question": question,
    }
    if request.method != "POST":
        return render(request, "search/page.html", context)
    is_fragment = request.htmx
    template = "search/_hits.html" if is_fragment else "search/page.html"
    if not terms(question):
        errors = {"fraga": _("Skriv minst ett ord eller nummer att söka efter.")}
        return render(request, template, {**context, "errors": errors}, status=200 if is_fragment else 422)
    hits = find(request.user, question, _filters(asked), after=asked.get("efter", ""))
    _note(request, question, hits)
    key_for = cache(search_key)
    context |= {
        "hits": [_shown(hit, hits, key_for) for hit in hits.hits],
        "after": hits.after,
        "is_further": bool(asked.get("efter")),
        "is_answered": True,
    }
    return render(
        request, "search/_further.html" if is_fragment and asked.get("efter") else template, context
    )


def _filters(asked: QueryDict) -> Filters:
    mailbox = asked.get("brevlada", "")
    until = _midnight(asked.get("till", ""))
    return Filters(
        mailbox_id=_identity(mailbox),
        label_id=_identity(asked.get("etikett", "")),
        since=_midnight(asked.get("fran", "")),
        until=until + timedelta(days=1) if until else None,
        is_outgoing=_DIRECTIONS.get(asked.get("riktning", "")),
        are_notes=asked.get("riktning") == "anteckningar",
        are_drafts=asked.get("riktning") == "utkast",
        is_confidential=asked.get("sekretess") == "on",
        has_attachments=asked.get("bilagor") == "on",
    )


def _identity(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _midnight(text: str) -> datetime | None:
    try:
        day = parse_date(text)
    except ValueError:
        return None
    if day is None or not 1900 < day.year < 3000:
        return None
    return timezone.make_aware(datetime.combine(day, time.min))


def _note(request: PersonRequest, question: str, hits: Hits) -> None:
    """Note that a search was made, in each organisation that it went through: not its words, but a keyed hash
    by which the same question is known again. And which conversations it showed something of."""
    shown = _shown_in(hits)
    participants = access.mailboxes_of(request.user).values_list("participant_id", flat=True)
    said = " ".join(term.text for term in terms(question)).encode()
    for participant in sorted(set(participants)):
        digest = hmac.new(search_key(participant), b"question\0" + said, hashlib.sha256).hexdigest()
        searched = AccessLogEntry(what="searched", details={"question": digest, "hits": len(hits.hits)})
        entries = [searched, *shown.get(participant, [])]
        access_log.note_all(request.user, participant, entries)


def _shown_in(hits: Hits) -> dict[str, list[AccessLogEntry]]:
    """An entry for each conversation, and for each draft of none, of which the answer shows something."""
    drafts = [hit.what for hit in hits.hits if isinstance(hit.what, Draft)]
    held = Message.objects.select_related("conversation").in_bulk(
        {key for draft in drafts for key in (draft.answers_id, draft.forwards_id) if key}
    )
    found: dict[str, dict[object, AccessLogEntry]] = {}
    for hit in hits.hits:
        what = hit.what
        details: dict[str, str] = {}
        if isinstance(what, Draft):
            mailbox, message = what.mailbox, held.get(what.answers_id or what.forwards_id or 0)
            conversation = message.conversation if message else None
            details = {} if conversation else {"draft": str(what.key)}
        else:
            conversation, mailbox = what.conversation, what.conversation.mailbox
        identity = conversation.conversation_id if conversation else None
        entry = AccessLogEntry(
            what="shown-in-search", mailbox=mailbox, conversation_id=identity, details=details
        )
        found.setdefault(mailbox.participant_id, {}).setdefault(
            (mailbox.pk, identity, details.get("draft")), entry
        )
    return {participant: list(entries.values()) for participant, entries in found.items()}


def _shown(hit: Hit, hits: Hits, key_for: Callable[[str], bytes]) -> dict[str, object]:
    what = hit.what
    mailbox = what.mailbox if isinstance(what, Draft) else what.conversation.mailbox
    marker = Marker(key_for(mailbox.participant_id), hits.matching)
    if isinstance(what, Draft):
        shown = _draft_shown(what, marker)
    elif isinstance(what, Note):
        shown = _note_shown(what, marker)
    else:
        shown = _message_shown(what, marker)
    return {"mailbox": mailbox, "is_alike": hit.leg == 3, **shown}


def _draft_shown(draft: Draft, marker: Marker) -> dict[str, object]:
    about = [*draft.persons, *(f"{kind} {value}".strip() for kind, value in draft.references)]
    to = ", ".join(name for name in (draft.recipient_function, draft.recipient_organisation) if name)
    return {
        "draft": draft,
        "at": draft.changed_at,
        "is_confidential": draft.is_confidential,
        "subject": marker.whole(draft.subject or _("Utan ämne")),
        "counterpart": marker.whole(to or _("Ingen mottagare än")),
        "excerpt": marker.excerpt(_texts_looked_at([draft.text])),
        "attachments": _matching(marker, [file.name for file in draft.attachments.all()]),
        "about": _matching(marker, about),
    }


def _note_shown(note: Note, marker: Marker) -> dict[str, object]:
    return {
        "note": note,
        "at": note.at,
        "is_confidential": note.conversation.is_confidential,
        "subject": [Part(note.conversation.subject or _("Utan ämne"), False)],
        "excerpt": marker.excerpt([note.text]),
    }


def _message_shown(message: Message, marker: Marker) -> dict[str, object]:
    documents = list(message.documents.all())
    attachments = [file.name for document in documents for file in document.attachments.all()]
    about = [
        *(item["label"] or item["value"] for item in (*message.sender_persons, *message.recipient_persons)),
        *(
            f"{item['label']} {item['value']}".strip()
            for item in (*message.sender_references, *message.recipient_references)
        ),
    ]
    return {
        "message": message,
        "at": message.at,
        "is_sent": message.direction == message.Direction.OUT,
        "is_confidential": message.is_confidential,
        "subject": marker.whole(message.subject or _("Utan ämne")),
        "counterpart": marker.whole(f"{message.counterpart_function}, {message.counterpart_organisation}"),
        "excerpt": marker.excerpt(_texts_looked_at(_texts_of(documents))),
        "attachments": _matching(marker, attachments),
        "about": _matching(marker, about),
    }


def _texts_of(documents: Iterable[Document]) -> Iterator[str]:
    for document in documents:
        yield from document.texts


def _texts_looked_at(texts: Iterable[str]) -> list[str]:
    """The beginnings of the first texts: an excerpt costs no more than that, however long a message is."""
    return [without_marks(text[:LONGEST]) for text in islice(texts, _MOST_TEXTS)]


def _matching(marker: Marker, texts: list[str]) -> list[list[Part]]:
    return [marker.whole(text) for text in texts if marker.has_match(text)]
