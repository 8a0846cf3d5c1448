"""A conversation's history in words: who has done what, and when."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Final

from django.db.models import Q, QuerySet
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from mailbox.models import Conversation, ConversationEvent, ProtectedOpening

What = ConversationEvent.What
_WORDS: Final[dict[str, str | Promise]] = {
    What.OPENED: lazy("Öppnad första gången av %(who)s"),
    What.TAKEN: lazy("Tilldelad %(who)s"),
    What.GIVEN_BACK: lazy("Lämnad tillbaka av %(who)s"),
    What.DUE: lazy("%(who)s bestämde att den ska vara klar senast %(to)s"),
    What.LEFT: lazy("Lämnad tillbaka: %(who)s arbetar inte längre i brevlådan"),
    What.OFFERED: lazy("%(who)s erbjuder den till %(to)s"),
    What.ACCEPTED: lazy("Övertagen av %(who)s"),
    What.DECLINED: lazy("%(who)s tackade nej till att ta över"),
    What.WITHDRAWN: lazy("%(who)s tog tillbaka sitt erbjudande"),
    What.ANSWERED: lazy("Meddelande skrivet av %(who)s"),
    What.DONE: lazy("Markerad som klar av %(who)s"),
    What.REOPENED: lazy("Öppnad på nytt av %(who)s"),
    What.TRASHED: lazy("Lagd i papperskorgen av %(who)s"),
    What.ARRIVED: lazy("Öppnad på nytt: ett meddelande kom"),
    What.REMIND: lazy("%(who)s ställde in en påminnelse %(to)s"),
    What.BROUGHT_UP: lazy("Påminnelse: togs upp igen"),
    What.NOTED: lazy("Anteckning skriven av %(who)s"),
    What.NOTE_REMOVED: lazy("%(who)s tog bort sin anteckning"),
    What.LABELLED: lazy("%(who)s satte etiketten %(to)s"),
    What.UNLABELLED: lazy("%(who)s tog bort etiketten %(to)s"),
    What.PRIORITISED: lazy("%(who)s prioriterade den"),
    What.PRIORITY_REMOVED: lazy("%(who)s tog bort prioriteten"),
    What.UNDONE: lazy("Ångrat av %(who)s: %(to)s"),
    What.UNDELIVERED: lazy("Tillbaka i inkorgen: ett meddelande kom inte fram eller avvisades"),
    What.OVERDUE: lazy("Tillbaka i inkorgen: kvittens saknas för ett meddelande"),
    What.CANCELLED: lazy("Sändningen av ett meddelande avbröts av %(who)s"),
    What.SENT_AGAIN: lazy("Ett meddelande skickades igen av %(who)s"),
    What.STOOD_IN: lazy("Kom hit i stället för till %(to)s, som är stängd eller inte finns"),
    What.RETENTION_HOLD: lazy("Undantagen från gallring av %(who)s"),
    What.RELEASED: lazy("Undantaget från gallring hävt av %(who)s"),
    What.REGISTERED: lazy("Registrerad av %(who)s"),
    What.OF_MINOR_IMPORTANCE: lazy("Bedömd som av ringa betydelse av %(who)s"),
    What.REGISTRATION_CORRECTED: lazy("Registreringen rättad av %(who)s"),
    What.REGISTRATION_WITHDRAWN: lazy("Registreringen återtagen av %(who)s"),
    What.MOVED_BY_RULE: lazy("Flyttad hit från %(to)s av en regel"),
    What.NOTIFIED_BY_RULE: lazy("En regel skickar en avisering till %(to)s"),
    What.CASE_ORDERED: lazy("%(who)s beställde att den överlämnas till %(to)s"),
    What.CASE_DELIVERED: lazy("Överlämnad till %(to)s"),
    What.CASE_ACKNOWLEDGED: lazy("Mottagen av %(to)s"),
    What.CASE_REFUSED: lazy("Avvisad av %(to)s"),
    What.CASE_FAILED: lazy("Överlämningen till %(to)s lyckades inte, och görs inte om av sig själv"),
    What.CASE_WITHDRAWN: lazy("%(who)s återtog överlämningen till %(to)s"),
    What.PROTECTED: lazy("Skyddad av %(who)s: ses av %(to)s"),
    What.NAMED_MEMBERS_CHANGED: lazy("%(who)s ändrade vilka som ser den: %(to)s"),
    What.PROTECTION_REMOVED: lazy("%(who)s tog bort skyddet"),
    What.OPENED_BY_MANAGER: lazy("%(who)s öppnade den som ansvarig för brevlådan. Skäl: %(to)s"),
    What.APPROVAL_ASKED: lazy("%(who)s bad om godkännande av ett meddelande"),
    What.APPROVED: lazy("Meddelandet godkänt av %(who)s"),
    What.APPROVAL_RETURNED: lazy("%(who)s gav tillbaka ett meddelande utan att godkänna det"),
    What.APPROVAL_WITHDRAWN: lazy("%(who)s tog tillbaka sin begäran om godkännande"),
    What.APPROVAL_ENDED: lazy("Begäran om godkännande av ett meddelande upphörde"),
    What.ANSWERED_AUTOMATICALLY: lazy("Ett automatiskt svar skickades"),
}
# Why managers open protected conversations.
OPENING_REASONS: Final[dict[str, str | Promise]] = {
    ProtectedOpening.Reason.ABSENCE: lazy("De som ser den är borta"),
    ProtectedOpening.Reason.URGENT: lazy("Den kan inte vänta"),
    ProtectedOpening.Reason.DISCLOSURE: lazy("Någon har begärt ut handlingen"),
    ProtectedOpening.Reason.SUPERVISION: lazy("Tillsyn eller granskning"),
    ProtectedOpening.Reason.OTHER: lazy("Annat skäl"),
}
# What a rule on arrival did.
_BY_RULE: Final[dict[str, str | Promise]] = {
    What.TAKEN: lazy("Regeln ”%(rule)s” tilldelade den %(to)s"),
    What.DUE: lazy("Regeln ”%(rule)s” bestämde att den ska vara klar senast %(to)s"),
    What.LABELLED: lazy("Regeln ”%(rule)s” satte etiketten %(to)s"),
    What.PRIORITISED: lazy("Regeln ”%(rule)s” prioriterade den"),
    What.MOVED_BY_RULE: lazy("Regeln ”%(rule)s” flyttade hit den från %(to)s"),
    What.NOTIFIED_BY_RULE: lazy("Regeln ”%(rule)s” skickar en avisering till %(to)s"),
}
_UNDONE: Final[dict[str, str | Promise]] = {
    What.TAKEN: lazy("att tilldela den"),
    What.GIVEN_BACK: lazy("att lämna tillbaka den"),
    What.DONE: lazy("att markera den som klar"),
    What.REOPENED: lazy("att öppna den på nytt"),
    What.TRASHED: lazy("att lägga den i papperskorgen"),
    What.REMIND: lazy("påminnelsen"),
    What.DUE: lazy("dagen då den ska vara klar"),
    What.OFFERED: lazy("att erbjuda den"),
    What.ACCEPTED: lazy("att ta över den"),
    What.DECLINED: lazy("att tacka nej"),
    What.WITHDRAWN: lazy("att ta tillbaka erbjudandet"),
    What.LABELLED: lazy("etiketten"),
    What.UNLABELLED: lazy("att ta bort etiketten"),
    What.PRIORITISED: lazy("att prioritera den"),
    What.PRIORITY_REMOVED: lazy("att ta bort prioriteten"),
}


def events_of(conversation: Conversation, *, latest: int | None = None) -> list[ConversationEvent]:
    """The events of a conversation, or the `latest` so many, oldest first; in one query."""
    rows = conversation.events.select_related("actor").order_by("-at", "-pk")
    return list(rows[:latest])[::-1]


def lines_of(events: Iterable[ConversationEvent]) -> list[tuple[datetime, str]]:
    """The time of each event, and the event in words."""
    return [(event.at, in_words(event)) for event in events]


def milestones_of(conversation: Conversation) -> list[tuple[str, datetime | None]]:
    """Who has opened, been assigned, answered and finished the conversation, and when; or that nobody has."""
    events = conversation.events.order_by("at", "pk")
    latest = [_latest(conversation, what) for what in (What.ANSWERED, What.DONE)]
    milestones = events.filter(Q(what=What.OPENED) | Q(pk__in=latest[0]) | Q(pk__in=latest[1]))
    by_what: dict[str, list[ConversationEvent]] = {}
    for event in milestones.select_related("actor"):
        by_what.setdefault(event.what, []).append(event)
    opened = by_what.get(What.OPENED, [])
    found = [_with_time(opened[0]) if opened else (_("Ingen har öppnat den"), None)]
    if len(opened) > 1:
        others = ", ".join(_name(event) for event in opened[1:])
        found.append((_("Öppnad också av %(who)s") % {"who": others}, None))
    since = conversation.assignments.filter(ended_at=None).values_list("began_at", flat=True).first()
    if conversation.assignee is None:
        found.append((_("Ej tilldelad"), None))
    else:
        found.append((_("Tilldelad %(who)s") % {"who": conversation.assignee.name}, since))
    found.append(_answer(conversation, by_what.get(What.ANSWERED, [])))
    if conversation.state == Conversation.State.DONE:
        found += [_with_time(done) for done in by_what.get(What.DONE, [])]
    return found


def _answer(conversation: Conversation, latest: Sequence[ConversationEvent]) -> tuple[str, datetime | None]:
    arrived = conversation.last_arrived_at
    if not latest:
        return _("Ingen har svarat"), None
    answered = latest[0]
    if arrived is None:
        return _with_time(answered)
    who = {"who": _name(answered)}
    if answered.at >= arrived:
        return _("Besvarad av %(who)s") % who, answered.at
    return _("Senast besvarad av %(who)s, innan det senaste meddelandet kom") % who, answered.at


def _latest(conversation: Conversation, what: What) -> QuerySet[ConversationEvent, int]:
    """The key of the latest event with this code that has not been undone, as a query."""
    rows = conversation.events.filter(what=what, undone_at=None).order_by("-at", "-pk")
    return rows.values_list("pk", flat=True)[:1]


def _with_time(event: ConversationEvent) -> tuple[str, datetime | None]:
    return in_words(event), event.at


def _name(event: ConversationEvent) -> str:
    return event.actor.name if event.actor else _("någon som inte finns kvar")


def in_words(event: ConversationEvent) -> str:
    """An event as one line of text."""
    line = str(_WORDS[event.what])
    if event.what == What.REMIND and not event.to:
        line = _("%(who)s tog bort påminnelsen")
    if event.what == What.DUE and not event.to:
        line = _("%(who)s tog bort dagen då den ska vara klar")
    if event.what == What.CANCELLED and event.actor is None:
        line = _("Sändningen av ett meddelande avbröts")
    if event.what == What.ACCEPTED and event.to:
        line = _("Övertagen av %(who)s för %(to)s")
    if event.what == What.CASE_ORDERED and event.actor is None:
        line = _("Ska överlämnas till %(to)s, som brevlådan är inställd")
    if event.what == What.CASE_WITHDRAWN and event.actor is None:
        line = _("Överlämnas inte till %(to)s: den öppnades på nytt eller är inte längre registrerad")
    if event.rule_name and event.what in _BY_RULE:
        line = str(_BY_RULE[event.what])
    format_to = _FORMATS_OF_TO.get(event.what, str)
    return line % {"who": _name(event), "to": format_to(event.to), "rule": event.rule_name}


def _day(text: str) -> str:
    return date_format(date.fromisoformat(text), "j F Y") if text else ""


_FORMATS_OF_TO: Final[dict[str, Callable[[str], str]]] = {
    What.REMIND: _day,
    What.DUE: _day,
    What.OPENED_BY_MANAGER: lambda text: str(OPENING_REASONS.get(text, text)),
    What.UNDONE: lambda text: str(_UNDONE.get(text, text)),
}
