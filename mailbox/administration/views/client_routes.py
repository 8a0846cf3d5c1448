"""Which message clients each function address belongs to: the built-in one, others, or both."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from mailbox import access
from mailbox.administration import clients
from mailbox.requests import PersonRequest
from transport.message_api.api import FunctionRoute

from .pages import actor, administrator_required, organisations_of, page, refused_signs, tell_of_second

_LONGEST = 500


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def routes(request: PersonRequest) -> HttpResponse:
    """The functions that other clients have a part in; POST says whose one is."""
    organisations = organisations_of(access.administered_by(request.user))
    errors: dict[str, str] = {}
    if request.method == "POST":
        asked = request.POST.get("organisation", "")
        organisation = next((one for one in organisations if one.participant_id == asked), None)
        address, to = request.POST.get("function", "").strip(), request.POST.get("to", "")
        if organisation is None:
            errors["organisation"] = _("Välj organisation.")
        if not address or len(address) > _LONGEST:
            errors["function"] = _("Skriv en funktionsadress.")
        errors |= refused_signs(function=address)
        if to not in FunctionRoute.To.values:
            errors["to"] = _("Välj vems funktionen är.")
        if organisation is not None and not errors:
            chosen = FunctionRoute.To(to)
            if clients.set_route(actor(request), organisation, address, chosen):
                messages.success(request, _("Det som kommer från och med nu går dit du har valt."))
            else:
                tell_of_second(request)
            return redirect("administration-client-routes")
    names, _with_mailbox = clients.functions_of(request.user)
    context = {
        "routed": clients.routed_functions(request.user),
        "names": sorted(((address, name) for (_of, address), name in names.items()), key=lambda one: one[1]),
        "organisations": organisations,
        "errors": errors,
        "given": request.POST,
    }
    return page(request, "administration/client_routes.html", context, status=422 if errors else 200)
