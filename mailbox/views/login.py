"""Pages around logging in."""

import logging
from typing import Any

import requests
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

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


@require_safe
def welcome(request: HttpRequest) -> HttpResponse:
    """What one sees who is not logged in."""
    if request.user.is_authenticated:
        return redirect("start")
    following = request.GET.get("next", "")
    return render(request, "login/welcome.html", {"next": following if following.startswith("/") else ""})


@require_safe
def refused(request: HttpRequest) -> HttpResponse:
    """Why logging in was refused, and what to do."""
    refusal = request.session.get(REFUSAL) or {"reason": "other"}
    return render(request, "login/refused.html", {"refusal": refusal}, status=403)
