"""Messages that another message service has for us: each is fetched, delivered here, and only then deleted
there.

What is in one is on disk, in a work directory, until the transaction that delivers it. A worker may die at
any line: a message that was delivered is known by its id, and is not delivered again. What cannot be
delivered is set aside for an administrator, and stays with the service.
"""

import logging
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final, cast
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from transport.bulkhead import NoFreeSlot
from transport.jobs import LeaseLost, log_unexpected, pause_after
from transport.message_service import inbound
from transport.message_service.malware import quarantine, scan
from transport.message_service.models import QuarantinedFile
from transport.protocol.identifiers import ParticipantId
from transport.protocol.sdk_message.message import CharacterNotAllowed, Message, write_message
from transport.protocol.sdk_message.rules import check_message
from transport.queues import wake_queue
from transport.remote_service_port import OwnFunction
from transport.storage import malware
from transport.storage.work_files import workspace

from . import bindings, resources
from .client import RemoteClient
from .models import RemoteArrival, RemoteService
from .problems import AnswerInvalid, NotThere, RemoteProblem
from .resources import Listed, NotOurs

logger = logging.getLogger(__name__)
FETCH: Final = "transport.remote_message_service.tasks.fetch_due"
# So often something is fetched that cannot be read, before it is set aside.
_MOST_FAILURES: Final = 5
_KEPT: Final = timedelta(days=90)
_OFF_SECONDS: Final = 60
_IN_MEMORY: Final = 1024 * 1024
State = RemoteArrival.State


def record(service: RemoteService, listed: Sequence[Listed]) -> None:
    """Record messages that the service has for us, in the caller's transaction; what is known stays as it is.

    One that was deleted there, and is there again, is deleted again.
    """
    now = timezone.now()
    rows = [
        RemoteArrival(
            service=service,
            resource_id=item.resource_id,
            message_id=item.message_id,
            counterpart=counterpart_of(service),
            due_at=now,
        )
        for item in listed
    ]
    RemoteArrival.objects.bulk_create(rows, ignore_conflicts=True)
    again = RemoteArrival.objects.filter(
        service=service, state=State.DELETED, resource_id__in=[item.resource_id for item in listed]
    )
    again.update(state=State.DELIVERED, due_at=now, attempts=0)
    if rows:
        wake_queue(FETCH)


def counterpart_of(service: RemoteService) -> str:
    """Whose share of the workers a service's jobs have."""
    return f"remote-service {service.pk}"


def work_on(claimed: Sequence[RemoteArrival]) -> None:
    """Do the next step of arrivals that were claimed."""
    for arrival in claimed:
        with suppress(NoFreeSlot, LeaseLost):
            arrival.occupy_slot(counterpart_of(arrival.service))
            with arrival.renewing():
                _work_on(arrival)


def set_aside(participants: Sequence[str]) -> QuerySet[RemoteArrival]:
    """The messages of these organisations that were fetched and could not be delivered, the latest first."""
    rows = RemoteArrival.objects.filter(
        state=State.SET_ASIDE, service__organisation__participant_id__in=list(participants)
    )
    return rows.select_related("service", "service__organisation").order_by("-found_at", "pk")


def try_again(key: UUID) -> bool:
    """Have a message that was set aside fetched once more; False where it is not set aside any more."""
    found = RemoteArrival.objects.filter(pk=key, state=State.SET_ASIDE)
    changed = found.update(state=State.FOUND, due_at=timezone.now(), attempts=0, failures=0, problem="")
    wake_queue(FETCH)
    return bool(changed)


def remove_old() -> int:
    """Forget messages that were deleted at their service long ago; how many."""
    rows = RemoteArrival.objects.filter(state=State.DELETED, found_at__lt=timezone.now() - _KEPT)
    return rows.delete()[0]


