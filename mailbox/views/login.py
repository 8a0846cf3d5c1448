"""Pages around logging in."""

import logging
from typing import Any

import requests
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from .. import sessions
from ..login import REFUSAL, essential_acr

logger = logging.getLogger(__name__)


class Begin(OIDCAuthenticationRequestView):
    """Sends the browser to the e-ID provider."""

    def get_extra_params(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().get_extra_params(request), "claims": essential_acr()}


class Callback(OIDCAuthenticationCallbackView):
    """Comes back from the e-ID provider."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if request.GET.get("error") == "access_denied":
            request.session[REFUSAL] = {"reason": "cancelled"}
        try:
            response: HttpResponse = super().get(request)
        except (requests.RequestException, SuspiciousOperation) as error:
            logger.warning("login failed", extra={"fields": {"error": type(error).__name__}})
            return redirect("login-refused")
        return response


@csrf_exempt
@require_POST
def ended_by_provider(request: HttpRequest) -> HttpResponse:
    """The provider tells that somebody has logged out there (Back-Channel Logout 1.0 2.5 and 2.8)."""
    try:
        sessions.end_by(request.POST.get("logout_token", ""))
    except sessions.NotALogoutToken as refused:
        logger.warning("no logout token", extra={"fields": {"reason": refused.reason}})
        response: HttpResponse = JsonResponse({"error": "invalid_request"}, status=400)
    except requests.RequestException as error:
        logger.warning("logout not judged", extra={"fields": {"error": type(error).__name__}})
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
    following = request.GET.get("next", "")
    context = {
        "next": following if following.startswith("/") else "",
        "has_ended": request.session.pop(sessions.ENDED, False),
        "idle_minutes": settings.SDK_SESSION_IDLE_SECONDS // 60,
    }
    return render(request, "login/welcome.html", context)


@require_safe
def refused(request: HttpRequest) -> HttpResponse:
    """Why logging in was refused, and what to do."""
    refusal = request.session.get(REFUSAL) or {"reason": "other"}
    return render(request, "login/refused.html", {"refusal": refusal}, status=403)
