"""How long a login lasts: until one logs out, here or at the e-ID provider, is idle, or has been long enough.

A request that a page makes by itself does not count as somebody being there: it carries `X-Background`.
"""

import logging
import time
from collections.abc import Iterable
from importlib import import_module
from typing import Any, Final

import jwt
from django.conf import settings
from django.contrib import auth
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.models import Session
from django.core.exceptions import SuspiciousOperation
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from . import events
from .login import PROVIDER_SESSION, PROVIDER_SUBJECT, EidBackend, problem_of
from .models import LoginSession, Person
from .models.person import subject_key

logger = logging.getLogger(__name__)

BEGUN: Final = "login_begun_at"
SEEN: Final = "login_seen_at"
ENDED: Final = "login_ended"
_NOTED_EVERY_SECONDS: Final = 30
_LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"


class NotALogoutToken(Exception):
    """What was sent is no logout token of our provider for us; `reason` is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def is_over(session: SessionBase) -> bool:
    """Whether the login of this session has lasted too long, or nobody has been there for too long."""
    now = time.time()
    begun = session.get(BEGUN, 0.0)
    is_idle = now - session.get(SEEN, begun) > settings.SDK_SESSION_IDLE_SECONDS
    return is_idle or now - begun > settings.SESSION_COOKIE_AGE


def loaded(session_keys: Iterable[str]) -> dict[str, SessionBase]:
    """Sessions by their keys, as they are stored now: in one query where the store can."""
    keys = set(session_keys)
    store = type(_store(""))
    load_many = getattr(store, "load_many", None)
    if load_many is not None:
        found: dict[str, SessionBase] = load_many(keys)
        return found
    if store is not DatabaseStore:
        return {key: store(key) for key in keys}
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    sessions: dict[str, SessionBase] = {}
    for row in rows:
        session = DatabaseStore(row.session_key)
        session._session_cache = session.decode(row.session_data)  # type: ignore[attr-defined]
        sessions[row.session_key] = session
    return sessions


class SessionLengthMiddleware(MiddlewareMixin):
    """Ends what is over, and notes that somebody is there."""

    def process_request(self, request: HttpRequest) -> None:
        session = request.session
        if auth.SESSION_KEY not in session:
            return
        if is_over(session):
            auth.logout(request)
            request.session[ENDED] = True
        elif _is_by_somebody(request) and time.time() - session.get(SEEN, 0.0) > _NOTED_EVERY_SECONDS:
            session[SEEN] = time.time()

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """A part of a page that needs a login takes the whole page there; what somebody reads is not kept.

        After logging out, the way back in the browser's history shows nothing of what was read.
        """
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
    session.pop(ENDED, None)
    if session.session_key is None:
        session.save()
    LoginSession.objects.update_or_create(
        session_key=session.session_key,
        defaults={
            "person": user,
            "provider_session": session.get(PROVIDER_SESSION, "")[:255],
            "provider_subject": session.get(PROVIDER_SUBJECT, ""),
        },
    )


@receiver(user_logged_out)
def _end(sender: Any, request: HttpRequest, **kwargs: Any) -> None:
    LoginSession.objects.filter(session_key=request.session.session_key).delete()


def end_by(logout_token: str) -> int:
    """End the sessions that the provider's logout token names; how many (Back-Channel Logout 1.0 2.6).

    Raises `NotALogoutToken`, and `requests.RequestException` where the provider's keys cannot be fetched.
    The same token again ends nothing more, so its `jti` need not be kept.
    """
    claims = _claims_of(logout_token)
    rows = LoginSession.objects.all()
    if claims.get("sid"):
        rows = rows.filter(provider_session=str(claims["sid"]))
    if claims.get("sub"):
        rows = rows.filter(provider_subject=subject_key(str(claims["sub"])))
    return _end_all(list(rows))


def forget_ended() -> None:
    """Remove sessions that have expired, and what was kept of those that are gone."""
    _store("").clear_expired()
    keys = Session.objects.values("session_key")
    LoginSession.objects.exclude(session_key__in=keys).delete()


def _end_all(rows: list[LoginSession]) -> int:
    with transaction.atomic():
        for row in rows:
            _store(row.session_key).delete()
            row.delete()
        for person_id in {row.person_id for row in rows}:
            # Open pages ask again, and find that they are logged out.
            events.announce_to(person_id)
    logger.info("logged out by the provider", extra={"fields": {"sessions": len(rows)}})
    return len(rows)


def _claims_of(token: str) -> dict[str, Any]:
    backend = EidBackend()
    try:
        claims: dict[str, Any] = backend.get_payload_data(token, backend.retrieve_matching_jwk(token))
    except (jwt.PyJWTError, SuspiciousOperation, KeyError, ValueError):
        raise NotALogoutToken("signature") from None
    if problem_of(claims):
        raise NotALogoutToken("claims")
    said = claims.get("events")
    if not isinstance(said, dict) or _LOGOUT_EVENT not in said or "nonce" in claims:
        raise NotALogoutToken("event")
    if not claims.get("sid") and not claims.get("sub"):
        raise NotALogoutToken("names-nobody")
    return claims


def _store(session_key: str) -> SessionBase:
    store: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(session_key or None)
    return store
