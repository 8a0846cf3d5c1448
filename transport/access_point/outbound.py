"""Outbound transfers: find the endpoint, check it, pack, post, verify the receipt, keep it as evidence.

What is needed to understand an answer is committed before the message is posted, so that a worker may
die at any point: the next attempt knows that the peer may have the message already. Every change of an
`OutboundTransfer`'s state is made here.
"""

import logging
import os
import random
import uuid
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from transport import access_point_port, unit_of_work
from transport.access_point_port import Attempt, Outcome, OutgoingTransfer, TransferChange
from transport.bulkhead import NoFreeSlot
from transport.causes import Cause
from transport.federation import lookup, trust
from transport.federation.errors import FederationError
from transport.jobs import log_unexpected, renewing
from transport.observation import steps, traces
from transport.observation.steps import Step, Timing
from transport.outgoing_http import NoAnswer
from transport.protocol.as4.messages import PartInfo, UserMessage
from transport.protocol.as4.packing import PackedMessage, RecipientKeyUnusable, write_user_message
from transport.protocol.certificates import CertificateUntrusted, Purpose, RevocationUnknown
from transport.protocol.service_metadata import Endpoint
from transport.queues import finish_all, wake_queue
from transport.storage import blobs
from transport.storage.work_files import workspace

from . import transfer_log
from .answers import Result, as_json, party_of, read_answer
from .http_client import Answer, post
from .keys import AccessPointKeys, own_keys
from .models import OutboundTransfer

logger = logging.getLogger(__name__)
# The middle of when the first resend is made, 5 to 15 seconds after the attempt.
_FIRST_RESEND_SECONDS: Final = 10
_LONGEST_RETRY_AFTER: Final = timedelta(hours=1)
# So many messages are posted in parallel, of so many bytes together; a larger one is posted alone.
_PARALLEL_POSTS: Final = 8
_MOST_PACKED_BYTES: Final = 4 * 1024 * 1024
# For so long answers are gathered to be settled together; after so long others no longer wait for them.
_GATHER_SECONDS: Final = 0.02
_LONG_SECONDS: Final = 1.0
# What was signed is committed before a message is posted, each time.
_NEVER_POSTED = Q(state=OutboundTransfer.State.PENDING, sent_references=[])


@dataclass(frozen=True, slots=True)
class _Packed:
    """A message that is ready to be posted. `was_posted`: an earlier attempt may have arrived.

    `began`: when this attempt did, in nanoseconds since 1970.
    """

    transfer: OutboundTransfer
    endpoint: Endpoint
    message: PackedMessage
    was_posted: bool
    began: int


def submit(transfer: OutgoingTransfer) -> None:
    """Order that an envelope be sent, in the caller's transaction; the same reference again changes
    nothing."""
    row = OutboundTransfer(
        reference=transfer.reference,
        as4_message_id=f"{uuid.uuid4()}@{own_keys().party_id}",
        conversation_id=transfer.conversation_id,
        envelope_id=transfer.envelope_id,
        sender=transfer.sender.value,
        recipient=transfer.recipient.value,
        document_id=transfer.document_type.identifier,
        document_scheme=transfer.document_type.scheme,
        envelope_name=transfer.envelope_name,
        due_at=timezone.now(),
    )
    unit_of_work.insert(row, ignore_conflicts=True)
    wake_queue("transport.access_point.tasks.send_due")


def cancellable(references: Collection[UUID]) -> set[UUID]:
    """The transfers among these that have never been posted."""
    rows = OutboundTransfer.objects.filter(_NEVER_POSTED, reference__in=references)
    return set(rows.values_list("reference", flat=True))


def cancel(reference: UUID) -> bool:
    """Send a transfer no more, in the caller's transaction; False where it may have been posted already.

    That a message is about to be posted is committed first: a worker that has not come as far finds its lease
    gone, and one that has is waited for here.
    """
    row = OutboundTransfer.objects.select_for_update().filter(reference=reference).first()
    if row is None or row.state != row.State.PENDING or row.sent_references:
        return False
    row.state, row.cause, row.settled_at = row.State.FAILED, Cause.CANCELLED, timezone.now()
    row.due_at = row.lease = row.lease_until = None
    row.save()
    transfer_log.outbound(transfer_log.Kind.FAILED, row, own_keys().party_id, cause=Cause.CANCELLED)
    return True


def send(transfer_id: object) -> None:
    """Make one attempt to send a transfer that is due. Whatever happens, the row says what comes next."""
    transfer = OutboundTransfer.claim(transfer_id)
    if transfer is not None:
        send_all([transfer])


