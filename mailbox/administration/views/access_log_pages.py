"""The access log, for auditors: searched, and taken out as a file. It has no message and no word of one."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from mailbox import access, access_log
from mailbox.administration.csv_export import sheet
from mailbox.models import AccessLogEntry, FunctionMailbox, Person
from mailbox.requests import PersonRequest

from .pages import actor, auditor_required, day_of, page, period_errors

_PAGE = 100
_COLUMNS = [
    "organisation",
    "number",
    "at",
    "actor",
    "what",
    "mailbox",
    "person",
    "conversation",
    "message",
    "details",
    "previous",
    "digest",
]

# What an entry tells, in the order in which forms offer it.
_ACCESS = {
    "conversation-opened": _("Öppnade konversation"),
    "attachment-opened": _("Öppnade bilaga"),
    "text-downloaded": _("Hämtade meddelandets text"),
    "evidence-opened": _("Öppnade kuvert eller kvittens"),
    "conversation-printed": _("Skrev ut konversation"),
    "conversation-moved": _("Tog över konversation från annan funktion"),
    "shown-in-search": _("Såg i sökresultat"),
    "draft-opened": _("Öppnade utkast"),
    "message-forwarded": _("Vidarebefordrade meddelande"),
    "searched": _("Sökte"),
    "record-bundle-made": _("Gjorde arkivpaket"),
    "access-log-exported": _("Tog ut åtkomstloggen"),
    "access-log-read": _("Läste åtkomstloggen"),
    "statistics-exported": _("Tog ut statistik"),
    "transfer-log-exported": _("Tog ut överföringsloggen"),
    "retention-protocol-exported": _("Tog ut gallringsprotokollet"),
    "functions-exported": _("Tog ut funktionsadresserna"),
}
WHAT_WAS_ADMINISTERED = {
    "mailbox-created": _("Brevlådan skapades"),
    "mailbox-opened": _("Brevlådan öppnades"),
    "mailbox-closed": _("Brevlådan stängdes"),
    "certificate-requested": _("Ett certifikat begärdes"),
    "certificate-imported": _("Ett certifikat lästes in"),
    "mailbox-limit-set": _("Gränsen för obevakad ändrades"),
    "catch-all-set": _("Uppsamlingsbrevlåda valdes"),
    "catch-all-removed": _("Uppsamlingsbrevlåda togs bort"),
    "routing-changed": _("Vägen för meddelanden inom installationen ändrades"),
    "redirection-proposed": _("Ändring av vart meddelanden går föreslogs"),
    "redirection-confirmed": _("Ändring av vart meddelanden går bekräftades"),
    "redirection-withdrawn": _("Förslag om vart meddelanden går togs bort"),
    "person-added": _("Personen lades till"),
    "member-added": _("Blev medlem"),
    "member-changed": _("Medlemskapet ändrades"),
    "member-by-rule": _("Blev medlem genom regel"),
    "member-removed": _("Medlemskapet avslutades"),
    "membership-ended": _("Medlemskapets tid gick ut"),
    "rule-made": _("Regel för medlemskap gjordes"),
    "rule-removed": _("Regel för medlemskap togs bort"),
    "role-given": _("Fick roll"),
    "role-taken": _("Miste roll"),
    "person-locked": _("Personen spärrades"),
    "person-unlocked": _("Spärren hävdes"),
    "record-bundle-made": _("Arkivpaket gjordes"),
    "function-created": _("Funktionsadress lades upp"),
    "function-changed": _("Funktionsadress ändrades"),
    "function-closed": _("Funktionsadress stängdes"),
    "functions-imported": _("Funktionsadresser lästes in"),
    "retention-changed": _("Gallringsregel ändrades"),
    "retention-held": _("Undantag från gallring"),
    "retention-released": _("Undantag från gallring hävdes"),
    "retention-run": _("Gallring gjordes"),
    "quarantine-removed": _("Togs bort ur karantän"),
    "arrival-retried": _("Inkommet meddelande prövades igen"),
    "arrival-refused": _("Inkommet meddelande avvisades för hand"),
    "client-registered": _("En meddelandeklient registrerades"),
    "client-changed": _("En meddelandeklient bytte namn"),
    "client-proposed": _("Nyckel eller behörighet för en meddelandeklient föreslogs"),
    "client-confirmed": _("Nyckel eller behörighet för en meddelandeklient bekräftades"),
    "client-withdrawn": _("Förslag om en meddelandeklient togs bort"),
    "client-key-removed": _("En meddelandeklients nyckel togs bort"),
    "client-disabled": _("En meddelandeklient stängdes av"),
    "client-enabled": _("En meddelandeklient släpptes in igen"),
    "client-webhook-set": _("En meddelandeklients webbkrok ändrades"),
    "function-routed": _("En funktions meddelandeklienter ändrades"),
}


def in_words(what: str) -> str:
    return str(_ACCESS.get(what) or WHAT_WAS_ADMINISTERED.get(what) or what)


@auditor_required
@require_safe
def access_log_page(request: PersonRequest) -> HttpResponse:
    """Entries by who, what, where and when; the latest first, a page at a time."""
    asked = request.GET
    errors = _errors(asked)
    rows = _asked_for(request, asked).order_by("-at", "-pk")
    before = asked.get("fore", "")
    if before.isascii() and before.isdigit() and len(before) < 19:
        rows = rows.filter(_older_than(int(before)))
    found = list(rows.select_related("actor", "person", "mailbox")[: _PAGE + 1])
    for entry in found:
        entry.what_in_words = in_words(entry.what)  # type: ignore[attr-defined]
    organisations = access.audited_by(request.user)
    remaining = asked.copy()
    remaining["fore"] = str(found[_PAGE - 1].pk) if len(found) > _PAGE else ""
    boxes = FunctionMailbox.objects.filter(participant_id__in=organisations)
    told = AccessLogEntry.objects.filter(participant_id__in=organisations)
    context = {
        "entries": found[:_PAGE],
        "next": remaining.urlencode() if remaining["fore"] else "",
        "asked": asked,
        "errors": errors,
        "kinds": sorted({**_ACCESS, **WHAT_WAS_ADMINISTERED}.items(), key=lambda item: str(item[1])),
        "mailboxes": boxes.order_by("name").values("pk", "name"),
        "people": Person.objects.filter(pk__in=told.values("actor")).order_by("name").values("pk", "name"),
    }
    return page(request, "administration/access_log.html", context, status=422 if errors else 200)


@auditor_required
@require_POST
def access_log_file(request: PersonRequest) -> StreamingHttpResponse:
    """The same entries as CSV, with their chain."""
    for participant_id in access.audited_by(request.user):
        access_log.note(actor(request), "access-log-exported", participant_id)
    rows = _asked_for(request, request.POST).order_by("participant_id", "number")
    return sheet(request, "atkomstlogg", _COLUMNS, _lines(rows))


def _asked_for(request: PersonRequest, asked: QueryDict) -> QuerySet[AccessLogEntry]:
    narrow: dict[str, Any] = {"participant_id__in": access.audited_by(request.user)}
    for name, field in (("vem", "actor_id"), ("brevlada", "mailbox_id"), ("ror", "person_id")):
        value = asked.get(name, "")
        if value.isascii() and value.isdigit() and len(value) < 19:
            narrow[field] = int(value)
    if asked.get("vad"):
        narrow["what"] = asked["vad"]
    since, until = day_of(asked.get("fran", "")), day_of(asked.get("till", ""))
    if since:
        narrow["at__gte"] = since
    if until:
        narrow["at__lt"] = until + timedelta(days=1)
    if asked.get("konversation"):
        narrow["conversation_id"] = _uuid(asked.get("konversation", ""))
    return AccessLogEntry.objects.filter(**narrow)


def _errors(asked: QueryDict) -> dict[str, str]:
    """What is asked for that no entry could have."""
    errors = {}
    identity = asked.get("konversation", "")
    if identity and _uuid(identity) == UUID(int=0):
        errors["konversation"] = gettext("Skriv hela id:t, så som det står i loggen.")
    return errors | period_errors(asked, "fran", "till")


def _older_than(key: int) -> Q:
    """What comes after an entry in the list; said so that an index begins there."""
    at = AccessLogEntry.objects.filter(pk=key).values_list("at", flat=True).first()
    return Q(at__lte=at) & (Q(at__lt=at) | Q(pk__lt=key)) if at is not None else Q()


def _uuid(text: str) -> UUID:
    try:
        return UUID(text.strip())
    except ValueError:
        return UUID(int=0)


def _lines(rows: QuerySet[AccessLogEntry]) -> Iterator[tuple[object, ...]]:
    for entry in rows.select_related("actor", "person", "mailbox").iterator(chunk_size=1000):
        yield (
            entry.participant_id,
            entry.number,
            entry.at.isoformat(),
            entry.actor,
            entry.what,
            entry.mailbox,
            entry.person,
            entry.conversation_id,
            entry.message_id,
            json.dumps(entry.details, ensure_ascii=False) if entry.details else "",
            entry.previous,
            entry.digest,
        )
