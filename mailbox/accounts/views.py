"""Pages around logging in."""

import logging
from typing import Any

from django.conf import settings
from django.contrib import auth
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from transport.rate_limits import limited

from . import login_state, sessions
from .admission import begin_session
from .forms import LONGEST_NEXT, CallbackForm, LogoutTokenForm, NextForm
from .login import REFUSAL, essential_acr
from .login_state import BegunLogin
from .oidc_requests import RequestException
from .saml import provider_metadata

logger = logging.getLogger(__name__)


@method_decorator(limited("login"), name="dispatch")
class Begin(OIDCAuthenticationRequestView):
    """Sends the browser to the e-ID provider."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The library keeps what it has asked in the session; who is not logged in has none, and a cookie."""
        response: HttpResponse = super().get(request)
        following = request.session.pop("oidc_login_next", None) or ""
        following = following if len(following) <= LONGEST_NEXT else ""
        for state, asked in request.session.pop("oidc_states", {}).items():
            begun = BegunLogin(state, asked["nonce"], asked["code_verifier"], following)
            login_state.begin(request, response, begun)
        return response

    def get_extra_params(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().get_extra_params(request), "claims": essential_acr()}


@method_decorator(limited("login"), name="dispatch")
class Callback(OIDCAuthenticationCallbackView):
    """Comes back from the e-ID provider."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Log in whom the provider names, if this browser has asked; else nothing is changed."""
        response = redirect("login-refused")
        refusal = {"reason": "other"}
        answer = CallbackForm(request.GET).understood()
        begun = login_state.use(request, response, answer["state"])
        if begun is not None and "error" in request.GET:
            if answer["error"] == "access_denied":
                refusal = {"reason": "cancelled"}
        elif begun is not None:
            try:
                person = auth.authenticate(request, nonce=begun.nonce, code_verifier=begun.code_verifier)
            except (RequestException, SuspiciousOperation) as error:
                logger.warning("login_failed", extra={"fields": {"error": type(error).__name__}})
            else:
                if person is not None:
                    response.headers["Location"] = begin_session(request, person, begun.following)
                    return response
                refusal = request.META.get(REFUSAL, refusal)
        login_state.store(response, login_state.REFUSED, refusal)
        return response


@csrf_exempt
@require_POST
@limited("logout", refusal=lambda _: JsonResponse({"error": "slow_down"}, status=429))
def ended_by_provider(request: HttpRequest) -> HttpResponse:
    """The provider tells that somebody has logged out there (Back-Channel Logout 1.0 2.5 and 2.8)."""
    try:
        sessions.end_sessions_of_token(LogoutTokenForm(request.POST).understood()["logout_token"])
    except sessions.NotALogoutToken as refused:
        logger.warning("logout_token_rejected", extra={"fields": {"reason": refused.reason}})
        response: HttpResponse = JsonResponse({"error": "invalid_request"}, status=400)
    except RequestException as error:
        logger.warning("logout_token_not_verified", extra={"fields": {"error": type(error).__name__}})
        response = HttpResponse(status=503)
    else:
        response = HttpResponse()
    response.headers["Cache-Control"] = "no-store"
    return response


@require_safe
def welcome(request: HttpRequest) -> HttpResponse:
    """What one sees who is not logged in."""
    if request.user.is_authenticated:
        return redirect("start")
    has_ended = bool(login_state.read(request, login_state.ENDED))
    context = {
        "next": NextForm(request.GET).page(),
        "has_ended": has_ended,
        "idle_minutes": settings.SDK_SESSION_IDLE_SECONDS // 60,
        "saml_providers": provider_metadata.login_choices(),
        "has_oidc": bool(settings.OIDC_ISSUER),
    }
    response = render(request, "accounts/welcome.html", context)
    if has_ended:
        login_state.remove(response, login_state.ENDED)
    return response


@require_safe
def refused(request: HttpRequest) -> HttpResponse:
    """Why logging in was refused, and what to do."""
    refusal = login_state.read(request, login_state.REFUSED) or {"reason": "other"}
    return render(request, "accounts/refused.html", {"refusal": refusal}, status=403)
