"""Logging in with e-ID: who the person is, and whether the level of assurance is enough."""

import json
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from mailbox.models import Person
from mailbox.models.person import subject_key

from . import provider_keys
from .admission import BY_SAML, NotAdmitted, admit

logger = logging.getLogger(__name__)
# Attributes of the request: why a login was refused, and the provider's identifiers of the login.
REFUSAL = "mailbox.login_refusal"
PROVIDER_LOGIN = "mailbox.provider_login"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 60
_LATEST = 32_503_680_000


@dataclass(frozen=True, slots=True)
class ProviderLogin:
    """What is kept of an ID token, so that the provider can end the login: `sid`, `sub` and `iat`."""

    session: str
    subject: str
    issued_at: datetime


class EidBackend(OIDCAuthenticationBackend):
    """Finds the person by the configured claim, and compares the ID token's `acr` with the required level."""

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> Person | None:
        """The person, or None with the reason in the request.

        Only people whom an administrator has added, or a membership rule lets in, can log in.
        """
        level = str(payload.get("acr", ""))
        if level not in settings.SDK_OIDC_ACCEPTED_ACR:
            return self._refused("level", level=level)
        userinfo = self.get_userinfo(access_token, id_token, payload)
        if userinfo.get("sub") != payload.get("sub"):
            # OpenID Connect Core 5.3.2: the userinfo is about somebody else.
            raise SuspiciousOperation("userinfo of another subject")
        claims = {**userinfo, **payload}
        subject = str(claims.get(settings.SDK_OIDC_PERSON_CLAIM, ""))
        try:
            person = admit(subject, str(claims.get("name", "")), claims)
        except NotAdmitted as refused:
            return self._refused(refused.reason)
        if self.request is not None:
            self.request.META[PROVIDER_LOGIN] = ProviderLogin(
                str(payload.get("sid", "")), subject_key(str(payload["sub"])), moment_of(payload["iat"])
            )
        return person

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        """The claims of an ID token that is signed by the provider, valid, and for this client and login."""
        payload = provider_keys.claims_of(token, self.OIDC_RP_SIGN_ALGO)
        if payload.get("nonce") != kwargs.get("nonce"):
            raise SuspiciousOperation("ID token: another nonce")
        problem = problem_of(payload)
        if problem:
            raise SuspiciousOperation(f"ID token: {problem}")
        return payload

    def get_userinfo(self, access_token: str, id_token: str, payload: dict[str, Any]) -> dict[str, Any]:
        userinfo = super().get_userinfo(access_token, id_token, payload)
        if not isinstance(userinfo, dict):
            raise SuspiciousOperation("userinfo is no object")
        return userinfo

    def store_tokens(self, access_token: str, id_token: str) -> None:
        """Stores nothing: tokens hold names and personal numbers, and could be stolen."""

    def get_user(self, user_id: int) -> Person | None:
        """The person of a session; None for somebody who is locked."""
        return Person.objects.filter(pk=user_id, is_active=True).first()

    def get_token(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Exchange the code; with a key, by private_key_jwt instead of a secret."""
        if settings.SDK_OIDC_CLIENT_KEY:
            payload = {name: value for name, value in payload.items() if name != "client_secret"}
            payload["client_assertion_type"] = _ASSERTION_TYPE
            payload["client_assertion"] = _client_assertion()
        token = super().get_token(payload)
        if not isinstance(token, dict):
            raise SuspiciousOperation("no tokens")
        return token

    def _refused(self, reason: str, **details: str) -> Person | None:
        """Refuse a login: None, with the reason in the request for the page that shows it."""
        logger.warning("login_refused", extra={"fields": {"reason": reason}})
        if self.request is not None:
            self.request.META[REFUSAL] = {"reason": reason, **details}
        return None


def problem_of(payload: Mapping[str, Any]) -> str:
    """What is wrong with an ID token's claims (OpenID Connect Core 3.1.3.7); empty where nothing is.

    Tokens of another issuer, or for another client, are refused.
    """
    if payload.get("iss") != settings.OIDC_ISSUER:
        return "issued by somebody else"
    audience = payload.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if settings.OIDC_RP_CLIENT_ID not in audiences:
        return "meant for somebody else"
    if len(audiences) > 1 and payload.get("azp") != settings.OIDC_RP_CLIENT_ID:
        return "meant for several, and not for us first"
    if not isinstance(payload.get("sub", ""), str):
        return "of nobody"
    if not isinstance(payload.get("exp"), int) or not isinstance(payload.get("iat"), int):
        return "without a time"
    if payload["iat"] > time.time() + provider_keys.CLOCK_SKEW_SECONDS:
        return "issued in the future"
    return ""


def moment_of(seconds: int) -> datetime:
    """A token's time (`iat`, `exp`), within the times that can be stored."""
    return datetime.fromtimestamp(min(max(seconds, 0), _LATEST), tz=UTC)


def provider_logout_url(request: HttpRequest) -> str:
    """The address at which a logout at the provider begins; it leads back to our start page.

    Who came by SAML logs out here alone, and comes to that page at once.
    """
    if request.session.get(BY_SAML):
        return str(settings.LOGOUT_REDIRECT_URL)
    # Without id_token_hint: a token in an address would be in histories and logs.
    query = {
        "client_id": settings.OIDC_RP_CLIENT_ID,
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
