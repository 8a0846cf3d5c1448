"""Traffic with others: arrivals that were set aside, and whether a counterpart can be reached."""

from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods, require_POST

from addressbook.lookup import names_of
from mailbox import access
from mailbox.administration import counterparts
from mailbox.requests import PersonRequest
from transport.access_point.api import Step
from transport.message_service.api import NotDeadLetter, ParticipantId, ParticipantIdInvalid

from .pages import actor, administrator_required, organisations_of, page

_MOST: Final = 100
_LONGEST: Final = 260
_STEPS: Final = {
    Step.DNS: lazy("Finns i federationen (DNS)"),
    Step.SMP: lazy("Metadata om accesspunkten (SMP)"),
    Step.CERTIFICATE: lazy("Accesspunktens certifikat"),
    Step.TLS: lazy("Förbindelsen (TLS)"),
    Step.AS4: lazy("Provmeddelandet (AS4)"),
}


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def overview(request: PersonRequest) -> HttpResponse:
    """What was set aside; POST tries the way to a counterpart."""
    organisations = organisations_of(access.administered_by(request.user))
    context: dict[str, Any] = {"organisations": organisations, "given": "", "errors": {}}
    if request.method == "POST":
        asked = request.POST.get("organisation", "")
        chosen = next((one for one in organisations if one.participant_id == asked), None)
        if chosen is None:
            raise Http404
        context["given"] = given = request.POST.get("participant", "").strip()[:_LONGEST]
        try:
            recipient = ParticipantId.parse(given)
        except ParticipantIdInvalid:
            context["errors"] = {"participant": _("Skriv motpartens id, till exempel 0203:habo.se.")}
        else:
            tried = counterparts.ping(chosen, recipient)
            context["tried"] = [(_STEPS[one.step], one.works, one.detail) for one in tried]
            context["all_work"] = all(one.works for one in tried)
    rows = list(counterparts.arrivals_set_aside(request.user)[:_MOST])
    for row in rows:
        row.sender_name = names_of(row.sender, "")[0]  # type: ignore[attr-defined]
    context["rows"] = rows
    status = 422 if context["errors"] else 200
    return page(request, "administration/counterparts.html", context, status=status)


@administrator_required
@require_POST
def decide(request: PersonRequest, arrival_id: str) -> HttpResponse:
    """Have one that was set aside tried again, or refused."""
    row = get_object_or_404(counterparts.arrivals_set_aside(request.user), pk=arrival_id)
    try:
        if request.POST.get("decision") == "refuse":
            counterparts.refuse(actor(request), row)
            messages.success(request, _("Meddelandet avvisas."))
        else:
            counterparts.retry(actor(request), row)
            messages.success(request, _("Meddelandet prövas igen."))
    except NotDeadLetter:
        raise Http404 from None
    return redirect("administration-counterparts")
