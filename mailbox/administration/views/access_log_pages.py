"""The access log for auditors: searched, and exported as a file. It has no message and no word of one."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from mailbox import access, access_log
from mailbox.administration.forms import AccessLogForm
from mailbox.forms import first_errors, renamed
from mailbox.models import AccessLogEntry, FunctionMailbox, Person
from mailbox.requests import PersonRequest
from mailbox.streaming import csv_response

from .guards import auditor_required
from .layout import page

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

# What addresses of before called the parameters.
_OLD_NAMES = {
    "vem": "actor",
    "vad": "what",
    "brevlada": "mailbox",
    "ror": "person",
    "fran": "since",
    "till": "until",
    "konversation": "conversation",
    "fore": "before",
}
# The codes of what was done, in words: what people saw, and what was administered.
_ACCESS_CODES = {
    "conversation-opened": _("Öppnade konversation"),
    "attachment-opened": _("Öppnade bilaga"),
    "text-downloaded": _("Hämtade meddelandets text"),
    "evidence-opened": _("Öppnade kuvert eller kvittens"),
    "conversation-printed": _("Skrev ut konversation"),
    "conversation-moved": _("Tog över konversation från annan funktion"),
    "conversation-protected": _("Skyddade konversation"),
    "protected-members-set": _("Ändrade vilka som ser en skyddad konversation"),
    "conversation-unprotected": _("Tog bort skydd från konversation"),
    "protected-opened": _("Öppnade skyddad konversation som ansvarig"),
    "shown-in-search": _("Såg i sökresultat"),
    "draft-opened": _("Öppnade utkast"),
    "approval-asked": _("Bad om godkännande av meddelande"),
    "message-approved": _("Godkände meddelande"),
    "approval-returned": _("Gav tillbaka meddelande utan att godkänna det"),
    "approval-withdrawn": _("Tog tillbaka begäran om godkännande"),
    "approval-ended": _("Begäran om godkännande upphörde"),
    "moved-by-rule": _("Flyttades av en regel vid ankomst"),
    "message-forwarded": _("Vidarebefordrade meddelande"),
    "searched": _("Sökte"),
    "record-bundle-made": _("Gjorde arkivpaket"),
    "eark-package-made": _("Gjorde E-ARK-paket"),
    "registered": _("Registrerade"),
    "registration-corrected": _("Rättade registrering"),
    "registration-withdrawn": _("Återtog registrering"),
    "case-delivery-ordered": _("Beställde överlämning till ärendesystem"),
    "case-delivery-retried": _("Försökte överlämna till ärendesystem igen"),
    "case-delivery-withdrawn": _("Återtog överlämning till ärendesystem"),
    "case-delivery-made": _("Överlämnades till ärendesystem"),
    "case-delivery-fetched": _("Hämtades av ärendesystem"),
    "case-delivery-acknowledged": _("Togs emot av ärendesystem"),
    "case-delivery-refused": _("Avvisades av ärendesystem"),
    "access-log-exported": _("Tog ut åtkomstloggen"),
    "access-log-read": _("Läste åtkomstloggen"),
    "statistics-exported": _("Tog ut statistik"),
    "transfer-log-exported": _("Tog ut överföringsloggen"),
    "retention-protocol-exported": _("Tog ut gallringsprotokollet"),
    "functions-exported": _("Tog ut funktionsadresserna"),
}
ADMINISTRATIVE_CODES = {
    "mailbox-created": _("Brevlådan skapades"),
    "mailbox-opened": _("Brevlådan öppnades"),
    "mailbox-closed": _("Brevlådan stängdes"),
    "certificate-requested": _("Ett certifikat begärdes"),
    "certificate-imported": _("Ett certifikat lästes in"),
    "mailbox-limit-set": _("Gränsen för obevakad ändrades"),
    "approval-rule-set": _("Vilka meddelanden som ska godkännas ändrades"),
    "approval-rule-proposed": _("Att färre meddelanden ska godkännas föreslogs"),
    "approval-rule-kept": _("Förslag om vilka meddelanden som ska godkännas togs bort"),
    "staffed-hours-changed": _("Tiderna då brevlådan är bemannad ändrades"),
    "service-levels-changed": _("Brevlådans tidsgränser ändrades"),
    "duty-list-changed": _("Vilka som får veta utanför bemannad tid ändrades"),
    "automatic-answer-set": _("Brevlådans automatiska svar ändrades"),
    "automatic-answers-stopped": _("De automatiska svaren stoppades: de var för många"),
    "automatic-answers-resumed": _("De automatiska svaren startades igen"),
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
    "arrival-rule-made": _("Regel vid ankomst gjordes"),
    "arrival-rule-changed": _("Regel vid ankomst ändrades"),
    "arrival-rule-removed": _("Regel vid ankomst togs bort"),
    "role-given": _("Fick roll"),
    "role-taken": _("Miste roll"),
    "person-locked": _("Personen spärrades"),
    "person-unlocked": _("Spärren hävdes"),
    "person-removed": _("Personen togs bort"),
    "identity-changed": _("Organisationens namn eller logotyp ändrades"),
    "record-bundle-made": _("Arkivpaket gjordes"),
    "eark-package-made": _("E-ARK-paket gjordes"),
    "function-created": _("Funktionsadress lades upp"),
    "function-changed": _("Funktionsadress ändrades"),
    "function-closed": _("Funktionsadress stängdes"),
    "functions-imported": _("Funktionsadresser lästes in"),
    "retention-changed": _("Gallringsregel ändrades"),
    "registration-set": _("Inställningarna för registrering ändrades"),
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
    "remote-service-registered": _("En annan meddelandetjänst registrerades"),
    "remote-service-changed": _("En annan meddelandetjänsts adress eller namn ändrades"),
    "remote-service-functions": _("Vilka funktioner som använder en annan meddelandetjänst ändrades"),
    "remote-service-key": _("Nyckeln för en annan meddelandetjänst byttes"),
    "remote-service-on": _("En annan meddelandetjänst slogs på"),
    "remote-service-off": _("En annan meddelandetjänst stängdes av"),
    "remote-service-retry": _("Ett undanlagt meddelande hämtas på nytt från en annan meddelandetjänst"),
    "case-system-created": _("Ett ärendesystem lades upp"),
    "case-system-changed": _("Ett ärendesystem ändrades"),
    "case-system-secrets-renewed": _("Ett ärendesystem fick ny hemlighet och token"),
    "case-system-host-key-set": _("Ett ärendesystem fick en värdnyckel"),
    "case-system-host-key-changed": _("Ett ärendesystems server visade en annan värdnyckel"),
    "case-system-confirmed": _("Inställningarna för ett ärendesystem bekräftades"),
    "case-system-disabled": _("Ett ärendesystem stängdes av"),
    "case-system-enabled": _("Ett ärendesystem slogs på igen"),
    "case-system-mailbox-set": _("När brevlådan överlämnar till ett ärendesystem ändrades"),
    "member-by-directory": _("Blev medlem genom katalogtjänsten"),
    "directory-token-made": _("En nyckel för katalogtjänsten skapades"),
    "directory-token-confirmed": _("En nyckel för katalogtjänsten bekräftades"),
    "directory-token-revoked": _("En nyckel för katalogtjänsten återkallades"),
    "directory-mapping-made": _("En grupp i katalogtjänsten kopplades till brevlådan"),
    "directory-mapping-confirmed": _("En koppling till brevlådan bekräftades"),
    "directory-mapping-removed": _("En koppling till brevlådan togs bort"),
    "directory-user-added": _("Katalogtjänsten lade till användaren"),
    "directory-user-changed": _("Katalogtjänsten ändrade användaren"),
    "directory-user-removed": _("Katalogtjänsten tog bort användaren"),
    "directory-group-added": _("Katalogtjänsten lade till en grupp"),
    "directory-group-changed": _("Katalogtjänsten ändrade en grupp"),
    "directory-group-removed": _("Katalogtjänsten tog bort en grupp"),
    "department-added": _("En avdelning lades till"),
    "department-renamed": _("En avdelning bytte namn"),
    "department-moved": _("En avdelning flyttades"),
    "department-removed": _("En avdelning togs bort"),
    "department-restored": _("En avdelning återställdes"),
    "department-mailboxes-set": _("Brevlådorna i en avdelning ändrades"),
    "leader-added": _("Blev ledare för en avdelning"),
    "leader-removed": _("Är inte längre ledare för en avdelning"),
    "monthly-figures-chosen": _("Får månadssiffror med mejl"),
    "monthly-figures-ended": _("Får inte längre månadssiffror med mejl"),
    "price-list-added": _("En prislista lades till"),
    "price-list-changed": _("En prislistas sista dag ändrades"),
    "price-list-removed": _("En prislista togs bort"),
    "function-routed": _("En funktions meddelandeklienter ändrades"),
    "organisation-exported": _("Organisationen exporterades till en annan installation"),
    "organisation-imported": _("Organisationen importerades från en annan installation"),
    "organisation-erasure-begun": _("Radering av organisationen påbörjades"),
    "organisation-erased": _("Organisationen raderades"),
}


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry as pages show it: `text` is what was done, in words."""

    entry: AccessLogEntry
    text: str