def send_all(transfers: Sequence[OutboundTransfer]) -> None:
    """`send` for transfers that were claimed together: posted in parallel, settled as answers come."""
    with renewing(transfers), traces.batch(Step.SEND, len(transfers), queue="transport"):
        waiting = deque(_with_slots(transfers))
        while waiting:
            _send_some(waiting)


def _with_slots(transfers: Sequence[OutboundTransfer]) -> list[tuple[OutboundTransfer, Endpoint]]:
    """The transfers that can be sent now, with their endpoints; the others are settled or released."""
    by_counterpart: dict[str, list[tuple[OutboundTransfer, Endpoint]]] = {}
    failed: list[tuple[OutboundTransfer, Result]] = []
    for transfer in transfers:
        began = steps.now()
        found = _endpoint(transfer)
        if isinstance(found, Result):
            failed.append((transfer, replace(found, began=began)))
        else:
            by_counterpart.setdefault(party_of(found) or found.url, []).append((transfer, found))
    _settle_all(failed)
    able: list[tuple[OutboundTransfer, Endpoint]] = []
    for counterpart, its in by_counterpart.items():
        try:
            held = OutboundTransfer.occupy_slots([transfer for transfer, _ in its], counterpart)
        except NoFreeSlot:
            # They wait; whoever frees a slot goes on with what is due.
            continue
        _log_lost([transfer for transfer, _ in its if transfer not in held])
        able += [(transfer, endpoint) for transfer, endpoint in its if transfer in held]
    return able


def _endpoint(transfer: OutboundTransfer) -> Endpoint | Result:
    """The transfer's endpoint, with its certificate checked; or the result, if there is none."""
    if transfer.attempts > settings.SDK_RESEND_LIMIT + 1:
        # The workers that made the attempts before this one died because of it.
        return Result(cause=Cause.UNEXPECTED, detail="given up after workers died")
    endpoint: Endpoint | None = None
    try:
        endpoint = lookup.endpoint_of(transfer.recipient_id, transfer.document_type)
        trust.check_access_point(endpoint.certificate, Purpose.ENCRYPTION)
    except Exception as error:  # noqa: BLE001 - whatever it is, the transfer must not be lost because of it
        return _failed(transfer, endpoint, error)
    return endpoint


def _failed(transfer: OutboundTransfer, endpoint: Endpoint | None, error: Exception) -> Result:
    """The result of an attempt that ended in an error."""
    match error:
        case FederationError():
            result = Result(cause=Cause(error.code), may_pass=error.may_pass)
        case CertificateUntrusted() | RecipientKeyUnusable():
            result = Result(cause=Cause.ACCESS_POINT_UNTRUSTED, detail=str(error))
        case RevocationUnknown():
            result = Result(cause=Cause.REVOCATION_UNKNOWN, may_pass=True)
        case NoAnswer():
            result = Result(cause=Cause.UNREACHABLE, detail=str(error), may_pass=True)
        case _:
            log_unexpected(error, as4_message_id=transfer.as4_message_id)
            return Result(cause=Cause.UNEXPECTED, detail=type(error).__name__, may_pass=True)
    return replace(result, endpoint=endpoint)


def _send_some(waiting: deque[tuple[OutboundTransfer, Endpoint]]) -> None:
    """Pack and post the first waiting transfers, as many as are posted in parallel."""
    keys = own_keys()
    packed: list[_Packed] = []
    failed: list[tuple[OutboundTransfer, Result]] = []
    size = 0
    with workspace("sending") as directory, ExitStack() as open_messages:
        while waiting and len(packed) < _PARALLEL_POSTS and size < _MOST_PACKED_BYTES:
            transfer, endpoint = waiting.popleft()
            began = steps.now()
            part = directory / str(len(packed) + len(failed))
            part.mkdir()
            try:
                message = open_messages.enter_context(_pack(transfer, keys, endpoint, part))
            except Exception as error:  # noqa: BLE001 - it must not be lost because of it
                failed.append((transfer, replace(_failed(transfer, endpoint, error), began=began)))
                continue
            packed.append(_Packed(transfer, endpoint, message, bool(transfer.sent_references), began))
            size += message.content_length
        _settle_all(failed)
        _post_all(_record_posts(packed, keys), waiting)


