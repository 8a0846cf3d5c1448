"""The state of a login while its person is at the e-ID provider.

It is kept in encrypted cookies for some minutes. Sessions begin when somebody has logged in, so that visitors
cannot fill the table of sessions.
"""

import hmac
import json
import time
from dataclasses import astuple, dataclass
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from transport.storage.encryption import texts
from transport.storage.encryption.errors import AtRestError

from .session_store import KEY_OWNER

BEGUN: Final = "login"
REFUSED: Final = "refused"
ENDED: Final = "ended"
_SECONDS: Final = 900
_MOST_BEGUN: Final = 5


@dataclass(frozen=True, slots=True)
class BegunLogin:
    """A login that this browser has begun: what the provider's answer has to match, and the page after it."""

    state: str
    nonce: str
    code_verifier: str
    following: str


def begin(request: HttpRequest, response: HttpResponse, begun: BegunLogin) -> None:
    """Store a login, beside those that other pages of the same browser have begun."""
    _store_logins(response, [*_logins(request), begun][-_MOST_BEGUN:])


def use(request: HttpRequest, response: HttpResponse, state: str) -> BegunLogin | None:
    """The login with this state, which is removed: it can be used once."""
    logins, given = _logins(request), state.encode(errors="replace")
    found = next((each for each in logins if hmac.compare_digest(each.state.encode(), given)), None)
    if found is not None:
        _store_logins(response, [each for each in logins if each is not found])
    return found


def store(response: HttpResponse, name: str, value: dict[str, Any]) -> None:
    """Store a value in an encrypted cookie for some minutes."""
    text = json.dumps([int(time.time()), value])
    response.set_cookie(
        _cookie(name),
        texts.seal_text(text, KEY_OWNER, _place(name)),
        max_age=_SECONDS,
        secure=bool(settings.SESSION_COOKIE_SECURE),
        httponly=True,
        samesite="Lax",
    )


def read(request: HttpRequest, name: str) -> dict[str, Any]:
    """The value in an encrypted cookie; empty where there is none, or it is not ours."""
    stored = request.COOKIES.get(_cookie(name), "")
    if not texts.is_sealed(stored):
        return {}
    try:
        at, value = json.loads(texts.open_text(stored, _place(name)))
    except (AtRestError, ValueError):
        return {}
    if not 0 <= time.time() - at < _SECONDS:
        return {}
    found: dict[str, Any] = value
    return found


def remove(response: HttpResponse, name: str) -> None:
    """Delete the cookie of a value."""
    response.delete_cookie(_cookie(name), samesite="Lax")


def _logins(request: HttpRequest) -> list[BegunLogin]:
    return [BegunLogin(*each) for each in read(request, BEGUN).get("logins", [])]


def _store_logins(response: HttpResponse, logins: list[BegunLogin]) -> None:
    if logins:
        store(response, BEGUN, {"logins": [astuple(each) for each in logins]})
    else:
        remove(response, BEGUN)


def _cookie(name: str) -> str:
    return f"{settings.SESSION_COOKIE_NAME}_{name}"


def _place(name: str) -> str:
    return f"cookie|{name}"