def _work_on(arrival: RemoteArrival) -> None:
    service = arrival.service
    now = timezone.now()
    if not service.is_active:
        arrival.finish(due_at=now + timedelta(seconds=_OFF_SECONDS), attempts=0)
        return
    if service.paused_until is not None and service.paused_until > now:
        arrival.finish(due_at=service.paused_until, attempts=0)
        return
    try:
        with RemoteClient(service) as client:
            if arrival.state == State.FOUND:
                _fetch(arrival, client)
            elif arrival.state == State.DELIVERED:
                client.delete(arrival.resource_id)
                arrival.finish(state=State.DELETED, due_at=None, problem="")
            else:
                arrival.finish(due_at=None)
    except AnswerInvalid as error:
        _failed(arrival, error.code)
    except RemoteProblem as error:
        _wait(arrival, error.code, error.retry_after)
    except malware.NotScanned as error:
        _wait(arrival, error.cause)
    except NotThere:
        _set_aside(arrival, "gone")
    except LeaseLost:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the message must not be lost because of it
        log_unexpected(error, arrival=arrival.pk)
        _failed(arrival, "unexpected")


@dataclass(frozen=True, slots=True)
class _Checked:
    """What is to become of a message that was fetched: to be delivered, or set aside for `problem`."""

    problem: str
    quarantined: Sequence[QuarantinedFile] = ()


def _fetch(arrival: RemoteArrival, client: RemoteClient) -> None:
    service = arrival.service
    with workspace("fetching") as directory:
        answer = client.fetch(arrival.resource_id, directory)
        try:
            message = resources.message_in(
                answer,
                resource_id=arrival.resource_id,
                message_id=arrival.message_id,
                recipient=ParticipantId(service.organisation.participant_id),
                directory=directory,
            )
        except NotOurs as error:
            _set_aside(arrival, error.code)
            return
        sender = ParticipantId(message.header.sender.identifier.extension)
        checked = _checked(message, service, arrival.message_id, sender)
        with arrival.step() as row:
            if checked.problem:
                quarantine.save_with_message(checked.quarantined)
                _put_aside(row, checked.problem)
                return
            try:
                inbound.deliver_fetched(service.organisation, message, sender)
            except inbound.NotDeliverable as error:
                _put_aside(row, error.code)
                return
            row.state, row.problem, row.delivered_at = State.DELIVERED, "", timezone.now()
            row.due_at, row.attempts = timezone.now(), 0


def _checked(message: Message, service: RemoteService, message_id: UUID, sender: ParticipantId) -> _Checked:
    """Check a message as one is that arrives by AS4. Raises `malware.NotScanned`."""
    function = OwnFunction(service.organisation_id, message.header.recipient.function_address)
    if bindings.services_of([function]).get(function) != service.pk:
        return _Checked("function-not-bound")
    if not _is_valid(message):
        return _Checked("content-invalid")
    found = scan.found_in(message)
    if not found:
        return _Checked("")
    return _Checked(
        "malware-found",
        quarantine.quarantined_files(
            found,
            service.organisation,
            quarantine.Direction.IN,
            message_id=message_id,
            counterpart=sender.value,
            function_address=function.address,
        ),
    )


def _is_valid(message: Message) -> bool:
    """Whether the message follows the federation's rules (B1.3.3)."""
    Path(settings.SDK_WORK_DIR).mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(settings.SDK_WORK_DIR)) as payload:
        try:
            write_message(message, cast(BinaryIO, payload))
        except CharacterNotAllowed:
            return False
        payload.seek(0)
        return not check_message(cast(BinaryIO, payload), max_bytes=settings.SDK_MAX_MESSAGE_BYTES)


def _wait(arrival: RemoteArrival, problem: str, retry_after: timedelta | None = None) -> None:
    """Try again later: it is not the message that is wrong."""
    arrival.finish(
        due_at=timezone.now() + (retry_after or pause_after(arrival.attempts)), problem=problem[:40]
    )


def _failed(arrival: RemoteArrival, problem: str) -> None:
    """Try again, but not for ever: what was fetched could not be read."""
    if arrival.state == State.FOUND and arrival.failures + 1 >= _MOST_FAILURES:
        _set_aside(arrival, problem)
        return
    arrival.finish(
        due_at=timezone.now() + pause_after(arrival.attempts),
        problem=problem[:40],
        failures=arrival.failures + 1,
    )


def _set_aside(arrival: RemoteArrival, problem: str) -> None:
    with arrival.step() as row:
        _put_aside(row, problem)


def _put_aside(row: RemoteArrival, problem: str) -> None:
    row.state, row.problem, row.due_at = State.SET_ASIDE, problem[:40], None
    fields = {"service": str(row.service_id), "message_id": str(row.message_id), "problem": problem}
    logger.error("remote_message_set_aside", extra={"fields": fields})