def _post_all(packed: Sequence[_Packed], waiting: deque[tuple[OutboundTransfer, Endpoint]]) -> None:
    """Post messages in parallel, and settle the answered ones while waiting for the rest.

    If that takes long, the waiting transfers are released for another worker.
    """
    if len(packed) == 1 and not waiting:
        _settle_all([(packed[0].transfer, _attempted(packed[0], _posted(packed[0])))])
        return
    pending = {_posters().submit(_posted, message): message for message in packed}
    is_prompt = True
    while pending:
        done, _ = wait(pending, timeout=_LONG_SECONDS if is_prompt else None, return_when=FIRST_COMPLETED)
        if not done:
            is_prompt = False
            _release([transfer for transfer, _ in waiting])
            waiting.clear()
            continue
        # Answers that come a moment later are settled with these.
        done, _ = wait(pending, timeout=_GATHER_SECONDS)
        messages = [(pending.pop(future), future.result()) for future in done]
        _settle_all([(message.transfer, _attempted(message, answer)) for message, answer in messages])


@lru_cache(maxsize=1)
def _posters() -> ThreadPoolExecutor:
    """Threads that live as long as the process, so that each keeps its connection."""
    return ThreadPoolExecutor(_PARALLEL_POSTS, thread_name_prefix="poster")


# A process that was forked has none of its parent's threads.
os.register_at_fork(after_in_child=_posters.cache_clear)


def _posted(packed: _Packed) -> Answer | Exception:
    """Post a message. It runs in any thread and does not use the database."""
    try:
        return post(packed.message, packed.endpoint.url)
    except Exception as error:  # noqa: BLE001 - what it means is decided where the answer is read
        return error


def _attempted(packed: _Packed, answer: Answer | Exception) -> Result:
    """The result of an attempt, by its answer."""
    result = _read(packed, answer)
    return replace(result, began=packed.began, size=packed.message.content_length)


def _read(packed: _Packed, answer: Answer | Exception) -> Result:
    transfer, endpoint = packed.transfer, packed.endpoint
    try:
        if isinstance(answer, Exception):
            result = _failed(transfer, endpoint, answer)
        else:
            read = read_answer(transfer, answer, endpoint, was_posted=packed.was_posted)
            result = replace(read, endpoint=endpoint)
        return _recheck_metadata(transfer, result)
    except Exception as error:  # noqa: BLE001 - whatever it is, the transfer must not be lost because of it
        return _failed(transfer, endpoint, error)


def _release(transfers: Sequence[OutboundTransfer]) -> None:
    """Release transfers that were claimed and not posted; the attempt is not counted."""
    if not transfers:
        return
    with OutboundTransfer.changing(transfers) as held:
        for transfer in held:
            transfer.attempts -= 1
            transfer.lease = transfer.lease_until = None
    wake_queue("transport.access_point.tasks.send_due")


def _log_lost(transfers: Iterable[OutboundTransfer]) -> None:
    for transfer in transfers:
        logger.warning("lease_lost", extra={"fields": {"as4_message_id": transfer.as4_message_id}})


def _pack(
    transfer: OutboundTransfer, keys: AccessPointKeys, endpoint: Endpoint, directory: Path
) -> PackedMessage:
    with blobs.open_stored(transfer.envelope_name, transfer.envelope_binding) as envelope:
        return write_user_message(
            _user_message(transfer, keys, party_of(endpoint)),
            [envelope],
            work_directory=directory,
            signing_key=keys.signing_key,
            signing_certificate=keys.certificate,
            encryption_certificate=endpoint.certificate,
        )


def _record_posts(packed: Sequence[_Packed], keys: AccessPointKeys) -> list[_Packed]:
    """Commit that the messages may have reached their peers from now on, and the references that a receipt
    must repeat. Gives the messages whose lease is still ours."""
    if not packed:
        return []
    with (
        unit_of_work.unit_of_work(),
        OutboundTransfer.changing([message.transfer for message in packed]) as held,
    ):
        ours = [message for message in packed if message.transfer in held]
        for message in ours:
            transfer = message.transfer
            transfer.first_attempt_at = transfer.first_attempt_at or timezone.now()
            signed = [as_json(item) for item in message.message.references]
            transfer.sent_references = [*transfer.sent_references, signed]
            transfer_log.outbound(
                transfer_log.Kind.SENT,
                transfer,
                keys.party_id,
                peer=party_of(message.endpoint),
                certificate=message.endpoint.certificate,
            )
    _log_lost(message.transfer for message in packed if message not in ours)
    return ours


