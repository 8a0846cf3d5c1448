"""Web hooks: telling a client that there is something to fetch again, so that it need not poll.

A notice carries ids and nothing of a message. It is signed with a secret that client and service share, and
is tried again until the client has answered 2xx, or for a day: polling stays what is sure.
"""

import hashlib
import hmac
import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.db.models import Count, Exists, Max, Min, OuterRef
from django.utils import timezone

from ..protocol.message import timestamp
from ..work import LeaseLost, pause_after, unexpected, wake
from . import patterns
from .models import ApiClient, HeldMessage, WebhookNotice

logger = logging.getLogger(__name__)
SIGNATURE: Final = "SDK-Signature"
_PATIENCE: Final = timedelta(hours=24)
_LONGEST_PAUSE_SECONDS: Final = 3600
_KEPT: Final = timedelta(days=7)


class AddressNotAllowed(Exception):
    """A web hook may not be sent there; `reason` is a code, `why` says what the operator has to set."""

    def __init__(self, reason: str, why: str) -> None:
        self.reason = reason
        self.why = why
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class State:
    """How it goes to tell a client: what waits was not answered `attempts` times, at last for `problem`."""

    last_told_at: datetime | None
    waiting: int
    waiting_since: datetime | None
    next_at: datetime | None
    problem: str
    given_up: int
    given_up_at: datetime | None


def check_address(url: str) -> None:
    """HTTPS to a host of SDK_WEBHOOK_HOSTS; in the demo also HTTP. Raises `AddressNotAllowed`."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        parts.port  # noqa: B018 - raises for what is no port
    except ValueError:
        raise AddressNotAllowed("no-address", "it is not an address") from None
    if parts.scheme != "https" and not (settings.DEMO and parts.scheme == "http"):
        raise AddressNotAllowed("not-https", "it must begin with https://")
    if parts.username or parts.password:
        raise AddressNotAllowed("has-user", "it must not carry a user or password")
    if host not in {item.lower() for item in settings.SDK_WEBHOOK_HOSTS}:
        raise AddressNotAllowed("host", "its host is not in SDK_WEBHOOK_HOSTS")


def order(held: HeldMessage) -> None:
    """Order that every client that may see the message is told, in the caller's transaction."""
    from .tasks import tell

    clients = ApiClient.objects.filter(organisation=held.organisation, is_active=True).exclude(webhook_url="")
    for client in clients:
        if patterns.matches(client.auth_ids, held.own_function):
            # One that waits already will have the client fetch what is true then.
            if WebhookNotice.objects.filter(
                client=client, resource_id=held.resource_id, due_at__isnull=False, attempts=0
            ).exists():
                continue
            notice = WebhookNotice.objects.create(
                client=client, resource_id=held.resource_id, due_at=timezone.now()
            )
            wake(tell.delay, notice.pk)


def send(notice_id: object) -> None:
    """Tell a client, if the notice is due."""
    notice = WebhookNotice.take(notice_id)
    if notice is None:
        return
    try:
        with notice.kept():
            problem = _problem(notice)
        with notice.step() as row:
            row.problem = problem[:60]
            if not problem:
                row.due_at, row.told_at = None, timezone.now()
            elif timezone.now() - row.created_at > _PATIENCE:
                row.due_at, row.given_up_at = None, timezone.now()
            else:
                row.due_at = timezone.now() + pause_after(row.attempts, longest=_LONGEST_PAUSE_SECONDS)
    except LeaseLost:
        logger.warning("lease lost", extra={"fields": {"notice": notice.pk}})
        return
    if problem:
        fields = {"client": notice.client.client_id, "why": problem, "attempts": notice.attempts}
        logger.warning("web hook not answered", extra={"fields": fields})


def signature(secret: str, at: int, content: bytes) -> str:
    """What a client compares: HMAC-SHA256 of the time and the body, in hexadecimal."""
    return hmac.new(secret.encode(), f"{at}.".encode() + content, hashlib.sha256).hexdigest()


def state_of(client: ApiClient) -> State:
    """As far back as notices are kept: a week."""
    notices = WebhookNotice.objects.filter(client=client)
    waiting = notices.filter(due_at__isnull=False, attempts__gt=0).exclude(problem="")
    latest = waiting.order_by("-due_at").first()
    told = notices.aggregate(
        told=Max("told_at"), given_up=Count("given_up_at"), given_up_at=Max("given_up_at")
    )
    of_waiting = waiting.aggregate(number=Count("pk"), since=Min("created_at"), next=Min("due_at"))
    given_up = notices.exclude(given_up_at=None).order_by("-given_up_at").first()
    return State(
        last_told_at=told["told"],
        waiting=of_waiting["number"],
        waiting_since=of_waiting["since"],
        next_at=of_waiting["next"],
        problem=latest.problem if latest else given_up.problem if given_up else "",
        given_up=told["given_up"],
        given_up_at=told["given_up_at"],
    )


def not_answering(client: str) -> Exists:
    """Whether a client leaves a notice unanswered now; `client` is the outer query's key."""
    waiting = WebhookNotice.objects.filter(client=OuterRef(client), due_at__isnull=False)
    return Exists(waiting.exclude(problem=""))


def remove_old() -> int:
    """Forget notices that came to their end a week ago; how many."""
    return WebhookNotice.objects.filter(due_at__isnull=True, created_at__lt=timezone.now() - _KEPT).delete()[
        0
    ]


def _problem(notice: WebhookNotice) -> str:
    """Send it; a code for what went wrong, or nothing."""
    client = notice.client
    if not client.is_active or not client.webhook_url:
        return ""
    now = timezone.now()
    content = json.dumps(
        {"id": str(notice.pk), "at": timestamp(now), "messages": [str(notice.resource_id)]}
    ).encode()
    at = int(now.timestamp())
    try:
        check_address(client.webhook_url)
        with requests.Session() as session:
            # No proxy of the environment's: the operator named where this goes.
            session.trust_env = False
            answer = session.post(
                client.webhook_url,
                data=content,
                headers={
                    "Content-Type": "application/json",
                    SIGNATURE: f"t={at},v1={signature(client.webhook_secret, at, content)}",
                },
                timeout=settings.SDK_HTTP_TIMEOUT_SECONDS,
                verify=settings.SDK_TLS_CA_FILE or True,
                allow_redirects=False,
                stream=True,
            )
            answer.close()
    except AddressNotAllowed:
        return "address not allowed"
    except requests.RequestException as error:
        return type(error).__name__
    except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
        unexpected(error, notice=notice.pk)
        return "unexpected"
    return "" if 200 <= answer.status_code < 300 else f"HTTP {answer.status_code}"
