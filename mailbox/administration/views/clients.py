"""The pages of external message clients: their keys, what they may do, and their web hooks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from mailbox import access
from mailbox.administration import clients as administration_clients
from mailbox.administration.forms import (
    AnswerForm,
    ClientAccessForm,
    ClientForm,
    ClientKeyForm,
    SwitchForm,
    WebhookForm,
)
from mailbox.forms import first_errors
from mailbox.requests import PersonRequest
from transport.message_api.api import ApiClient, Proposal, Scope, proposals, registration, webhooks

from .guards import administrator_required
from .layout import chosen_organisation, organisations_of, page

_SCOPES = {
    Scope.SEND: gettext_lazy("skicka"),
    Scope.GET: gettext_lazy("hämta ett meddelande"),
    Scope.GET_BY_FILTER: gettext_lazy("lista meddelanden"),
    Scope.DELETE: gettext_lazy("ta bort meddelanden"),
}
_REASONS = {
    "private-key": gettext_lazy(
        "Det här är en privat nyckel. Den ska bara klienten ha: byt ut den, och lämna den publika hit."
    ),
    "no-key": gettext_lazy("Texten är ingen publik nyckel i PEM eller JWK."),
    "unfit-key": gettext_lazy("Nyckeln är varken RSA eller elliptisk kurva."),
    "weak-key": gettext_lazy("En RSA-nyckel ska ha minst 2048 bitar."),
    "webhook-no-address": gettext_lazy("Ogiltig adress."),
    "webhook-not-https": gettext_lazy("Adressen ska börja med https://."),
    "webhook-has-user": gettext_lazy("Adressen får inte innehålla användare eller lösenord."),
    "webhook-host": gettext_lazy(
        "Den som driver installationen har inte tillåtit webbkrokar till den värden."
    ),
}
_PROBLEMS = {
    "address not allowed": gettext_lazy("adressen är inte längre tillåten"),
    "ConnectionError": gettext_lazy("det gick inte att ansluta"),
    "ConnectTimeout": gettext_lazy("det gick inte att ansluta i tid"),
    "ReadTimeout": gettext_lazy("svaret kom inte i tid"),
    "unexpected": gettext_lazy("okänt fel, se installationens logg"),
    "SSLError": gettext_lazy("klientens servercertifikat godtogs inte"),
}


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposal, whether it is the person's own, and what it would let the client do, in words."""

    proposal: Proposal
    is_own: bool
    may: list[Promise]


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def clients(request: PersonRequest) -> HttpResponse:
    """The clients; POST adds one, which may do nothing until its functions and scopes are confirmed."""
    organisations = organisations_of(access.administered_by(request.user))
    errors: Mapping[str, str] = {}
    if request.method == "POST":
        form = ClientForm(request.POST)
        form.full_clean()
        given = form.cleaned_data
        organisation = chosen_organisation(form, organisations)
        if organisation is not None and form.is_valid():
            try:
                registered = administration_clients.register(
                    request.user, organisation, given["client_id"], given["name"]
                )
            except administration_clients.NameTaken:
                form.add_error("client_id", _("Namnet är upptaget. Välj ett annat."))
            else:
                messages.success(
                    request, _("Klienten är registrerad. Säg vad den får göra, och ge den en nyckel.")
                )
                return redirect("administration-client", registered.pk)
        errors = first_errors(form)
    rows = access.api_clients_of(request.user).annotate(is_unanswered=webhooks.not_answering("pk"))
    context = {
        "clients": rows,
        "organisations": organisations,
        "errors": errors,
        "given": request.POST,
    }
    return page(request, "administration/clients.html", context, status=422 if errors else 200)


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def client(request: PersonRequest, api_client_id: int) -> HttpResponse:
    """A client; POST changes its name, and proposes its functions and scopes."""
    shown = _client(request, api_client_id)
    if request.method != "POST":
        return _page(request, shown, {})
    form = ClientAccessForm(request.POST)
    if not form.is_valid():
        return _page(request, shown, first_errors(form))
    given, before = form.cleaned_data, shown.proposals
    administration_clients.rename(request.user, shown, given["name"])
    administration_clients.propose_access(request.user, shown, given["functions"], given["scope"])
    _confirm_saved(request, is_proposed=shown.proposals != before)
    return redirect("administration-client", shown.pk)


@administrator_required
@sensitive_post_parameters("key")
@require_POST
def give_key(request: PersonRequest, api_client_id: int) -> HttpResponse:
    """Propose a public key."""
    shown, form = _client(request, api_client_id), ClientKeyForm(request.POST)
    if not form.is_valid():
        return _page(request, shown, {"key": str(_REASONS["no-key"])})
    data = form.cleaned_data["key"].encode()
    try:
        if registration.holds_private_key(data):
            raise registration.NotRegistered("private-key", "it is private")
        keys = registration.keys_in(data)
    except registration.NotRegistered as refused:
        return _page(request, shown, {"key": str(_REASONS[refused.reason])})
    is_replacing = form.cleaned_data["replace"] == "1"
    administration_clients.propose_keys(request.user, shown, keys, replace=is_replacing)
    _confirm_saved(request, is_proposed=True)
    return redirect("administration-client", shown.pk)


