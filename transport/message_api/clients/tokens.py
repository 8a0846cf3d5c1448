"""Access tokens, which a client presents with every request: issued here, or by an external authorisation
server.

Both are JWTs with `iss`, `aud`, `exp`, `iat`, `scope`, the client in `azp` (or `client_id`) and its
functions in the `auth_id` claim. The client must be registered here too: a token never opens more than the
registration does.
"""

import json
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization, OctKey

from transport.federation import http
from transport.message_api.models import ApiClient
from transport.outgoing_http import Origin

from . import function_patterns
from .scopes import Scope

OWN_ISSUER: Final = "urn:sdkportal:message-api"
_OWN_ALGORITHMS: Final = ["HS256"]
PUBLIC_KEY_ALGORITHMS: Final = [
    "RS256",
    "PS256",
    "ES256",
    "RS384",
    "PS384",
    "ES384",
    "RS512",
    "PS512",
    "ES512",
]
_LONGEST_SECONDS: Final = 1800
_CLOCK_SKEW_SECONDS: Final = 60
_KEYS_KEPT_SECONDS: Final = 600
_ASKED_AGAIN_AFTER_SECONDS: Final = 30
_USE_NOTED_AGAIN_AFTER: Final = timedelta(minutes=1)


class TokenRefused(Exception):
    """The token is invalid."""


class ServerAway(Exception):
    """The keys of the external authorisation server cannot be fetched now."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller: a client, the scopes and the `auth_id` of its token, both within its registration."""

    client: ApiClient
    scopes: frozenset[str]
    auth_ids: tuple[str, ...]

    # What Django REST framework asks of a user.
    is_authenticated = True

    @property
    def participant(self) -> str:
        return self.client.organisation.participant_id

    @property
    def pk(self) -> int:
        return self.client.pk

    def acts_for(self, function_address: str) -> bool:
        """Whether the caller may act for the function, by both the token and the registration."""
        return function_patterns.matches(self.auth_ids, function_address) and function_patterns.matches(
            self.client.auth_ids, function_address
        )


def issue(client: ApiClient, scope: str) -> dict[str, Any]:
    """The token response (RFC 6749 5.1), without refresh token; valid for 30 minutes at most (B1.4.2)."""
    now = int(time.time())
    seconds = min(settings.SDK_API_TOKEN_SECONDS, _LONGEST_SECONDS)
    claims = {
        "iss": OWN_ISSUER,
        "sub": client.client_id,
        "azp": client.client_id,
        "aud": settings.SDK_API_AUDIENCE,
        "iat": now,
        "exp": now + seconds,
        "jti": secrets.token_urlsafe(16),
        "scope": scope,
        settings.SDK_API_AUTH_ID_CLAIM: client.auth_ids,
    }
    token = jwt.encode({"alg": "HS256", "typ": "at+jwt"}, claims, _own_key(), algorithms=_OWN_ALGORITHMS)
    return {"token_type": "Bearer", "access_token": token, "expires_in": seconds, "scope": scope}


def record_use(client: ApiClient) -> None:
    """Record when the client was last used; once a minute at most, so that polling writes little."""
    now = timezone.now()
    if client.last_used_at is None or now - client.last_used_at > _USE_NOTED_AGAIN_AFTER:
        ApiClient.objects.filter(pk=client.pk).update(last_used_at=now)


def caller_of(token: str) -> Caller:
    """The caller that presents this token. Raises `TokenRefused`, `ServerAway`."""
    claims = _verified(token)
    issued, ends = claims["iat"], claims["exp"]
    if ends - issued > _LONGEST_SECONDS:
        raise TokenRefused("it lasts too long")
    name = claims.get("azp") or claims.get("client_id")
    if not isinstance(name, str) or not name.isprintable():
        raise TokenRefused("it names no client")
    client = ApiClient.objects.select_related("organisation").filter(client_id=name, is_active=True).first()
    if client is None:
        raise TokenRefused("the client is not registered, or disabled")
    record_use(client)
    scopes = claims.get("scope")
    wanted = set(scopes.split()) if isinstance(scopes, str) else set()
    claim = claims.get(settings.SDK_API_AUTH_ID_CLAIM)
    auth_ids = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return Caller(
        client,
        frozenset(wanted & set(client.scopes) & set(Scope)),
        tuple(item for item in auth_ids if isinstance(item, str)),
    )


def _verified(token: str) -> dict[str, Any]:
    issuer = settings.SDK_API_ISSUER or OWN_ISSUER
    try:
        if settings.SDK_API_ISSUER:
            claims = _by_outside_keys(token)
        else:
            claims = jwt.decode(token, _own_key(), algorithms=_OWN_ALGORITHMS).claims
        jwt.JWTClaimsRegistry(
            leeway=_CLOCK_SKEW_SECONDS if settings.SDK_API_ISSUER else 0,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": settings.SDK_API_AUDIENCE},
            exp={"essential": True},
            iat={"essential": True},
        ).validate(claims)
    except (JoseError, ValueError, TypeError, ArithmeticError, LookupError, RecursionError) as error:
        raise TokenRefused(type(error).__name__) from None
    return claims


def _by_outside_keys(token: str) -> dict[str, Any]:
    """Verify by the external server's keys; they are fetched again if none fits, as after a renewal."""
    try:
        return jwt.decode(token, _outside_keys(), algorithms=PUBLIC_KEY_ALGORITHMS).claims
    except (JoseError, ValueError, RecursionError):
        if not cache.add("message-api-keys-asked", True, _ASKED_AGAIN_AFTER_SECONDS):
            raise
        cache.delete(_cache_key())
        return jwt.decode(token, _outside_keys(), algorithms=PUBLIC_KEY_ALGORITHMS).claims


def _outside_keys() -> KeySet:
    cached = cache.get(_cache_key())
    if cached is None:
        try:
            cached = json.loads(http.fetch(settings.SDK_API_JWKS_URL, origin=Origin.SETTINGS))
        except (http.NoAnswer, http.Refused, ValueError) as error:
            raise ServerAway(type(error).__name__) from None
        cache.set(_cache_key(), cached, _KEYS_KEPT_SECONDS)
    serialised: KeySetSerialization = cached
    return KeySet.import_key_set(serialised)


def _cache_key() -> str:
    return f"message-api-keys {settings.SDK_API_JWKS_URL}".replace(" ", ":")


def _own_key() -> OctKey:
    """The key of tokens that this node issues: a secret, since only this node verifies them."""
    secret = HKDF(SHA256(), 32, None, b"sdkportal message API access tokens").derive(
        settings.SECRET_KEY.encode()
    )
    return OctKey.import_key(secret)
