"""Checks of the node's processes, and of the servers that it needs: broker, mail, e-ID, others' clocks."""

import json
import smtplib
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.mail import get_connection
from django.utils import timezone
from redis import RedisError

from mailbox.accounts.saml import configuration as saml_configuration
from mailbox.accounts.saml import provider_metadata
from mailbox.administration import counterparts
from sdkportal.celery import app
from sdkportal.monitoring import beat as beat_marks
from sdkportal.monitoring.broker import broker as broker_client
from sdkportal.monitoring.due_jobs import due_jobs
from transport.outgoing_http import AddressRefused, Answer, Client, NoAnswer, Origin, request
from transport.remote_message_service import figures

from .database import judged_clock
from .findings import Finding, duration, failure, ok, warning

_QUEUES: Final = tuple(queue.name for queue in settings.CELERY_TASK_QUEUES)
_WORKER_SECONDS: Final = 2.0
_MAIL_SECONDS: Final = 6
_HTTP_SECONDS: Final = 6.0
_MAX_ANSWER_BYTES: Final = 1024 * 1024
# Beat starts something at each SDK_SWEEP_SECONDS.
_MISSED_SWEEPS: Final = 3
_BEAT_SECONDS: Final = 60
_LATE_SECONDS: Final = 60
_VERY_LATE_SECONDS: Final = 900


def broker() -> Iterator[Finding]:
    """Redis or Valkey answers, and never drops what waits there to make room."""
    try:
        with broker_client() as client:
            told = client.info()
    except RedisError as error:
        yield failure("broker-unavailable", type(error).__name__)
        return
    program = f"{told.get('server_name', 'redis')} {told.get('valkey_version') or told.get('redis_version')}"
    policy = str(told.get("maxmemory_policy", ""))
    if told.get("maxmemory") and policy != "noeviction":
        yield warning("broker-evicts", f"{program}: maxmemory-policy {policy}")
    else:
        yield ok(program)


def workers() -> Iterator[Finding]:
    """Every queue has a worker that answers."""
    try:
        answers = app.control.inspect(timeout=_WORKER_SECONDS).active_queues() or {}
    except Exception as error:  # noqa: BLE001 - kombu and redis raise what their transports raise
        yield failure("broker-unavailable", type(error).__name__)
        return
    served = {queue["name"] for queues in answers.values() for queue in queues or ()}
    missing = [name for name in _QUEUES if name not in served]
    detail = f"{len(answers)} answer"
    if missing:
        yield failure("queue-without-worker", f"{detail}; nobody serves {', '.join(missing)}")
    else:
        yield ok(detail)


def beat() -> Iterator[Finding]:
    """A beat has started a task lately; of several, the one that leads does."""
    try:
        ages = beat_marks.seconds_since_marks()
    except RedisError as error:
        yield failure("broker-unavailable", type(error).__name__)
        return
    longest = max(_BEAT_SECONDS, _MISSED_SWEEPS * settings.SDK_SWEEP_SECONDS)
    alive = {name: age for name, age in ages.items() if age <= longest}
    if alive:
        yield ok(f"started a task {duration(min(alive.values()))} ago")
    else:
        yield failure("beat-silent", f"last {duration(min(ages.values()))} ago" if ages else "no mark of it")


def queues() -> Iterator[Finding]:
    """How long the oldest due job of each kind has waited for a worker."""
    for due in due_jobs():
        detail = f"{due.kind}: {due.count} due"
        if not due.count:
            yield ok(detail)
            continue
        detail += f", the oldest for {duration(due.oldest_seconds)}"
        if due.oldest_seconds > _VERY_LATE_SECONDS:
            yield failure("jobs-late", detail)
        else:
            yield warning("jobs-late", detail) if due.oldest_seconds > _LATE_SECONDS else ok(detail)


def dead_letters() -> Iterator[Finding]:
    count = counterparts.count_set_aside()
    yield warning("dead-letters", str(count)) if count else ok("none")


def message_services() -> Iterator[Finding]:
    """Other suppliers' message services answer, and nothing that came from them was set aside."""
    silent = figures.silent_services()
    for service in silent:
        yield failure("message-service-silent", f"{service.name}: {service.problem or 'not asked'}")
    set_aside = next(item.count for item in figures.waiting() if item.state == "set-aside")
    if set_aside:
        yield warning("message-service-set-aside", str(set_aside))
    if not silent and not set_aside:
        yield ok("")


