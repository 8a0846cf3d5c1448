"""Traffic with others: arrivals that were set aside, and whether a counterpart can be reached."""

from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods, require_POST

from addressbook.lookup import names_of
from mailbox import access
from mailbox.administration import counterparts
from mailbox.administration.forms import AnswerForm, ParticipantForm
from mailbox.forms import first_errors
from mailbox.requests import PersonRequest
from transport.access_point.api import Step
from transport.message_service.api import IncomingMessage, NotDeadLetter, dead_letters

from .guards import administrator_required
from .layout import organisations_of, page

_MOST: Final = 100
_LONGEST: Final = 260
_STEPS: Final = {
    Step.DNS: lazy("Finns i federationen (DNS)"),
    Step.SMP: lazy("Metadata om accesspunkten (SMP)"),
    Step.CERTIFICATE: lazy("Accesspunktens certifikat"),
    Step.TLS: lazy("Förbindelsen (TLS)"),
    Step.AS4: lazy("Provmeddelandet (AS4)"),
}


@dataclass(frozen=True, slots=True)
class PingStep:
    """A step towards a counterpart, whether it works, and what was found."""

    name: Promise
    works: bool
    detail: str


@dataclass(frozen=True, slots=True)
class ArrivalRow:
    """An arrival that was set aside, with its sender's name, and the error that it was set aside for."""

    arrival: IncomingMessage
    sender_name: str
    error: str


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def overview(request: PersonRequest) -> HttpResponse:
    """What was set aside; POST tests the connection to a counterpart."""
    organisations = organisations_of(access.administered_by(request.user))
    context: dict[str, Any] = {"organisations": organisations, "given": "", "errors": {}}
    if request.method == "POST":
        form = ParticipantForm(request.POST)
        form.full_clean()
        asked = form.cleaned_data.get("organisation")
        chosen = next((row for row in organisations if row.participant_id == asked), None)
        if chosen is None:
            raise Http404
        context["given"] = request.POST.get("participant", "").strip()[:_LONGEST]
        context["errors"] = first_errors(form)
        if form.is_valid():
            steps = counterparts.ping(chosen, form.cleaned_data["participant"])
            context["steps"] = [PingStep(_STEPS[step.step], step.works, step.detail) for step in steps]
            context["all_work"] = all(step.works for step in steps)
    arrivals = list(counterparts.arrivals_set_aside(request.user)[:_MOST])
    errors = dead_letters.errors_of(arrivals)
    context["rows"] = [
        ArrivalRow(arrival, names_of(arrival.sender, "")[0], errors.get(arrival.pk, ""))
        for arrival in arrivals
    ]
    status = 422 if context["errors"] else 200
    return page(request, "administration/counterparts.html", context, status=status)


@administrator_required
@require_POST
def decide(request: PersonRequest, arrival_id: str) -> HttpResponse:
    """Have an arrival that was set aside tried again, or refused."""
    row = get_object_or_404(counterparts.arrivals_set_aside(request.user), pk=arrival_id)
    try:
        if AnswerForm(request.POST).given("decision") == "refuse":
            counterparts.refuse(request.user, row)
            messages.success(request, _("Meddelandet avvisas."))
        else:
            counterparts.retry(request.user, row)
            messages.success(request, _("Meddelandet prövas igen."))
    except NotDeadLetter:
        raise Http404 from None
    return redirect("administration-counterparts")
