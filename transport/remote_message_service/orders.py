"""Messages of ours that another message service sends: each is handed over once, followed, and deleted there.

That a message may be with the service is committed before its first byte is sent: after a time-out, or a
worker's death, it is looked for there before it is sent again.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from transport import unit_of_work
from transport.bulkhead import NoFreeSlot
from transport.causes import Cause
from transport.jobs import LeaseLost, log_unexpected, pause_after
from transport.message_service import outbound
from transport.message_service.malware.last_check import check_once_more
from transport.message_service.models import OutgoingMessage
from transport.protocol.sdk_message.message import Message
from transport.queues import wake_queue
from transport.remote_service_port import OwnFunction, Report
from transport.storage import malware
from transport.storage.work_files import workspace

from . import bindings, resources
from .arrivals import counterpart_of
from .client import RemoteClient
from .models import RemoteOrder, RemoteService
from .problems import MessageRefused, NotThere, RemoteProblem
from .resources import Listed

logger = logging.getLogger(__name__)
HAND_OVER: Final = "transport.remote_message_service.tasks.hand_over_due"
_OFF_SECONDS: Final = 60
State = RemoteOrder.State


def order(outgoing: UUID, function: OwnFunction) -> None:
    """Order that a message be handed over, in the caller's transaction. The function uses another service."""
    service_id = bindings.services_of([function])[function]
    service = RemoteService.objects.get(pk=service_id)
    unit_of_work.insert(
        RemoteOrder(
            service=service,
            outgoing_id=outgoing,
            counterpart=counterpart_of(service),
            due_at=timezone.now(),
        )
    )
    wake_queue(HAND_OVER)


def work_on(claimed: Sequence[RemoteOrder]) -> None:
    """Do the next step of orders that were claimed."""
    for row in claimed:
        with suppress(NoFreeSlot, LeaseLost):
            row.occupy_slot(counterpart_of(row.service))
            with row.renewing():
                _work_on(row)


def follow(service: RemoteService, listed: Sequence[Listed]) -> None:
    """Record what the service says of messages that were handed over to it, in one transaction."""
    by_id = {item.message_id: item for item in listed}
    with transaction.atomic():
        rows = RemoteOrder.objects.filter(
            service=service, state=State.FOLLOWED, outgoing__message_id__in=by_id
        )
        rows = rows.select_related("outgoing").order_by("pk").select_for_update(of=("self",))
        changed = [row for row in rows if by_id[row.outgoing.message_id].status != row.reported]
        if not changed:
            return
        reports = []
        with unit_of_work.saving(changed):
            for row in changed:
                item = by_id[row.outgoing.message_id]
                reported = resources.reported(item)
                row.reported, row.resource_id = item.status[:40], item.resource_id
                if reported.state:
                    reports.append(
                        Report(
                            row.outgoing_id,
                            reported.state,
                            reported.cause,
                            list(reported.causes),
                            reported.lacks_receipt,
                        )
                    )
                if reported.is_final:
                    row.state, row.due_at, row.attempts = State.SETTLED, timezone.now(), 0
        outbound.apply_reports(reports)
        wake_queue(HAND_OVER)


def _work_on(row: RemoteOrder) -> None:
    if row.state == State.SETTLED:
        _delete(row)
    elif row.state == State.WAITING:
        _hand_over(row)
    else:
        row.finish(due_at=None)


def _hand_over(row: RemoteOrder) -> None:
    service, now = row.service, timezone.now()
    if not service.is_active:
        _wait(row, "turned-off", timedelta(seconds=_OFF_SECONDS))
        return
    if service.paused_until is not None and service.paused_until > now:
        _wait(row, "busy", service.paused_until - now)
        return
    try:
        with workspace("handing-over") as directory:
            message = _content(row, directory)
            if message is None:
                return
            with RemoteClient(service) as client:
                _post(row, message, client, directory)
    except MessageRefused:
        _end(row, Cause.MESSAGE_SERVICE_REFUSED, "refused")
    except RemoteProblem as error:
        _wait(row, error.code, error.retry_after)
    except NotThere:
        _wait(row, "address-wrong")
    except malware.NotScanned as error:
        _wait(row, error.cause, cause=error.cause)
    except LeaseLost:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the message must not be lost because of it
        log_unexpected(error, message_id=row.outgoing_id)
        _wait(row, "unexpected", cause=Cause.UNEXPECTED)


