"""Logging in with e-ID: who the person is, and whether the level of assurance is enough."""

import json
import logging
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from . import membership_rules
from .models import Person
from .models.person import subject_key

logger = logging.getLogger(__name__)
REFUSAL = "login_refusal"
# In the session: what the provider calls this login by when it ends it.
PROVIDER_SESSION = "provider_session"
PROVIDER_SUBJECT = "provider_subject"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 60
_CLOCK_SKEW_SECONDS = 60
_NAMELESS = "-"


class EidBackend(OIDCAuthenticationBackend):
    """The person is the configured claim's; the level is the ID token's `acr`, compared exactly."""

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> Person | None:
        """The person, or None with the reason in the session: nobody comes in whom no administrator and no
        rule of membership lets in."""
        level = str(payload.get("acr", ""))
        if level not in settings.SDK_OIDC_ACCEPTED_ACR:
            return self._refused("level", level=level)
        claims = {**self.get_userinfo(access_token, id_token, payload), **payload}
        subject = str(claims.get(settings.SDK_OIDC_PERSON_CLAIM, ""))
        if not subject:
            return self._refused("claim")
        person = Person.objects.by_subject(subject)
        if person is None and membership_rules.rules_met(claims):
            person, _ = Person.add(subject, str(claims.get("name", ""))[:256] or _NAMELESS)
        if person is None:
            return self._refused("unknown")
        if not person.is_active:
            return self._refused("locked")
        membership_rules.apply(person, claims)
        if self.request is not None:
            self.request.session[PROVIDER_SESSION] = str(payload.get("sid", ""))
            self.request.session[PROVIDER_SUBJECT] = subject_key(str(payload.get("sub", "")))
        return person

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        """The ID token's claims: signature, nonce and expiry by the library, issuer and audience here."""
        try:
            payload: dict[str, Any] = super().verify_token(token, **kwargs)
        except jwt.InvalidTokenError as error:
            raise SuspiciousOperation(type(error).__name__) from None
        problem = problem_of(payload)
        if problem:
            raise SuspiciousOperation(f"ID token: {problem}")
        return payload

    def get_user(self, user_id: int) -> Person | None:
        """Whoever is locked is nobody, from the next request on."""
        return Person.objects.filter(pk=user_id, is_active=True).first()

    def get_token(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Exchange the code; with a key, by private_key_jwt instead of a secret."""
        if settings.SDK_OIDC_CLIENT_KEY:
            payload = {name: value for name, value in payload.items() if name != "client_secret"}
            payload["client_assertion_type"] = _ASSERTION_TYPE
            payload["client_assertion"] = _client_assertion()
        token: dict[str, Any] = super().get_token(payload)
        return token

    def _refused(self, reason: str, **details: str) -> Person | None:
        """None, and the reason where the page that tells it will look."""
        logger.warning("login refused", extra={"fields": {"reason": reason}})
        if self.request is not None:
            self.request.session[REFUSAL] = {"reason": reason, **details}
        return None


def problem_of(payload: Mapping[str, Any]) -> str:
    """What is wrong with an ID token's claims (OpenID Connect Core 3.1.3.7); empty where nothing is.

    A token of another issuer, or for another client of this one, is nobody's login here.
    """
    if payload.get("iss") != settings.OIDC_ISSUER:
        return "issued by somebody else"
    audience = payload.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if settings.OIDC_RP_CLIENT_ID not in audiences:
        return "meant for somebody else"
    if len(audiences) > 1 and payload.get("azp") != settings.OIDC_RP_CLIENT_ID:
        return "meant for several, and not for us first"
    if not isinstance(payload.get("exp"), int) or not isinstance(payload.get("iat"), int):
        return "without a time"
    if payload["iat"] > time.time() + _CLOCK_SKEW_SECONDS:
        return "issued in the future"
    return ""


def provider_logout_url(request: HttpRequest) -> str:
    """Where logging out at the provider begins; it comes back to our own front page."""
    query = {
        "id_token_hint": request.session.get("oidc_id_token", ""),
        "post_logout_redirect_uri": request.build_absolute_uri(settings.LOGOUT_REDIRECT_URL),
    }
    return f"{settings.OIDC_OP_LOGOUT_ENDPOINT}?{urlencode(query)}"


def essential_acr() -> str:
    """The `claims` parameter: the level is asked for as essential (Swedish OIDC profile)."""
    acr = {"essential": True, "values": settings.SDK_OIDC_ACCEPTED_ACR}
    return json.dumps({"id_token": {"acr": acr}}, separators=(",", ":"))


def _client_assertion() -> str:
    now = int(time.time())
    claims = {
        "iss": settings.OIDC_RP_CLIENT_ID,
        "sub": settings.OIDC_RP_CLIENT_ID,
        "aud": settings.OIDC_OP_TOKEN_ENDPOINT,
        "jti": str(uuid.uuid4()),
        "iat": now,
        "exp": now + _ASSERTION_SECONDS,
    }
    return jwt.encode(claims, Path(settings.SDK_OIDC_CLIENT_KEY).read_bytes(), algorithm="RS256")
