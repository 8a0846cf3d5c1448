"""Web hooks: notifying a client that a message has changed, so that it need not poll.

A notification carries ids, and no content. It is signed with a secret that client and service share, and is
sent again for a day until the client answers 2xx. Polling is the reliable way.
"""

import base64
import hashlib
import hmac
import json
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Count, Exists, Max, Min, OuterRef
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from transport.bulkhead import NoFreeSlot
from transport.jobs import LeaseLost, log_unexpected, pause_after, task_named, wake
from transport.message_api.models import ApiClient, HeldMessage, WebhookNotice
from transport.outgoing_http import AddressRefused, Client, NoAnswer, Origin, check_url
from transport.protocol.sdk_message.message import timestamp
from transport.protocol.urls import HttpUrl, UrlRefused, parse_http_url

from . import function_patterns

logger = logging.getLogger(__name__)
OLD_SIGNATURE: Final = "SDK-Signature"
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what comes before one
_SECRET_BYTES: Final = 32
# Of a response only the status is used.
_MAX_ANSWER_BYTES: Final = 0
_PATIENCE: Final = timedelta(hours=24)
_LONGEST_PAUSE_SECONDS: Final = 3600
_KEPT: Final = timedelta(days=7)


class AddressNotAllowed(Exception):
    """The address is not allowed; `reason` is a code, `why` tells the operator what to set."""

    def __init__(self, reason: str, why: str) -> None:
        self.reason = reason
        self.why = why
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class State:
    """The state of a client's web hook. `problem` is why the latest attempt failed; empty where none has."""

    last_told_at: datetime | None
    waiting: int
    waiting_since: datetime | None
    next_at: datetime | None
    problem: str
    given_up: int
    given_up_at: datetime | None


def check_address(url: str) -> HttpUrl:
    """HTTPS to a host of SDK_WEBHOOK_HOSTS; in the demo also HTTP, on this machine.

    Where its name leads is judged when it is connected to. Raises `AddressNotAllowed`.
    """
    if not url.lower().startswith(("https://", "http://") if settings.DEMO else "https://"):
        reason = "not-https" if "://" in url else "no-address"
        raise AddressNotAllowed(reason, "it must begin with https://")
    try:
        parts = parse_http_url(url)
    except UrlRefused:
        if _has_user(url):
            raise AddressNotAllowed("has-user", "it must not carry a user or password") from None
        raise AddressNotAllowed("no-address", "it is not an address") from None
    if parts.host not in {item.lower() for item in settings.SDK_WEBHOOK_HOSTS}:
        raise AddressNotAllowed("host", "its host is not in SDK_WEBHOOK_HOSTS")
    try:
        return check_url(url)
    except AddressRefused as error:
        raise AddressNotAllowed("host", f"{error}: see SDK_PRIVATE_NETWORKS") from None


def new_secret() -> str:
    """A secret as Standard Webhooks writes it; shown to the client's operator once."""
    return _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def order(held_message: HeldMessage) -> None:
    """Order a notification of every client that may see the message, in the caller's transaction."""
    clients = ApiClient.objects.filter(organisation=held_message.organisation, is_active=True).exclude(
        webhook_url=""
    )
    for client in clients:
        if function_patterns.matches(client.auth_ids, held_message.own_function):
            # One that waits already will have the client fetch what is true then.
            if WebhookNotice.objects.filter(
                client=client, resource_id=held_message.resource_id, due_at__isnull=False, attempts=0
            ).exists():
                continue
            notice = WebhookNotice.objects.create(
                client=client, resource_id=held_message.resource_id, due_at=timezone.now()
            )
            wake(task_named("transport.message_api.tasks.send_webhook"), notice.pk)


def send(notice_id: object) -> list[object]:
    """Tell a client, if the notice is due.

    The result is the key of the notice that can be sent next to the same server, now that a slot there is
    free; or nothing.
    """
    notice = WebhookNotice.claim(notice_id)
    if notice is None:
        return []
    try:
        with notice.renewing():
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
        logger.warning("lease_lost", extra={"fields": {"notice": notice.pk}})
        return []
    except NoFreeSlot:
        return []
    if problem:
        fields = {"client": notice.client.client_id, "reason": problem, "attempts": notice.attempts}
        logger.warning("webhook_failed", extra={"fields": fields})
    return WebhookNotice.waiting_for(notice.counterpart)


def headers_for(secret: str, notice_id: object, at: datetime, content: bytes) -> dict[str, str]:
    """The headers that sign a notice (Standard Webhooks 1.0): id, time, HMAC-SHA256 of both and the body.

    A secret from before there was `whsec_` is a key as it stands, and its clients also get the header that
    they were told of.
    """
    is_old = not secret.startswith(_SECRET_PREFIX)
    hook = Webhook(secret.encode() if is_old else secret)
    seconds = int(at.timestamp())
    headers = {
        "webhook-id": str(notice_id),
        "webhook-timestamp": str(seconds),
        "webhook-signature": hook.sign(str(notice_id), at, content.decode()),
    }
    if is_old:
        old = hmac.new(secret.encode(), f"{seconds}.".encode() + content, hashlib.sha256).hexdigest()
        headers[OLD_SIGNATURE] = f"t={seconds},v1={old}"
    return headers


def state_of(client: ApiClient) -> State:
    """As far back as notices are kept: a week."""
    notices = WebhookNotice.objects.filter(client=client)
    waiting = notices.filter(due_at__isnull=False, attempts__gt=0).exclude(problem="")
    latest = waiting.order_by("-due_at").first()
    totals = notices.aggregate(
        told=Max("told_at"), given_up=Count("given_up_at"), given_up_at=Max("given_up_at")
    )
    of_waiting = waiting.aggregate(number=Count("pk"), since=Min("created_at"), next=Min("due_at"))
    given_up = notices.exclude(given_up_at=None).order_by("-given_up_at").first()
    return State(
        last_told_at=totals["told"],
        waiting=of_waiting["number"],
        waiting_since=of_waiting["since"],
        next_at=of_waiting["next"],
        problem=latest.problem if latest else given_up.problem if given_up else "",
        given_up=totals["given_up"],
        given_up_at=totals["given_up_at"],
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
    """Send it; a code for what went wrong, or nothing. Raises `NoFreeSlot`, `LeaseLost`."""
    client = notice.client
    if not client.is_active or not client.webhook_url:
        return ""
    now = timezone.now()
    content = json.dumps(
        {"id": str(notice.pk), "at": timestamp(now), "messages": [str(notice.resource_id)]}
    ).encode()
    line = Client(origin=Origin.OTHERS)
    try:
        notice.occupy_slot(check_address(client.webhook_url).host)
        with line.stream(
            "POST",
            client.webhook_url,
            seconds=settings.SDK_HTTP_TIMEOUT_SECONDS,
            max_bytes=_MAX_ANSWER_BYTES,
            body=content,
            headers={
                "Content-Type": "application/json",
                **headers_for(client.webhook_secret, notice.pk, now, content),
            },
        ) as answer:
            status = answer.status
    except (AddressNotAllowed, AddressRefused):
        return "address not allowed"
    except NoAnswer as error:
        return str(error)
    except (NoFreeSlot, LeaseLost):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
        log_unexpected(error, notice=notice.pk)
        return "unexpected"
    finally:
        line.close()
    return "" if 200 <= status < 300 else f"HTTP {status}"


def _has_user(url: str) -> bool:
    try:
        return "@" in urlsplit(url).netloc
    except ValueError:
        return False
