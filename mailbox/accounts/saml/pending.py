"""Between request and login: what this browser has asked for, and the answer that waits for it.

A provider's answer comes by a form of another site, with which the browser sends no cookie of ours
(SameSite=Lax). It is verified without them, stored under a ticket that is set as a cookie, and matched with
what the browser has asked for at the page that it is redirected to, to which it sends both.
"""

import hashlib
import hmac
import json
import secrets
import time
from dataclasses import astuple, dataclass
from datetime import timedelta
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from mailbox.accounts import login_state
from mailbox.accounts.session_store import KEY_OWNER
from mailbox.models import PendingSamlLogin, UsedAssertion
from transport.storage.encryption import texts

from .answer import Answer

# Names of cookies: what is asked for, an answer that is not matched with it yet, and one that is.
_BEGUN: Final = "saml"
_ANSWER: Final = "saml_answer"
_MATCHED: Final = "saml_matched"
_WAITS: Final = timedelta(minutes=10)
_MOST_BEGUN: Final = 5


@dataclass(frozen=True, slots=True)
class BegunLogin:
    """A login that this browser has begun: the request, whom it went to and when, and the page after it."""

    request_id: str
    provider: str
    at: int
    following: str


def begin(request: HttpRequest, response: HttpResponse, begun: BegunLogin) -> None:
    """Keep what is asked for, beside what other pages of the same browser have asked."""
    _store_begun(response, [*_begun(request), begun][-_MOST_BEGUN:])


def use_begun(request: HttpRequest, response: HttpResponse, request_id: str) -> BegunLogin | None:
    """The login of a request, if this browser has begun it; it can be used once."""
    begun, given = _begun(request), request_id.encode()
    found = next((each for each in begun if hmac.compare_digest(each.request_id.encode(), given)), None)
    if found is not None:
        _store_begun(response, [each for each in begun if each is not found])
    return found


def store_answer(response: HttpResponse, answer: Answer) -> None:
    """Let an answer wait, and give the browser that brought it the ticket to it."""
    _store(response, _ANSWER, answer, "")


def use_answer(request: HttpRequest, response: HttpResponse) -> Answer | None:
    """The answer that this browser brought; it can be used once."""
    used = _use(request, response, _ANSWER)
    return used[0] if used is not None else None


def store_matched(response: HttpResponse, answer: Answer, following: str) -> None:
    """Let an answer that this browser asked for wait until its person has chosen an assignment."""
    _store(response, _MATCHED, answer, following)


def matched(request: HttpRequest) -> Answer | None:
    """The answer that waits for a choice of assignment."""
    row = _row(str(login_state.read(request, _MATCHED).get("ticket", "")), _MATCHED)
    return _opened(row)[0] if row is not None else None


def use_matched(request: HttpRequest, response: HttpResponse) -> tuple[Answer, str] | None:
    """The answer that waits for a choice, and the page after the login; it can be used once."""
    return _use(request, response, _MATCHED)


def remove_expired() -> None:
    """Delete answers that nobody has fetched, and used assertions that have expired."""
    PendingSamlLogin.objects.filter(expires_at__lt=timezone.now()).delete()
    UsedAssertion.objects.filter(forgotten_at__lt=timezone.now()).delete()


def now() -> int:
    """The time as `BegunLogin` has it."""
    return int(time.time())


def _begun(request: HttpRequest) -> list[BegunLogin]:
    return [BegunLogin(*each) for each in login_state.read(request, _BEGUN).get("logins", [])]


def _store_begun(response: HttpResponse, begun: list[BegunLogin]) -> None:
    if begun:
        login_state.store(response, _BEGUN, {"logins": [astuple(each) for each in begun]})
    else:
        login_state.remove(response, _BEGUN)


def _store(response: HttpResponse, kind: str, answer: Answer, following: str) -> None:
    ticket = secrets.token_urlsafe(32)
    stored = _hash(ticket, kind)
    content = json.dumps([answer.as_json(), following])
    PendingSamlLogin.objects.create(
        ticket_hash=stored,
        sealed=texts.seal_text(content, KEY_OWNER, _place(stored)),
        expires_at=timezone.now() + _WAITS,
    )
    login_state.store(response, kind, {"ticket": ticket})


def _use(request: HttpRequest, response: HttpResponse, kind: str) -> tuple[Answer, str] | None:
    row = _row(str(login_state.read(request, kind).get("ticket", "")), kind)
    login_state.remove(response, kind)
    # Of two requests at once the one that deletes the row has it.
    if row is None or not PendingSamlLogin.objects.filter(pk=row.pk).delete()[0]:
        return None
    return _opened(row)


def _row(ticket: str, kind: str) -> PendingSamlLogin | None:
    rows = PendingSamlLogin.objects.filter(ticket_hash=_hash(ticket, kind), expires_at__gt=timezone.now())
    return rows.first()


def _opened(row: PendingSamlLogin) -> tuple[Answer, str]:
    answer, following = json.loads(texts.open_text(row.sealed, _place(row.ticket_hash)))
    return Answer.from_json(answer), following


def _hash(ticket: str, kind: str) -> str:
    return hashlib.sha256(f"{kind}|{ticket}".encode()).hexdigest()


def _place(stored: str) -> str:
    return f"saml|{stored}"