def in_words(entries: Iterable[AccessLogEntry]) -> list[EntryRow]:
    """Entries with what was done in words; a code that has none by itself."""
    texts = {**ADMINISTRATIVE_CODES, **_ACCESS_CODES}
    return [EntryRow(entry, str(texts.get(entry.what, entry.what))) for entry in entries]


@auditor_required
@require_safe
def access_log_page(request: PersonRequest) -> HttpResponse:
    """Entries by who, what, where and when; the latest first, a page at a time."""
    asked = renamed(request.GET, _OLD_NAMES)
    form = AccessLogForm(asked)
    rows = _asked_for(request, form).order_by("-at", "-pk")
    before = form.understood()["before"]
    if before is not None:
        rows = rows.filter(_older_than(before))
    errors = first_errors(form)
    found = [] if errors else list(rows.select_related("actor", "person", "mailbox")[: _PAGE + 1])
    next_page = asked.copy()
    next_page["before"] = str(found[_PAGE - 1].pk) if len(found) > _PAGE else ""
    organisations = access.audited_by(request.user)
    boxes = FunctionMailbox.objects.filter(participant_id__in=organisations)
    readable = AccessLogEntry.objects.filter(participant_id__in=organisations)
    context = {
        "entries": in_words(found[:_PAGE]),
        "next": next_page.urlencode() if next_page["before"] else "",
        "asked": asked,
        "errors": errors,
        "kinds": sorted(
            {**_ACCESS_CODES, **ADMINISTRATIVE_CODES}.items(), key=lambda code_and_text: str(code_and_text[1])
        ),
        "mailboxes": boxes.order_by("name").values("pk", "name"),
        "people": Person.objects.filter(pk__in=readable.values("actor"))
        .order_by("name")
        .values("pk", "name"),
    }
    return page(request, "administration/access_log.html", context, status=422 if errors else 200)