def _recheck_metadata(transfer: OutboundTransfer, result: Result) -> Result:
    """Fetch metadata anew after a failure; a refusal by an endpoint that has been replaced may pass."""
    if result.is_delivered:
        return result
    lookup.drop_cached(transfer.recipient_id, transfer.document_type)
    if result.may_pass or result.endpoint is None:
        return result
    try:
        current = lookup.endpoint_of(transfer.recipient_id, transfer.document_type)
    except FederationError:
        return result
    has_moved = (current.url, current.certificate) != (result.endpoint.url, result.endpoint.certificate)
    return replace(result, may_pass=has_moved)


def _user_message(transfer: OutboundTransfer, keys: AccessPointKeys, peer: str) -> UserMessage:
    return UserMessage(
        message_id=transfer.as4_message_id,
        timestamp=timezone.now(),
        conversation_id=transfer.conversation_id,
        sender_party=keys.party_id,
        recipient_party=peer,
        action=transfer.document_type.action,
        original_sender=transfer.sender_id,
        final_recipient=transfer.recipient_id,
        parts=(PartInfo(f"{uuid.uuid4()}@{keys.party_id}"),),
    )


def _settle_all(results: Sequence[tuple[OutboundTransfer, Result]]) -> None:
    if results:
        finish_all(results, _settle_together)


def _settle_together(results: Sequence[tuple[OutboundTransfer, Result]]) -> None:
    """Write the results of attempts, in one transaction."""
    keys = own_keys()
    with unit_of_work.unit_of_work(), OutboundTransfer.steps([transfer for transfer, _ in results]) as rows:
        held = {row.pk: row for row in rows}
        changes = [
            _settle(held[transfer.pk], result, keys) for transfer, result in results if transfer.pk in held
        ]
        access_point_port.message_service().transfers_changed(changes)
    _log_lost(transfer for transfer, _ in results if transfer.pk not in held)


def _settle(row: OutboundTransfer, result: Result, keys: AccessPointKeys) -> TransferChange:
    now = timezone.now()
    row.first_attempt_at = row.first_attempt_at or now
    row.cause = result.cause or ""
    if result.is_delivered:
        row.state, row.receipt = row.State.DELIVERED, result.receipt
        outcome, kind = Outcome.DELIVERED, transfer_log.Kind.DELIVERED
    elif result.may_pass and (next_attempt := _next_attempt(row, result.retry_after)) is not None:
        row.due_at = next_attempt
        outcome, kind = Outcome.RESENDING, transfer_log.Kind.RESENDING
    else:
        row.state = row.State.FAILED
        outcome, kind = Outcome.FAILED, transfer_log.Kind.FAILED
    if outcome is not Outcome.RESENDING:
        row.due_at, row.settled_at = None, now
    endpoint, signal = result.endpoint, result.signal
    certificate = endpoint.certificate if endpoint else None
    transfer_log.outbound(
        kind,
        row,
        keys.party_id,
        peer=party_of(endpoint) if endpoint else "",
        certificate=signal.signer or certificate if signal else certificate,
        signature=signal.signature if signal else b"",
        cause=f"{row.cause} {result.detail}".strip(),
    )
    timing = Timing(Step.SEND, result.began, steps.now())
    steps.add(timing)
    attempt = Attempt(row.attempts, timing.began, timing.ended, result.code, result.size)
    return TransferChange(row.reference, outcome, row.cause, attempt)


def _next_attempt(row: OutboundTransfer, retry_after: timedelta | None) -> datetime | None:
    """At most SDK_RESEND_LIMIT resends within SDK_RESEND_WINDOW_SECONDS: the first soon, for a receiver that
    is only restarted, then evenly.

    Never closer than half the pause that is meant, so that workers which were away, or a clock that was
    changed, do not use up what is left at once. A receiver that says when to come again (`Retry-After`,
    RFC 9110 10.2.3) is not asked before.
    """
    remaining = settings.SDK_RESEND_LIMIT + 1 - row.attempts
    if remaining <= 0:
        return None
    now, window = timezone.now(), settings.SDK_RESEND_WINDOW_SECONDS
    meant = window / max(settings.SDK_RESEND_LIMIT, 1)
    if row.attempts == 1:
        pause = min(meant, _FIRST_RESEND_SECONDS) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
    else:
        elapsed = (now - (row.first_attempt_at or now)).total_seconds()
        pause = max((window - max(elapsed, 0)) / remaining, meant / 2)
    wait = timedelta(seconds=pause)
    if retry_after is not None:
        wait = max(wait, min(retry_after, _LONGEST_RETRY_AFTER))
    return now + wait
