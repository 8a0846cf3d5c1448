"""The page on which functions are routed to the built-in message client, to external ones, or to both."""

from collections.abc import Mapping

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from mailbox import access
from mailbox.administration import clients
from mailbox.administration.forms import RouteForm
from mailbox.forms import first_errors
from mailbox.requests import PersonRequest
from transport.message_api.api import FunctionRoute

from .guards import administrator_required
from .layout import chosen_organisation, organisations_of, page, warn_of_second_administrator


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def routes(request: PersonRequest) -> HttpResponse:
    """The functions that are routed to external clients; POST routes one."""
    organisations = organisations_of(access.administered_by(request.user))
    errors: Mapping[str, str] = {}
    if request.method == "POST":
        form = RouteForm(request.POST)
        form.full_clean()
        given = form.cleaned_data
        organisation = chosen_organisation(form, organisations)
        if organisation is not None and form.is_valid():
            to = FunctionRoute.To(given["to"])
            if clients.set_route(request.user, organisation, given["function"], to):
                messages.success(request, _("Det som kommer från och med nu går dit du har valt."))
            else:
                warn_of_second_administrator(request)
            return redirect("administration-client-routes")
        errors = first_errors(form)
    names, _with_mailbox = clients.functions_of(request.user)
    context = {
        "routed": clients.routed_functions(request.user),
        "names": sorted(
            ((address, name) for (_participant, address), name in names.items()), key=lambda pair: pair[1]
        ),
        "organisations": organisations,
        "errors": errors,
        "given": request.POST,
    }
    return page(request, "administration/client_routes.html", context, status=422 if errors else 200)
