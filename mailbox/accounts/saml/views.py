"""Pages of logging in by SAML."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailbox.accounts import login_state
from mailbox.accounts.admission import BY_SAML, NotAdmitted, admit, begin_session
from mailbox.forms import first_errors
from transport.rate_limits import limited

from . import answer, assignments, authn_request, configuration, own_metadata, pending, provider_metadata
from .answer import Answer, AnswerRejected
from .assignments import Assignment
from .configuration import CLOCK_SKEW_SECONDS, OwnKeyUnusable
from .forms import AnswerForm, AssignmentForm, BeginForm
from .provider_metadata import MetadataRejected, Provider

logger = logging.getLogger(__name__)
_BACKEND: Final = "mailbox.accounts.login.EidBackend"


@dataclass(frozen=True, slots=True)
class Choice:
    """An assignment as the page shows it."""

    number: int
    label: str
    detail: str
    is_suggested: bool


@limited("login")
@require_safe
def begin(request: HttpRequest) -> HttpResponse:
    """Send the browser to a provider; nothing of the browser's is changed but a cookie."""
    _check_configured()
    form = BeginForm(request.GET)
    try:
        provider = _provider(str(form.understood()["provider"]))
    except MetadataRejected as rejected:
        return _refused(f"metadata-{rejected.reason}")
    if provider is None or not provider.login_url:
        return _refused("unknown-provider")
    try:
        asked = authn_request.make(provider)
    except OwnKeyUnusable:
        return _refused("own-key")
    # The address is the metadata's, which is signed: redirect() would take a page's name for one.
    response = HttpResponseRedirect(asked.url)
    begun = pending.BegunLogin(asked.id, provider.entity_id, pending.now(), form.page())
    pending.begin(request, response, begun)
    return response


@csrf_exempt
@limited("login")
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """Take a provider's answer, which comes by a form of its own site, so without this browser's cookies."""
    _check_configured()
    try:
        received = answer.read(AnswerForm(request.POST).document())
    except AnswerRejected as rejected:
        return _refused(rejected.cause, rejected.reason, level=rejected.level)
    response = redirect("saml-complete")
    pending.store_answer(response, received)
    return response


@limited("login")
@require_safe
def complete(request: HttpRequest) -> HttpResponse:
    """Log in whom the answer names, if this browser has asked for it; of several assignments one is chosen
    first."""
    _check_configured()
    response = redirect("saml-assignment")
    received = pending.use_answer(request, response)
    begun = pending.use_begun(request, response, received.in_response_to) if received is not None else None
    if received is None or begun is None or begun.provider != received.provider:
        return _refused("not-asked-for", response=response)
    if received.authenticated_at < begun.at - CLOCK_SKEW_SECONDS:
        # It was asked for a login, and answers with an earlier one.
        return _refused("authenticated-before", response=response)
    choices = assignments.assignments_of(received.attributes)
    if len(choices) > 1:
        pending.store_matched(response, received, begun.following)
        return response
    return _log_in(request, response, received, next(iter(choices), None), begun.following)


@limited("login")
@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: HttpRequest) -> HttpResponse:
    """The assignments of who is logging in, of which they choose one."""
    _check_configured()
    received = pending.matched(request)
    if received is None:
        return redirect("login")
    choices = assignments.assignments_of(received.attributes)
    errors: dict[str, str] = {}
    if request.method == "POST":
        form = AssignmentForm(request.POST, choices)
        if form.is_valid():
            response = redirect("login")
            used = pending.use_matched(request, response)
            if used is None:
                return response
            return _log_in(request, response, used[0], form.cleaned_data["assignment"], used[1])
        errors = dict(first_errors(form))
    suggested = assignments.suggestion(received.attributes, choices)
    shown = [
        Choice(number, each.label, each.detail, each.key == suggested) for number, each in enumerate(choices)
    ]
    page = render(
        request,
        "accounts/saml/assignments.html",
        {"choices": shown, "errors": errors},
        status=422 if errors else 200,
    )
    page.headers["Cache-Control"] = "no-store"
    return page


@require_safe
def metadata(request: HttpRequest) -> HttpResponse:
    """This node's metadata, for the federation or the provider."""
    _check_configured()
    try:
        document = own_metadata.document()
    except OwnKeyUnusable:
        logger.warning("saml_metadata_not_made", extra={"fields": {"reason": "own-key"}})
        return HttpResponse(status=503)
    return HttpResponse(document, content_type="application/samlmetadata+xml")


def _check_configured() -> None:
    if not configuration.is_configured():
        raise Http404


def _provider(entity_id: str) -> Provider | None:
    try:
        return provider_metadata.provider(entity_id)
    except MetadataRejected as rejected:
        if rejected.reason != "not-fetched-yet":
            raise
    # A new node, whose workers have not fetched it yet.
    provider_metadata.fetch_first()
    return provider_metadata.provider(entity_id)


def _log_in(
    request: HttpRequest,
    response: HttpResponse,
    received: Answer,
    chosen: Assignment | None,
    following: str,
) -> HttpResponse:
    claims = assignments.claims_of(received.attributes, chosen)
    ends_at = datetime.fromtimestamp(received.session_ends_at, tz=UTC) if received.session_ends_at else None
    if ends_at is not None and ends_at <= timezone.now():
        return _refused("session-ended", response=response)
    try:
        person = admit(assignments.subject_of(claims), assignments.name_of(claims), claims)
    except NotAdmitted as refused:
        return _refused(refused.reason, refused.reason, response=response)
    if chosen is not None:
        assignments.remember(person, chosen)
    response.headers["Location"] = begin_session(request, person, following, backend=_BACKEND)
    request.session[BY_SAML] = True
    if ends_at is not None:
        # The provider's end of the session, where it comes before ours.
        ours = timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE)
        request.session.set_expiry(min(ends_at, ours))
    return response


def _refused(
    cause: str, reason: str = "other", *, level: str = "", response: HttpResponse | None = None
) -> HttpResponse:
    """To the page that says why; `cause` is for the log. `response` has cookies that are to be changed."""
    logger.warning("saml_login_refused", extra={"fields": {"reason": cause}})
    refused = redirect("login-refused") if response is None else response
    refused.headers["Location"] = reverse("login-refused")
    login_state.store(refused, login_state.REFUSED, {"reason": reason, "level": level})
    return refused
