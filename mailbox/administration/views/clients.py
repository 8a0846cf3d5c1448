"""Other message clients, which use the API: their keys, what they may do, and their web hooks."""

import re

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from mailbox import access
from mailbox.administration import clients as administration_clients
from mailbox.requests import PersonRequest
from transport.message_api.api import ApiClient, Scope, function_patterns, proposals, registration, webhooks

from .pages import actor, administrator_required, organisations_of, page, refused_signs

_LONGEST = 200
_LONGEST_PATTERN = 500
_MOST_PATTERNS = 200
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
    "webhook-no-address": gettext_lazy("Det är ingen adress."),
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


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def clients(request: PersonRequest) -> HttpResponse:
    """All of them; POST adds one, which may do nothing until what it may has been confirmed."""
    errors: dict[str, str] = {}
    if request.method == "POST":
        client_id, name = _line(request, "client_id"), _line(request, "name")
        asked = request.POST.get("organisation", "")
        organisation = next(iter(organisations_of(_administered(request, asked))), None)
        if organisation is None:
            errors["organisation"] = _("Välj organisation.")
        if not re.fullmatch(r"[\w.:/@-]{1,200}", client_id, re.ASCII):
            errors["client_id"] = _("Skriv ett namn av bokstäver a-z, siffror, punkt och bindestreck.")
        errors |= refused_signs(name=name)
        if organisation is not None and not errors:
            try:
                client = administration_clients.register(actor(request), organisation, client_id, name)
            except administration_clients.NameTaken:
                errors["client_id"] = _("Namnet är upptaget. Välj ett annat.")
            else:
                messages.success(
                    request, _("Klienten är registrerad. Säg vad den får göra, och ge den en nyckel.")
                )
                return redirect("administration-client", client.pk)
    rows = access.api_clients_of(request.user).annotate(is_unanswered=webhooks.not_answering("pk"))
    context = {
        "clients": rows,
        "organisations": organisations_of(access.administered_by(request.user)),
        "errors": errors,
        "given": request.POST,
    }
    return page(request, "administration/clients.html", context, status=422 if errors else 200)


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def client(request: PersonRequest, api_client_id: int) -> HttpResponse:
    """A client; POST proposes what it may see and do, and changes what it is called."""
    one, errors = _client(request, api_client_id), {}
    if request.method == "POST":
        auth_ids = [line.strip() for line in request.POST.get("functions", "").splitlines() if line.strip()]
        scopes = [scope.value for scope in Scope if scope.value in request.POST.getlist("scope")]
        errors = refused_signs(name=_line(request, "name"), functions="".join(auth_ids))
        if len(auth_ids) > _MOST_PATTERNS or any(len(item) > _LONGEST_PATTERN for item in auth_ids):
            errors["functions"] = _("Det är för många eller för långa funktionsadresser.")
        elif not all(map(function_patterns.is_pattern, auth_ids)):
            most = function_patterns.MOST_STARS
            errors["functions"] = _("En rad får ha högst %(n)d stjärnor.") % {"n": most}
        elif not errors:
            before = one.proposals
            administration_clients.rename(actor(request), one, _line(request, "name"))
            administration_clients.propose_access(actor(request), one, auth_ids, scopes)
            _tell_saved(request, is_proposed=one.proposals != before)
            return redirect("administration-client", one.pk)
    return _page(request, one, errors)


@administrator_required
@sensitive_post_parameters("key")
@require_POST
def give_key(request: PersonRequest, api_client_id: int) -> HttpResponse:
    """Propose a public key."""
    one, data = _client(request, api_client_id), request.POST.get("key", "").strip().encode()
    try:
        if registration.holds_private_key(data):
            raise registration.NotRegistered("private-key", "it is private")
        keys = registration.keys_in(data)
    except registration.NotRegistered as refused:
        return _page(request, one, {"key": str(_REASONS[refused.reason])})
    is_replacing = request.POST.get("replace") == "1"
    administration_clients.propose_keys(actor(request), one, keys, replace=is_replacing)
    _tell_saved(request, is_proposed=True)
    return redirect("administration-client", one.pk)


@administrator_required
@require_POST
def revoke_key(request: PersonRequest, api_client_id: int) -> HttpResponse:
    """Take a key no more, at once."""
    one = _client(request, api_client_id)
    try:
        administration_clients.revoke_key(actor(request), one, request.POST.get("kid", ""))
    except registration.NotRegistered:
        messages.error(request, _("Nyckeln är redan borttagen."))
    else:
        messages.success(request, _("Nyckeln gäller inte längre."))
    return redirect("administration-client", one.pk)


