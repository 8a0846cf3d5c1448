"""The e-ID provider's keys, and the claims of tokens that are signed by them (OpenID Connect Core 10.1.1)."""

import threading
import time
from typing import Any, Final

import jwt
from django.conf import settings
from django.core.exceptions import SuspiciousOperation

from . import oidc_requests

CLOCK_SKEW_SECONDS: Final = 60
_KEPT_SECONDS: Final = 600.0
# The keys are fetched again for a token by an unknown key, at most once in this time.
_FETCHED_EVERY_SECONDS: Final = 10.0
_MOST_TRIED: Final = 8
_KEY_TYPES: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class _KeySet:
    """The provider's key set, as it was last fetched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._address = ""
        self._keys: list[dict[str, Any]] = []
        self._at = 0.0

    def get(self, *, newer: bool = False) -> list[dict[str, Any]]:
        """The keys; with `newer` they are fetched again. Raises `RequestException`."""
        with self._lock:
            age = time.monotonic() - self._at if self._address == settings.OIDC_OP_JWKS_ENDPOINT else None
            if age is None or age > (_FETCHED_EVERY_SECONDS if newer else _KEPT_SECONDS):
                self._keys = _fetch(settings.OIDC_OP_JWKS_ENDPOINT)
                self._address, self._at = settings.OIDC_OP_JWKS_ENDPOINT, time.monotonic()
            return self._keys

    def discard(self) -> None:
        with self._lock:
            self._address = ""


_key_set = _KeySet()


def discard() -> None:
    """Fetch the keys again before they are next used."""
    _key_set.discard()


def claims_of(token: str, algorithm: str) -> dict[str, Any]:
    """The claims of a token that the provider has signed and that is valid now, give or take a minute.

    Raises `SuspiciousOperation`, and `RequestException` where the keys cannot be fetched.
    """
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError, TypeError):
        raise SuspiciousOperation("no token") from None
    if header.get("alg") != algorithm:
        raise SuspiciousOperation("signed by another algorithm")
    for newer in (False, True):
        for key in _fitting(_key_set.get(newer=newer), header.get("kid"), algorithm):
            try:
                claims: dict[str, Any] = jwt.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    leeway=CLOCK_SKEW_SECONDS,
                    options={"verify_aud": False},
                )
            except jwt.InvalidSignatureError:
                continue
            except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
                raise SuspiciousOperation(type(error).__name__) from None
            return claims
    raise SuspiciousOperation("signed by no key of the provider")


def _fitting(keys: list[dict[str, Any]], key_id: Any, algorithm: str) -> list[jwt.PyJWK]:
    """The keys that may have signed a token: by key id where both have one, else by use and algorithm.

    Keys of types that we do not know are skipped.
    """
    named = [key for key in keys if key_id is not None and key.get("kid") == key_id]
    nameless = [key for key in keys if key_id is None or "kid" not in key]
    found: list[jwt.PyJWK] = []
    for key in named or nameless:
        is_of_type = key.get("kty") == _KEY_TYPES.get(algorithm[:2])
        if not is_of_type or key.get("use", "sig") != "sig" or key.get("alg", algorithm) != algorithm:
            continue
        try:
            found.append(jwt.PyJWK(key, algorithm))
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
    return found[:_MOST_TRIED]


def _fetch(address: str) -> list[dict[str, Any]]:
    response = oidc_requests.get(address)
    response.raise_for_status()
    key_set = response.json()
    keys = key_set.get("keys") if isinstance(key_set, dict) else None
    if not isinstance(keys, list):
        raise oidc_requests.RequestException("no key set")
    return [key for key in keys if isinstance(key, dict)]