def mail() -> Iterator[Finding]:
    """The mail server answers and lets this node log in; nothing is sent."""
    if not settings.EMAIL_HOST:
        yield warning("mail-not-set", "SDK_MAIL_HOST is not set")
        return
    detail = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    connection = get_connection(timeout=_MAIL_SECONDS)
    try:
        connection.open()
    except (smtplib.SMTPException, OSError) as error:
        yield failure("mail-unavailable", f"{detail}: {type(error).__name__}")
        return
    finally:
        connection.close()
    yield ok(detail)


def eid() -> Iterator[Finding]:
    """The e-ID provider gives the keys by which logins are verified."""
    if not settings.OIDC_ISSUER and saml_configuration.is_configured():
        yield ok("not used")
        return
    url = settings.OIDC_OP_JWKS_ENDPOINT
    try:
        answer = fetched(url)
        keys = json.loads(answer.body).get("keys") if answer.is_ok else None
    except (AddressRefused, NoAnswer, ValueError, AttributeError) as error:
        yield failure("eid-unavailable", f"{url}: {type(error).__name__}")
        return
    yield ok(f"{len(keys)} keys") if keys else failure("eid-unavailable", f"{url}: HTTP {answer.status}")


def saml() -> Iterator[Finding]:
    """Each provider of SAML is in valid metadata, and this node's keys and xmlsec1 are there."""
    if not saml_configuration.is_configured():
        yield ok("not used")
        return
    if not Path(settings.SDK_SAML_XMLSEC1).is_file():
        yield failure("saml-program", settings.SDK_SAML_XMLSEC1)
        return
    try:
        found = provider_metadata.providers()
        ends = min(each.not_valid_after_utc for each in saml_configuration.certificates())
        saml_configuration.signing_key()
    except provider_metadata.MetadataRejected as error:
        yield failure("saml-unavailable", f"{settings.SDK_SAML_METADATA}: {error.reason}")
        return
    except saml_configuration.OwnKeyUnusable:
        yield failure("saml-key")
        return
    missing = set(settings.SDK_SAML_PROVIDERS) - {each.entity_id for each in found}
    if missing:
        yield failure("saml-unavailable", f"not in valid metadata: {', '.join(sorted(missing))}")
        return
    detail = f"{len(found)} providers"
    if found_ends := [each.valid_until for each in found if each.valid_until is not None]:
        detail += f", valid until {min(found_ends):%Y-%m-%d %H:%M} UTC"
    yield warning("saml-certificate", f"ends {ends:%Y-%m-%d}") if ends < timezone.now() else ok(detail)


def pages() -> Iterator[Finding]:
    """The pages answer where people open them, by the proxy in front of them."""
    if not settings.SDK_PUBLIC_URL:
        yield warning("pages-unavailable", "SDK_PUBLIC_URL is not set")
        return
    url = f"{settings.SDK_PUBLIC_URL}/halsa/klar"
    try:
        status = fetched(url).status
    except (AddressRefused, NoAnswer) as error:
        yield warning("pages-unavailable", f"{url}: {error}")
        return
    yield ok(url) if status == HTTPStatus.OK else warning("pages-unavailable", f"{url}: HTTP {status}")


def clock() -> Iterator[Finding]:
    """This machine's clock agrees with a server of others: the address book's, or the e-ID provider's."""
    for url in (settings.SDK_ADDRESS_BOOK_URL, settings.OIDC_OP_JWKS_ENDPOINT):
        client = Client(origin=Origin.SETTINGS)
        before = timezone.now()
        try:
            with client.stream("GET", url, seconds=_HTTP_SECONDS, max_bytes=_MAX_ANSWER_BYTES) as answer:
                after = timezone.now()
                theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
                ahead = (theirs - before).total_seconds()
        except (AddressRefused, NoAnswer, ValueError, TypeError):
            continue
        finally:
            client.close()
        # The header tells whole seconds: it was up to one later.
        finding = judged_clock(ahead + 1.0, (after - before).total_seconds() + 1.0)
        yield finding
        return
    yield warning("clock-not-compared", "no server answered with its time")


def fetched(url: str) -> Answer:
    """The answer of a server that the settings name. Raises `AddressRefused`, `NoAnswer`."""
    return request("GET", url, origin=Origin.SETTINGS, seconds=_HTTP_SECONDS, max_bytes=_MAX_ANSWER_BYTES)