@administrator_required
@require_POST
def revoke_key(request: PersonRequest, api_client_id: int) -> HttpResponse:
    """Revoke a key, at once."""
    shown, form = _client(request, api_client_id), ClientKeyForm(request.POST)
    try:
        if not form.is_valid():
            raise registration.NotRegistered("no-key", "it is none")
        administration_clients.revoke_key(request.user, shown, form.cleaned_data["kid"])
    except registration.NotRegistered:
        messages.error(request, _("Nyckeln är redan borttagen."))
    else:
        messages.success(request, _("Nyckeln gäller inte längre."))
    return redirect("administration-client", shown.pk)


@administrator_required
@require_POST
def answer_proposal(request: PersonRequest, api_client_id: int) -> HttpResponse:
    """Confirm another administrator's proposal as it was shown, or withdraw it."""
    shown, form = _client(request, api_client_id), AnswerForm(request.POST)
    seal = form.given("seal")
    try:
        if form.given("answer") == "confirm":
            administration_clients.confirm(request.user, shown, seal)
            messages.success(request, _("Det är bekräftat och gäller nu."))
        else:
            administration_clients.withdraw(request.user, shown, seal)
            messages.success(request, _("Förslaget är borttaget."))
    except proposals.OwnProposal:
        messages.error(request, _("Någon annan än den som föreslog måste bekräfta."))
    except proposals.Changed:
        messages.error(
            request, _("Förslaget har ändrats eller besvarats sedan sidan visades. Se efter igen.")
        )
    return redirect("administration-client", shown.pk)


@administrator_required
@require_POST
def set_active(request: PersonRequest, api_client_id: int) -> HttpResponse:
    """Disable the client at once, or enable it again."""
    shown, is_active = _client(request, api_client_id), SwitchForm(request.POST).is_on("active")
    administration_clients.set_active(request.user, shown, is_active=is_active)
    if is_active:
        messages.success(request, _("Klienten släpps in igen."))
    else:
        messages.success(
            request, _("Klienten är avstängd, också med de behörigheter som den redan har hämtat.")
        )
    return redirect("administration-client", shown.pk)


@administrator_required
@require_POST
def set_webhook(request: PersonRequest, api_client_id: int) -> HttpResponse:
    """Set the client's web hook. Its secret is shown on the page that answers, and never again."""
    shown, form = _client(request, api_client_id), WebhookForm(request.POST)
    if not form.is_valid():
        return _page(request, shown, first_errors(form))
    try:
        secret = administration_clients.set_webhook(request.user, shown, form.cleaned_data["address"])
    except registration.NotRegistered as refused:
        return _page(request, shown, {"address": str(_REASONS[refused.reason])})
    if not secret:
        messages.success(request, _("Klienten underrättas inte längre."))
        return redirect("administration-client", shown.pk)
    return _page(request, _client(request, api_client_id), {}, secret=secret)


def _page(
    request: PersonRequest, shown: ApiClient, errors: Mapping[str, str], *, secret: str = ""
) -> HttpResponse:
    state = webhooks.state_of(shown)
    given = request.POST if errors else QueryDict()
    key = given.get("key", "")
    chosen = given.getlist("scope") if errors else _newest(shown, "scopes")
    context = {
        "client": shown,
        "scopes": [(scope.value, text, scope.value in chosen) for scope, text in _SCOPES.items()],
        "functions": given.get("functions", "\n".join(_newest(shown, "auth_ids"))),
        "may": _in_words(shown.scopes),
        "proposals": [
            ProposalRow(
                proposal, proposal.by == str(request.user.pk), _in_words(proposal.value.get("scopes", []))
            )
            for proposal in proposals.proposals_of(shown)
        ],
        "webhook": state,
        "problem": _PROBLEMS.get(state.problem, state.problem),
        "secret": secret,
        "issuer": settings.SDK_API_ISSUER,
        "key": "" if registration.holds_private_key(key.encode(errors="replace")) else key,
        "address": given.get("address", shown.webhook_url),
        "errors": errors,
    }
    return page(request, "administration/client.html", context, status=422 if errors else 200)


def _in_words(scopes: Sequence[str]) -> list[Promise]:
    return [text for scope, text in _SCOPES.items() if scope.value in scopes]


def _newest(client: ApiClient, what: str) -> list[str]:
    """The values that the form begins with: those of a proposal, else the present ones."""
    proposed = client.proposals.get("access")
    return list(proposed["value"][what] if proposed else getattr(client, what))


def _client(request: PersonRequest, api_client_id: int) -> ApiClient:
    return get_object_or_404(access.api_clients_of(request.user), pk=api_client_id)


def _confirm_saved(request: PersonRequest, *, is_proposed: bool) -> None:
    if is_proposed:
        messages.success(
            request, _("Förslaget är sparat. Det gäller när en annan administratör har bekräftat.")
        )
    else:
        messages.success(request, _("Sparat."))
