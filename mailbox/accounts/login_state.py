"""What a browser keeps while its person is at the e-ID provider, and what it is told afterwards.

It is kept in sealed cookies for some minutes: until somebody is logged in there is no session, so that
nobody fills the table of sessions by visiting.
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
    """A login that this browser has begun: what the provider's answer has to fit, and where it leads."""

    state: str
    nonce: str
    code_verifier: str
    following: str


def begin(request: HttpRequest, response: HttpResponse, begun: BegunLogin) -> None:
    """Remember a login, beside those that other pages of the same browser have begun."""
    _store_logins(response, [*_logins(request), begun][-_MOST_BEGUN:])


def use(request: HttpRequest, response: HttpResponse, state: str) -> BegunLogin | None:
    """The login of this browser that an answer's state names; it is used up by that."""
    logins, given = _logins(request), state.encode(errors="replace")
    found = next((each for each in logins if hmac.compare_digest(each.state.encode(), given)), None)
    if found is not None:
        _store_logins(response, [each for each in logins if each is not found])
    return found


def store(response: HttpResponse, name: str, value: dict[str, Any]) -> None:
    """Let the browser keep a value, sealed, for some minutes."""
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
    """What this node let the browser keep; empty where there is nothing, or something else."""
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
    """Let the browser no longer keep a value."""
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
