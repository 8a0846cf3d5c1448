"""What the pages show of other message services, in words."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as lazy

from transport.remote_message_service.api import RemoteArrival, RemoteService, Tried

PROBLEMS: Final[dict[str, str | Promise]] = {
    "token-refused": lazy("Den känner inte igen nyckeln eller namnet."),
    "token-invalid": lazy("Den gav en behörighet som inte går att använda."),
    "not-allowed": lazy("Den tillåter inte klienten att göra det."),
    "busy": lazy("Den bad om att få vänta."),
    "server-error": lazy("Den svarade med ett fel."),
    "no-answer": lazy("Den svarade inte, eller inte hela vägen."),
    "tls": lazy("Dess certifikat är inte betrott."),
    "address-not-allowed": lazy("Adressen får inte kontaktas från den här installationen."),
    "address-wrong": lazy("Det finns inget API på adressen."),
    "list-refused": lazy("Den godtog inte frågan efter meddelanden."),
    "answer-invalid": lazy("Något som den skickade följer inte specifikationen."),
    "answer-too-long": lazy("Den skickade mer än vad som tas emot."),
    "status-unexpected": lazy("Den svarade något som inte står i specifikationen."),
    "page-elsewhere": lazy("Den hänvisade till en annan server."),
    "pages-repeat": lazy("Dess lista tog aldrig slut."),
    "key-unusable": lazy("Nyckeln går inte att använda. Skapa en ny."),
    "another-message": lazy("Den gav ett annat meddelande än det som den hade sagt."),
    "another-recipient": lazy("Meddelandet är till en annan organisation."),
    "function-not-bound": lazy("Funktionen använder inte den här meddelandetjänsten."),
    "function-not-served": lazy("Funktionen har ingen öppen brevlåda."),
    "message-id-used": lazy("En annan avsändare har använt samma meddelandeid."),
    "content-invalid": lazy("Meddelandet följer inte federationens regler."),
    "malware-found": lazy("Skadlig kod hittades. Den ligger i karantänen."),
    "gone": lazy("Meddelandet finns inte kvar där."),
    "unexpected": lazy("Ett oväntat fel inträffade här. Se loggen."),
}
_STEPS: Final[dict[str, str | Promise]] = {
    "token": lazy("Behörighet"),
    "list": lazy("Lista över meddelanden"),
}


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A service, with what is under way."""

    service: RemoteService
    functions: int
    waiting_out: int
    followed: int
    waiting_in: int
    set_aside: int

    @property
    def problem(self) -> str:
        """What is wrong with it now; empty where nothing is known to be."""
        return in_words(self.service.problem)


@dataclass(frozen=True, slots=True)
class ArrivalRow:
    """A message that was set aside. Nothing of what is in it is known here."""

    key: UUID
    message_id: UUID
    found_at: datetime
    problem: str


@dataclass(frozen=True, slots=True)
class TriedStep:
    """A step of a trial in words."""

    name: str
    problem: str


def services_of(rows: QuerySet[RemoteService]) -> list[ServiceRow]:
    """The services of a queryset, with what is under way with each; five counts in one query."""
    counted = rows.annotate(
        functions_count=Count("functions", distinct=True),
        waiting_out=Count("orders", filter=Q(orders__state="waiting"), distinct=True),
        followed=Count("orders", filter=Q(orders__state="followed"), distinct=True),
        waiting_in=Count("arrivals", filter=Q(arrivals__state="found"), distinct=True),
        set_aside=Count("arrivals", filter=Q(arrivals__state="set-aside"), distinct=True),
    )
    return [
        ServiceRow(row, row.functions_count, row.waiting_out, row.followed, row.waiting_in, row.set_aside)
        for row in counted
    ]


def arrivals_in_words(rows: QuerySet[RemoteArrival]) -> list[ArrivalRow]:
    """Messages that were set aside, and why."""
    return [ArrivalRow(row.pk, row.message_id, row.found_at, in_words(row.problem)) for row in rows]


def trial_in_words(tried: list[Tried]) -> list[TriedStep]:
    """What a trial has found."""
    return [TriedStep(str(_STEPS[item.step]), in_words(item.problem)) for item in tried]


def key_in_words(service: RemoteService) -> str:
    """Our public key for the service, as its administrators register it."""
    return json.dumps(service.public_key, indent=1)


def in_words(problem: str) -> str:
    """A problem's code in words; a code without words as it is."""
    return str(PROBLEMS.get(problem, problem))