@administrator_required
@require_POST
def answer_proposal(request: PersonRequest, api_client_id: int) -> HttpResponse:
    """Confirm what another has proposed, or let it be; as it was shown."""
    one, seal = _client(request, api_client_id), request.POST.get("seal", "")
    try:
        if request.POST.get("answer") == "confirm":
            administration_clients.confirm(actor(request), one, seal)
            messages.success(request, _("Det är bekräftat och gäller nu."))
        else:
            administration_clients.withdraw(actor(request), one, seal)
            messages.success(request, _("Förslaget är borttaget."))
    except proposals.NotYours:
        messages.error(request, _("Någon annan än den som föreslog måste bekräfta."))
    except proposals.Changed:
        messages.error(
            request, _("Förslaget har ändrats eller besvarats sedan sidan visades. Se efter igen.")
        )
    return redirect("administration-client", one.pk)


@administrator_required
@require_POST
def set_active(request: PersonRequest, api_client_id: int) -> HttpResponse:
    """Shut the client out at once, or let it in again."""
    one, is_active = _client(request, api_client_id), request.POST.get("active") == "1"
    administration_clients.set_active(actor(request), one, is_active=is_active)
    if is_active:
        messages.success(request, _("Klienten släpps in igen."))
    else:
        messages.success(
            request, _("Klienten är avstängd, också med de behörigheter som den redan har hämtat.")
        )
    return redirect("administration-client", one.pk)


@administrator_required
@require_POST
def set_webhook(request: PersonRequest, api_client_id: int) -> HttpResponse:
    """Say where the client is told of news. The secret is on the page that answers, and on no other."""
    one, address = _client(request, api_client_id), request.POST.get("address", "").strip()
    if len(address) > _LONGEST_PATTERN:
        return _page(request, one, {"address": _("Adressen är för lång.")})
    try:
        secret = administration_clients.set_webhook(actor(request), one, address)
    except registration.NotRegistered as refused:
        return _page(request, one, {"address": str(_REASONS[refused.reason])})
    if not secret:
        messages.success(request, _("Klienten underrättas inte längre."))
        return redirect("administration-client", one.pk)
    return _page(request, _client(request, api_client_id), {}, secret=secret)


def _page(
    request: PersonRequest, one: ApiClient, errors: dict[str, str], *, secret: str = ""
) -> HttpResponse:
    state = webhooks.state_of(one)
    given = request.POST if errors else None
    key = given.get("key", "") if given else ""
    context = {
        "client": one,
        "scopes": [
            (scope.value, text, scope.value in (given.getlist("scope") if given else _newest(one, "scopes")))
            for scope, text in _SCOPES.items()
        ],
        "functions": given["functions"]
        if given and "functions" in given
        else "\n".join(_newest(one, "auth_ids")),
        "may": [text for scope, text in _SCOPES.items() if scope.value in one.scopes],
        "proposals": [
            {
                "one": proposal,
                "is_own": proposal.by == str(actor(request).pk),
                "may": [text for scope, text in _SCOPES.items() if scope in proposal.value.get("scopes", [])],
            }
            for proposal in proposals.proposals_of(one)
        ],
        "webhook": state,
        "problem": _PROBLEMS.get(state.problem, state.problem),
        "secret": secret,
        "issuer": settings.SDK_API_ISSUER,
        "key": "" if registration.holds_private_key(key.encode()) else key,
        "address": given["address"] if given and "address" in given else one.webhook_url,
        "errors": errors,
    }
    return page(request, "administration/client.html", context, status=422 if errors else 200)


def _newest(one: ApiClient, what: str) -> list[str]:
    """What the form begins with: what is proposed, else what is so."""
    proposed = one.proposals.get("access")
    return list(proposed["value"][what] if proposed else getattr(one, what))


def _client(request: PersonRequest, api_client_id: int) -> ApiClient:
    return get_object_or_404(access.api_clients_of(request.user), pk=api_client_id)


def _administered(request: PersonRequest, participant_id: str) -> list[str]:
    return [one for one in access.administered_by(request.user) if one == participant_id]


def _line(request: PersonRequest, name: str) -> str:
    return " ".join(request.POST.get(name, "").split())[:_LONGEST]


def _tell_saved(request: PersonRequest, *, is_proposed: bool) -> None:
    if is_proposed:
        messages.success(
            request, _("Förslaget är sparat. Det gäller när en annan administratör har bekräftat.")
        )
    else:
        messages.success(request, _("Sparat."))