@auditor_required
@require_POST
def access_log_file(request: PersonRequest) -> StreamingHttpResponse:
    """The same entries as CSV, with their chain."""
    for participant_id in access.audited_by(request.user):
        access_log.record(request.user, "access-log-exported", participant_id)
    form = AccessLogForm(renamed(request.POST, _OLD_NAMES))
    rows = _asked_for(request, form).order_by("participant_id", "number")
    return csv_response(request, "atkomstlogg", _COLUMNS, _lines(rows))


def _asked_for(request: PersonRequest, form: AccessLogForm) -> QuerySet[AccessLogEntry]:
    """The entries of the person's organisations that the form asks for; none where it is not valid."""
    narrow: dict[str, Any] = {"participant_id__in": access.audited_by(request.user)}
    asked = form.understood()
    fields = {
        "actor": "actor_id",
        "mailbox": "mailbox_id",
        "person": "person_id",
        "conversation": "conversation_id",
    }
    narrow |= {field: asked[name] for name, field in fields.items() if asked[name] is not None}
    if asked["what"]:
        narrow["what"] = asked["what"]
    since, until = form.moments()
    if since:
        narrow["at__gte"] = since
    if until:
        narrow["at__lt"] = until
    rows = AccessLogEntry.objects.filter(**narrow)
    return rows if form.is_valid() else rows.none()


def _older_than(key: int) -> Q:
    """What comes after an entry in the list; said so that an index begins there."""
    at = AccessLogEntry.objects.filter(pk=key).values_list("at", flat=True).first()
    return Q(at__lte=at) & (Q(at__lt=at) | Q(pk__lt=key)) if at is not None else Q()


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
