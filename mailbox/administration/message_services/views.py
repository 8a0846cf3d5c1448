"""The pages on which administrators set up another message service, and see what waits, and why."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods, require_POST

from mailbox import access
from mailbox.administration.forms import SwitchForm
from mailbox.administration.views.guards import administrator_required
from mailbox.administration.views.layout import chosen_organisation, organisations_of, page
from mailbox.forms import first_errors
from mailbox.requests import PersonRequest
from transport.remote_message_service.api import NotRegistered, OwnChange, RemoteService, Tried, arrivals

from . import acts, shown
from .forms import FunctionsForm, NewServiceForm, ServiceForm

_MOST_SET_ASIDE: Final = 100
# Which field of the form each refusal is about, and what it says.
_REFUSALS: Final[dict[str, tuple[str, str | Promise]]] = {
    "address": (
        "address",
        lazy("En av adresserna kan inte användas: båda ska börja med https:// och gå att nå härifrån."),
    ),
    "authorities": ("authorities", lazy("Det är inte certifikat i PEM-format.")),
    "function-taken": ("functions", lazy("En annan meddelandetjänst har en av funktionerna.")),
}


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def overview(request: PersonRequest) -> HttpResponse:
    """The organisation's other message services; POST registers one."""
    organisations = organisations_of(access.administered_by(request.user))
    form = NewServiceForm(request.POST if request.method == "POST" else None)
    if form.is_bound:
        form.full_clean()
        organisation = chosen_organisation(form, organisations)
        if organisation is not None and form.is_valid():
            try:
                service = acts.register(
                    request.user, organisation, name=form.cleaned_data["name"], **form.connection()
                )
            except NotRegistered as refused:
                form.add_error(*_refusal(refused))
            else:
                messages.success(request, _("Meddelandetjänsten är registrerad, men används inte än."))
                return redirect("administration-message-service", service.pk)
    context = {
        "rows": shown.services_of(access.remote_services_of(request.user)),
        "organisations": organisations,
        "given": form.data,
        "errors": first_errors(form),
    }
    return page(
        request,
        "administration/message_services/services.html",
        context,
        status=422 if form.is_bound else 200,
    )


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def message_service(request: PersonRequest, remote_service_id: UUID) -> HttpResponse:
    """A service; POST changes where it is."""
    service = _service(request, remote_service_id)
    if request.method != "POST":
        return _page(request, service, {})
    form = ServiceForm(request.POST)
    if form.is_valid():
        try:
            is_changed = acts.change(request.user, service, **form.connection())
        except NotRegistered as refused:
            form.add_error(*_refusal(refused))
        else:
            if is_changed:
                messages.success(request, _waits())
            return redirect("administration-message-service", service.pk)
    return _page(request, service, first_errors(form))


@administrator_required
@require_POST
def set_functions(request: PersonRequest, remote_service_id: UUID) -> HttpResponse:
    """Set which functions use the service."""
    service, form = _service(request, remote_service_id), FunctionsForm(request.POST)
    if form.is_valid():
        try:
            acts.set_functions(request.user, service, form.cleaned_data["functions"], has_all=form.has_all())
        except NotRegistered as refused:
            form.add_error(*_refusal(refused))
        else:
            messages.success(request, _waits())
            return redirect("administration-message-service", service.pk)
    return _page(request, service, first_errors(form))


@administrator_required
@require_POST
def set_active(request: PersonRequest, remote_service_id: UUID) -> HttpResponse:
    """Turn the service on, or off."""
    service = _service(request, remote_service_id)
    if not SwitchForm(request.POST).is_on("active"):
        acts.turn_off(request.user, service)
        messages.success(request, _("Meddelandetjänsten är avstängd. Det som ska skickas väntar."))
        return redirect("administration-message-service", service.pk)
    try:
        acts.turn_on(request.user, service)
    except OwnChange:
        messages.error(request, _("Någon annan än den som ändrade måste slå på den."))
    else:
        messages.success(request, _("Meddelandetjänsten används från och med nu."))
    return redirect("administration-message-service", service.pk)


@administrator_required
@require_POST
def try_out(request: PersonRequest, remote_service_id: UUID) -> HttpResponse:
    """Ask the service for a token and a list, and show what it answers."""
    service = _service(request, remote_service_id)
    return _page(request, service, {}, tried=acts.try_out(service))


@administrator_required
@require_POST
def renew_key(request: PersonRequest, remote_service_id: UUID) -> HttpResponse:
    """Make a new key."""
    service = _service(request, remote_service_id)
    acts.renew_key(request.user, service)
    messages.success(
        request, _("En ny nyckel är skapad. Tjänsten kan användas när nyckeln är registrerad där.")
    )
    return redirect("administration-message-service", service.pk)


@administrator_required
@require_POST
def try_again(request: PersonRequest, remote_service_id: UUID, remote_arrival_id: UUID) -> HttpResponse:
    """Have a message that was set aside fetched once more."""
    service = _service(request, remote_service_id)
    rows = arrivals.set_aside([service.organisation.participant_id]).filter(service=service)
    arrival = rows.filter(pk=remote_arrival_id).first()
    if arrival is not None and acts.try_again(request.user, arrival):
        messages.success(request, _("Meddelandet hämtas på nytt."))
    else:
        messages.error(request, _("Meddelandet hämtas redan, eller är levererat."))
    return redirect("administration-message-service", service.pk)


def _page(
    request: PersonRequest,
    service: RemoteService,
    errors: Mapping[str, str],
    *,
    tried: list[Tried] | None = None,
) -> HttpResponse:
    functions = list(service.functions.values_list("function_address", flat=True))
    is_about_functions = "functions" in request.POST
    set_aside = arrivals.set_aside([service.organisation.participant_id]).filter(service=service)
    context = {
        "row": shown.services_of(access.remote_services_of(request.user).filter(pk=service.pk))[0],
        "service": service,
        "key": shown.key_in_words(service),
        "has_functions": bool(functions) or service.has_all_functions,
        "functions": request.POST["functions"] if errors and is_about_functions else "\n".join(functions),
        "given": request.POST if errors and not is_about_functions else service,
        "is_own_change": service.changed_by == str(request.user.pk),
        "set_aside": shown.arrivals_in_words(set_aside[:_MOST_SET_ASIDE]),
        "tried": shown.trial_in_words(tried) if tried is not None else None,
        "errors": errors,
    }
    return page(
        request, "administration/message_services/service.html", context, status=422 if errors else 200
    )


def _service(request: PersonRequest, remote_service_id: UUID) -> RemoteService:
    return get_object_or_404(access.remote_services_of(request.user), pk=remote_service_id)


def _refusal(refused: NotRegistered) -> tuple[str, str]:
    field, text = _REFUSALS[refused.reason]
    return field, str(text)


def _waits() -> str:
    return _("Sparat. Tjänsten är avstängd tills en annan administratör slår på den.")
