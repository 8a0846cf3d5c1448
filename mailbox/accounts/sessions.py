"""How long a login lasts: until the person logs out here or at the e-ID provider, is idle, or reaches a
limit.

A request that a page makes by itself carries `X-Background`, and does not count as activity.
"""

import hashlib
import logging
import time
from typing import Any, Final

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.core.exceptions import SuspiciousOperation
from django.db import transaction
from django.db.models import Q
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from mailbox import events
from mailbox.models import LoginSession, Person, UsedLogoutToken
from mailbox.models.person import subject_key

from . import login_state, provider_keys
from .login import PROVIDER_LOGIN, ProviderLogin, moment_of, problem_of
from .provider_keys import CLOCK_SKEW_SECONDS
from .session_store import SessionStore, delete_stored, stored_key

logger = logging.getLogger(__name__)

BEGUN: Final = "login_begun_at"
SEEN: Final = "login_seen_at"
_ENDED: Final = "mailbox.login_ended"
_NOTED_EVERY_SECONDS: Final = 30
_LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"


class NotALogoutToken(Exception):
    """The token is no logout token of our provider for this client; `reason` is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def is_over(session: SessionBase) -> bool:
    """Whether the login of this session has lasted, or has been idle, for too long."""
    now = time.time()
    begun: float = session.get(BEGUN, 0.0)
    is_idle: bool = now - session.get(SEEN, begun) > settings.SDK_SESSION_IDLE_SECONDS
    return is_idle or now - begun > settings.SESSION_COOKIE_AGE


class SessionLengthMiddleware(MiddlewareMixin):
    """Ends logins that are over, and records when a person was last active."""

    def process_request(self, request: HttpRequest) -> None:
        session = request.session
        if auth.SESSION_KEY not in session:
            return
        if is_over(session):
            auth.logout(request)
            request.META[_ENDED] = True
        elif _is_by_somebody(request) and time.time() - session.get(SEEN, 0.0) > _NOTED_EVERY_SECONDS:
            session[SEEN] = time.time()

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """A part of a page that needs a login takes the whole page there; what somebody reads is not kept.

        After logging out, the way back in the browser's history shows nothing of what was read.
        """
        if _ENDED in request.META:
            login_state.store(response, login_state.ENDED, {"ended": True})
        is_login = response.status_code == 302 and response.headers["Location"].startswith(reverse("login"))
        if is_login and "HX-Request" in request.headers:
            instead = HttpResponse(status=401)
            instead.headers["HX-Redirect"] = reverse("login")
            return instead
        if auth.SESSION_KEY in request.session:
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response


def _is_by_somebody(request: HttpRequest) -> bool:
    return "X-Background" not in request.headers and request.path != reverse("events")


@receiver(user_logged_in)
def _begin(sender: Any, request: HttpRequest, user: Person, **kwargs: Any) -> None:
    session = request.session
    session[BEGUN] = session[SEEN] = time.time()
    if session.session_key is None:
        session.save()
    provider_login: ProviderLogin | None = request.META.get(PROVIDER_LOGIN)
    LoginSession.objects.update_or_create(
        session_key=stored_key(session.session_key or ""),
        defaults={
            "person": user,
            "provider_session": provider_login.session[:255] if provider_login else "",
            "provider_subject": provider_login.subject if provider_login else "",
            "issued_at": provider_login.issued_at if provider_login else None,
        },
    )


@receiver(user_logged_out)
def _end(sender: Any, request: HttpRequest, **kwargs: Any) -> None:
    if request.session.session_key is not None:
        LoginSession.objects.filter(session_key=stored_key(request.session.session_key)).delete()


def end_sessions_of_token(logout_token: str) -> int:
    """End the sessions that the provider's logout token names; returns how many (Back-Channel Logout 1.0
    2.6).

    Raises `NotALogoutToken`, and `RequestException` where the provider's keys cannot be fetched. It ends
    logins that began before it was issued, and cannot be used again: a stolen token ends no later login.
    """
    claims = _claims_of(logout_token)
    rows = LoginSession.objects.filter(Q(issued_at=None) | Q(issued_at__lte=moment_of(claims["iat"])))
    if claims.get("sid"):
        rows = rows.filter(provider_session=str(claims["sid"]))
    if claims.get("sub"):
        rows = rows.filter(provider_subject=subject_key(str(claims["sub"])))
    with transaction.atomic():
        used = hashlib.sha256(claims["jti"].encode()).hexdigest()
        until = moment_of(claims["exp"] + CLOCK_SKEW_SECONDS)
        _, is_new = UsedLogoutToken.objects.get_or_create(jti_hash=used, defaults={"forgotten_at": until})
        if not is_new:
            raise NotALogoutToken("used")
        return _end_all(list(rows))


def remove_ended_sessions() -> None:
    """Delete expired sessions, login rows without a session, and expired logout tokens."""
    SessionStore.clear_expired()
    UsedLogoutToken.objects.filter(forgotten_at__lt=timezone.now()).delete()
    keys = Session.objects.values("session_key")
    LoginSession.objects.exclude(session_key__in=keys).delete()


def _end_all(rows: list[LoginSession]) -> int:
    with transaction.atomic():
        delete_stored([row.session_key for row in rows])
        LoginSession.objects.filter(pk__in=[row.pk for row in rows]).delete()
        for person_id in {row.person_id for row in rows}:
            # Their open pages reload, and find that they are logged out.
            events.announce_to(person_id)
    logger.info("logged_out_by_provider", extra={"fields": {"sessions": len(rows)}})
    return len(rows)


def _claims_of(token: str) -> dict[str, Any]:
    try:
        claims = provider_keys.claims_of(token, settings.OIDC_RP_SIGN_ALGO)
    except SuspiciousOperation:
        raise NotALogoutToken("signature") from None
    if problem_of(claims):
        raise NotALogoutToken("claims")
    token_events = claims.get("events")
    if not isinstance(token_events, dict) or _LOGOUT_EVENT not in token_events or "nonce" in claims:
        raise NotALogoutToken("event")
    if not claims.get("sid") and not claims.get("sub"):
        raise NotALogoutToken("names-nobody")
    if not claims.get("jti") or not isinstance(claims["jti"], str):
        raise NotALogoutToken("nameless")
    return claims