def _content(row: RemoteOrder, directory: Path) -> Message | None:
    """The message, checked once more; None where it may not leave, which is recorded. Raises
    `malware.NotScanned`."""
    outgoing = OutgoingMessage.objects.select_related("organisation").get(pk=row.outgoing_id)
    if not outgoing.payload_name:
        row.finish(state=State.ENDED, due_at=None)
        return None
    checked = check_once_more(outgoing, directory)
    if checked.message is None:
        _end(row, Cause.MESSAGE_INVALID, "content-invalid")
        return None
    if not checked.quarantined:
        return checked.message
    with row.step() as current:
        current.state, current.due_at, current.problem = State.ENDED, None, "malware-found"
        outbound.stop_malware(row.outgoing_id, checked.quarantined)
    return None


def _post(row: RemoteOrder, message: Message, client: RemoteClient, directory: Path) -> None:
    body = directory / "body"
    with body.open("xb") as out:
        resources.write_new(message, out)
    identity = UUID(message.header.message_id)
    was_handed_over = outbound.hand_over(row.outgoing_id)
    if was_handed_over is None:
        row.finish(state=State.ENDED, due_at=None)
        return
    if was_handed_over and (there := _looked_up(client, identity)) is not None:
        _handed_over(row, there)
        return
    try:
        name = client.send(body)
    except MessageRefused:
        # It may have been accepted before, by a request whose answer did not come.
        there = _looked_up(client, identity)
        if there is None:
            raise
        _handed_over(row, there)
        return
    try:
        _handed_over(row, UUID(name))
    except ValueError:
        _handed_over(row, identity)


def _looked_up(client: RemoteClient, identity: UUID) -> UUID | None:
    """The service's id of a message that it has; None where it has none by that id."""
    try:
        listed = resources.listed_alone(client.look(identity))
    except NotThere:
        return None
    return listed.resource_id if listed.message_id == identity else None


def _handed_over(row: RemoteOrder, resource_id: UUID) -> None:
    with row.step() as current:
        current.state, current.resource_id, current.problem = State.FOLLOWED, resource_id, ""
        current.due_at = None
        outbound.handed_over(row.outgoing_id)
    # The service is asked soon what has become of it.
    RemoteService.objects.filter(pk=row.service_id, due_at__isnull=False).update(due_at=timezone.now())


def _delete(row: RemoteOrder) -> None:
    """The message is settled here: the service need not keep it any longer."""
    identity = row.resource_id or row.outgoing.message_id
    try:
        with RemoteClient(row.service) as client:
            client.delete(identity)
    except RemoteProblem as error:
        row.finish(
            due_at=timezone.now() + (error.retry_after or pause_after(row.attempts)), problem=error.code
        )
    except NotThere:
        row.finish(state=State.ENDED, due_at=None, problem="")
    else:
        row.finish(state=State.ENDED, due_at=None, problem="")


def _wait(
    row: RemoteOrder,
    problem: str,
    pause: timedelta | None = None,
    *,
    cause: Cause = Cause.MESSAGE_SERVICE_UNAVAILABLE,
) -> None:
    """Try again later, and have the sender told that the message waits."""
    with row.step() as current:
        current.problem = problem[:40]
        current.due_at = timezone.now() + (pause or pause_after(row.attempts))
        if not outbound.not_handed_over(row.outgoing_id, cause, is_final=False):
            current.state, current.due_at = State.ENDED, None


def _end(row: RemoteOrder, cause: Cause, problem: str) -> None:
    """The message cannot be sent."""
    with row.step() as current:
        current.state, current.due_at, current.problem = State.ENDED, None, problem
        outbound.not_handed_over(row.outgoing_id, cause, is_final=True)
    logger.error(
        "remote_message_refused", extra={"fields": {"message_id": str(row.outgoing_id), "problem": problem}}
    )
