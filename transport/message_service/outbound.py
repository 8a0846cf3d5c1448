"""Outbound messages: seal each, submit it to the access point, and follow what becomes of it.

Every change of an `OutgoingMessage`'s state is made here; `receipts`, `tracking.resend` and the access
point's reports call it.
"""

import logging
import uuid
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet, prefetch_related_objects
from django.utils import timezone

from transport import access_point_port, unit_of_work
from transport.access_point_port import Outcome, OutgoingTransfer, TransferChange
from transport.causes import Cause
from transport.federation.errors import FederationError
from transport.jobs import log_unexpected, pause_after, renewing
from transport.message_service.organisations import recipient_certificates
from transport.message_service.organisations.organisation_keys import NoValidKey, signing_pair
from transport.observation import steps
from transport.observation import traces as observed
from transport.observation.steps import Step
from transport.protocol.certificates import CertificateUntrusted, RevocationUnknown
from transport.protocol.identifiers import ParticipantId
from transport.protocol.xhe.envelope import Envelope
from transport.protocol.xhe.sealing import seal
from transport.queues import finish_together, wake_queue
from transport.remote_service_port import OwnFunction, Report, remote_services
from transport.storage import blobs, malware
from transport.storage.work_files import workspace

from . import inbound, local_delivery, transitions
from .malware import quarantine
from .malware.last_check import check_once_more
from .message_types import registry
from .models import IncomingMessage, Organisation, OutgoingMessage, QuarantinedFile
from .states import OutgoingState
from .tracking import deadlines, traces

logger = logging.getLogger(__name__)
# Sealing needs others (SMP, revocation) before anything has been sent: it is tried this long.
_PATIENCE: Final = timedelta(hours=24)

Apply = Callable[[OutgoingMessage], None]


def seal_and_submit(outgoing_id: object) -> None:
    """Seal a message that is due and submit it to the access point; whatever fails is written in its row."""
    row = OutgoingMessage.claim(outgoing_id)
    if row is not None:
        seal_and_submit_all([row])


def seal_and_submit_all(rows: Sequence[OutgoingMessage]) -> None:
    """`seal_and_submit` for claimed messages: sealed one after the other, committed together."""
    prefetch_related_objects(rows, "organisation", "answers")
    recipients = local_delivery.local_recipients(rows)
    with renewing(rows), observed.batch(Step.SEAL, len(rows), queue="celery"):
        finish_together(rows, lambda row: _sealed(row, recipients.get(row.pk)), _finish_sealed)


@dataclass(frozen=True, slots=True)
class _Sealed:
    """What changes a row's copy, and the file that was stored for it."""

    apply: Apply
    name: str


def _sealed(row: OutgoingMessage, local_recipient: Organisation | None) -> _Sealed:
    """Do all that needs others."""
    if row.expired_lease is not None:
        _remove(_sealed_name(row, row.expired_lease.hex))
    name = _sealed_name(row, row.lease.hex if row.lease else "")
    with steps.of_row(row.pk), steps.timed(Step.SEAL):
        return _Sealed(_seal(row, name, local_recipient), name)


def _finish_sealed(sealed: Sequence[tuple[OutgoingMessage, _Sealed]]) -> None:
    """Write what has become of the rows, in one transaction."""
    with unit_of_work.unit_of_work(), OutgoingMessage.steps([row for row, _ in sealed]) as rows:
        held = {row.pk: row for row in rows}
        for row, result in sealed:
            if row.pk in held:
                result.apply(held[row.pk])
                transitions.notify(held[row.pk])
    traces.sealed(rows)
    for row, result in sealed:
        if row.pk not in held:
            _remove(result.name)
            logger.warning("lease_lost", extra={"fields": {"message_id": row.message_id}})


def transfers_changed(changes: Sequence[TransferChange]) -> None:
    """Record what has become of transfers of ours, in the access point's transaction.

    A transfer that is not known, or was replaced by another, changes nothing.
    """
    rows = {row.transfer: row for row in _of_transfers([change.reference for change in changes])}
    answered = _answered(rows.values())
    with unit_of_work.unit_of_work(), unit_of_work.saving([*rows.values(), *answered.values()]):
        for change in changes:
            if (row := rows.get(change.reference)) is not None:
                _apply_change(row, change, answered.get(row.answers_id))
                transitions.notify(row)
    traces.transferred(rows, answered, changes)


def _of_transfers(references: Sequence[UUID]) -> QuerySet[OutgoingMessage]:
    """The messages that the transfers carry, locked in the order of their keys."""
    rows = OutgoingMessage.of_transfers(references).select_related("organisation")
    return rows.order_by("pk").select_for_update(of=("self",))


def _apply_change(row: OutgoingMessage, change: TransferChange, answered: IncomingMessage | None) -> None:
    match change.outcome:
        case Outcome.DELIVERED:
            _acknowledge(row, answered)
        case Outcome.RESENDING:
            if transitions.can_transition_to(row, OutgoingState.SCHEDULED_FOR_RESEND):
                transitions.transition_to(row, OutgoingState.SCHEDULED_FOR_RESEND, cause=change.cause)
        case Outcome.FAILED:
            if transitions.can_transition_to(row, OutgoingState.MESSAGE_EXCHANGE_ERROR):
                _fail(row, change.cause, answered)


def hand_over(key: UUID) -> bool | None:
    """Commit that a message is about to be handed to another message service, before its first byte is sent.

    Whether an earlier attempt may have handed it over; None where it is not to be sent any more.
    """
    with _locked(key) as row:
        if row.state != OutgoingState.SCHEDULED:
            return None
        was_handed_over = row.handed_over_at is not None
        row.handed_over_at = row.handed_over_at or timezone.now()
    return was_handed_over


def handed_over(key: UUID) -> None:
    """Another message service has the message; in the caller's transaction."""
    with _locked(key) as row:
        if transitions.can_transition_to(row, OutgoingState.SUBMITTED):
            transitions.transition_to(row, OutgoingState.SUBMITTED, cause=transitions.BY_API)
            transitions.notify(row)


def not_handed_over(key: UUID, cause: Cause, *, is_final: bool) -> bool:
    """Record why a message waits to be handed over, or why it will not be; in the caller's transaction.

    Whether it is to be tried again: not when it has been tried for long enough, or is not to be sent any
    more.
    """
    with _locked(key) as row:
        if row.state != OutgoingState.SCHEDULED:
            return False
        (_give_up if is_final else _try_later)(cause)(row)
        transitions.notify(row)
        return row.state == OutgoingState.SCHEDULED


def stop_malware(key: UUID, quarantined: list[QuarantinedFile]) -> None:
    """Do not hand over a message in which malicious code was found; in the caller's transaction."""
    with _locked(key) as row:
        if row.state == OutgoingState.SCHEDULED:
            _stop_malware(row, quarantined)
            transitions.notify(row)


def apply_reports(reports: Sequence[Report]) -> None:
    """Record what another message service says of messages that it has, in the caller's transaction.

    What is known already changes nothing.
    """
    by_key = {report.outgoing: report for report in reports}
    rows = OutgoingMessage.objects.select_related("organisation").filter(pk__in=by_key)
    found = list(rows.order_by("pk").select_for_update(of=("self",)))
    with unit_of_work.unit_of_work(), unit_of_work.saving(found):
        for row in found:
            _apply_report(row, by_key[row.pk])
            transitions.notify(row)


def _apply_report(row: OutgoingMessage, report: Report) -> None:
    state = OutgoingState(report.state)
    if report.lacks_receipt:
        if row.transport_receipt_at is None:
            _acknowledge(row, None, cause=transitions.BY_API)
        if row.receipt_missing_at is None and row.message_receipt_at is None:
            row.receipt_due_at, row.receipt_missing_at = None, timezone.now()
            transitions.record_event(row, transitions.RECEIPT_MISSING, cause=transitions.BY_API)
    elif state in (OutgoingState.ACKNOWLEDGE, OutgoingState.WAITING_FOR_RECEIPT):
        if row.transport_receipt_at is None:
            _acknowledge(row, None, cause=transitions.BY_API)
    elif not transitions.can_transition_to(row, state) or state == row.state:
        return
    elif state in (OutgoingState.ACCEPTED, OutgoingState.REJECTED):
        row.message_receipt_at, row.causes = timezone.now(), report.causes
        settle(row, state, cause=report.cause or transitions.BY_API)
    elif state == OutgoingState.MESSAGE_EXCHANGE_ERROR:
        _fail(row, report.cause, None)
    elif state == OutgoingState.SCHEDULED_FOR_RESEND:
        transitions.transition_to(row, state, cause=transitions.BY_API)


@contextmanager
def _locked(key: UUID) -> Generator[OutgoingMessage, None, None]:
    """The message, locked in a transaction or a part of the caller's; what the body changes is saved."""
    with transaction.atomic():
        rows = OutgoingMessage.objects.select_related("organisation")
        row = rows.select_for_update(of=("self",)).get(pk=key)
        with unit_of_work.saving([row]):
            yield row


def settle(message: OutgoingMessage, state: OutgoingState, *, cause: str) -> None:
    """Enter ACCEPTED or REJECTED, as a message receipt says, whatever is known of the transfer.

    The caller has locked the row, and saves it. The message in the clear is deleted: envelope and receipts
    are the evidence.
    """
    message.transport_due_at = message.receipt_due_at = None
    # It may be about to be sent again: that is needless now, and a worker that is at it drops what it makes.
    message.due_at = message.lease = message.lease_until = None
    transitions.transition_to(message, state, cause=cause)
    _delete_payload(message)
    transitions.notify(message)


def schedule_again(row: OutgoingMessage, *, actor: str) -> None:
    """Order the message once more, in a new transfer; the caller has locked the row and checked that it
    may."""
    transitions.transition_to(row, OutgoingState.SCHEDULED, cause=transitions.BY_HAND, actor=actor)
    row.cause = ""
    _delete_envelope(row)
    row.transfer_reference = uuid.uuid4()
    row.ordered_at = timezone.now()
    function = OwnFunction(row.organisation_id, row.sender_function)
    if row.is_by_api and not remote_services().carried([function]):
        # The function has come back to our own message service since.
        row.sender_function = ""
    row.due_at = None if row.is_by_api else row.ordered_at
    row.attempts = 0
    row.transport_receipt_at = row.transport_missing_at = None
    row.receipt_due_at = row.receipt_missing_at = None
    row.transport_due_at = deadlines.for_transport_receipt()
    transitions.save_and_notify(row)
    if row.is_by_api:
        remote_services().order(row.pk, function)
    else:
        wake_queue("transport.message_service.tasks.seal_due")


def cancel(row: OutgoingMessage, *, actor: str) -> None:
    """Send the message no more; the caller has locked the row and checked that it has not left.

    A worker that is sealing it finds its lease gone. The content of a message that was sent before is kept:
    what is cancelled then is the new attempt alone.
    """
    transitions.transition_to(row, OutgoingState.MESSAGE_EXCHANGE_ERROR, cause=Cause.CANCELLED, actor=actor)
    row.due_at = row.lease = row.lease_until = row.transport_due_at = None
    if row.transfer_reference is None:
        _delete_payload(row)
    _delete_envelope(row)
    transitions.save_and_notify(row)


def _sealed_name(row: OutgoingMessage, lease: str) -> str:
    """The sealed file's name: another for each attempt, so that no two workers write the same file."""
    return f"{row.payload_name.removesuffix('.xml')}.{lease}.sealed"


def _remove(name: str) -> None:
    """Remove what an unused attempt stored, and its copy for an organisation of this node."""
    blobs.remove(name)
    blobs.remove(local_delivery.copy_name(name))


def _seal(row: OutgoingMessage, name: str, recipient: Organisation | None) -> Apply:
    """Do everything that needs others; the result is what changes the row. `recipient` is an organisation of
    this node to which it is delivered locally."""
    transfer_id = uuid.uuid4()
    try:
        certificate = recipient_certificates.encryption_certificate(row, recipient)
        signing_key, signing_certificate = signing_pair(row.organisation)
        with workspace("sealing") as directory, (directory / "envelope").open("x+b") as envelope:
            if not row.is_receipt and (stop := _check_content(row, directory)):
                return stop
            with blobs.open_stored(row.payload_name, row.payload_binding) as payload:
                seal(
                    _envelope(row, is_encrypted=certificate is not None),
                    payload,
                    envelope,
                    signing_key=signing_key,
                    signing_certificate=signing_certificate,
                    encryption_certificate=certificate,
                )
            envelope.seek(0)
            stored = blobs.store(name, envelope, row.envelope_binding)
            if recipient is not None:
                envelope.seek(0)
                copy = local_delivery.store_copy(
                    local_delivery.copy_name(name), envelope, recipient, transfer_id
                )
                return lambda current: _deliver_locally(current, stored, recipient, transfer_id, copy)
    except FederationError as error:
        return _try_later(Cause(error.code)) if error.may_pass else _give_up(Cause(error.code))
    except RevocationUnknown:
        return _try_later(Cause.REVOCATION_UNKNOWN)
    except CertificateUntrusted:
        return _give_up(Cause.RECIPIENT_CERTIFICATE_UNTRUSTED)
    except NoValidKey:
        return _give_up(Cause.NO_SIGNING_KEY)
    except malware.NotScanned as error:
        return _try_later(error.cause)
    except Exception as error:  # noqa: BLE001 - whatever it is, the message must not be lost because of it
        log_unexpected(error, message_id=row.message_id)
        return _try_later(Cause.UNEXPECTED)
    return lambda current: _submit(current, stored)


def _check_content(row: OutgoingMessage, directory: Path) -> Apply | None:
    """Check once more that the message breaks no rule and holds no malicious code; None where it may leave.

    Both were checked when it was written. The scanner's signatures may be newer since, and it may have been
    away then. Raises `malware.NotScanned`.
    """
    with steps.timed(Step.SCAN):
        checked = check_once_more(row, directory)
    if checked.message is None:
        return _give_up(Cause.MESSAGE_INVALID)
    if not checked.quarantined:
        return None
    return lambda current: _stop_malware(current, checked.quarantined)


def _stop_malware(row: OutgoingMessage, quarantined: list[QuarantinedFile]) -> None:
    quarantine.save_with_message(quarantined)
    _give_up(Cause.MALWARE_FOUND)(row)


def _envelope(row: OutgoingMessage, *, is_encrypted: bool) -> Envelope:
    type_ = registry.of_kind(row.kind)
    return Envelope(
        message_id=str(row.message_id),
        created_at=timezone.now(),
        sender=row.organisation.participant,
        recipient=ParticipantId(row.recipient),
        document_type=type_.document_type,
        document_type_code=type_.payload_code,
        is_encrypted=is_encrypted,
        handling_service_id=row.handling_service_id or None,
        federation_id=settings.SDK_FEDERATION_ID,
    )


def _submit(row: OutgoingMessage, envelope_name: str) -> None:
    row.envelope_name = envelope_name
    row.due_at = None
    transitions.transition_to(row, OutgoingState.SUBMITTED)
    access_point_port.access_point().submit(
        OutgoingTransfer(
            reference=row.transfer,
            envelope_name=envelope_name,
            envelope_id=str(row.message_id),
            sender=row.organisation.participant,
            recipient=ParticipantId(row.recipient),
            document_type=registry.of_kind(row.kind).document_type,
            conversation_id=str(row.conversation_id),
        )
    )


def _deliver_locally(
    row: OutgoingMessage, envelope_name: str, recipient: Organisation, transfer_id: UUID, copy: str
) -> None:
    """Deliver it to an organisation of this node: it arrives in the same transaction."""
    row.envelope_name = envelope_name
    row.due_at = None
    transitions.transition_to(row, OutgoingState.SUBMITTED, cause=transitions.LOCAL)
    local_delivery.deliver_locally(row, recipient, transfer_id, copy)
    answered = _answered([row])
    with unit_of_work.saving(answered.values()):
        _acknowledge(row, answered.get(row.answers_id), cause=transitions.LOCAL)


def _try_later(cause: Cause) -> Apply:
    def apply(row: OutgoingMessage) -> None:
        # What another message service may have already is looked for there, however long that takes.
        is_over = timezone.now() - (row.ordered_at or row.created_at) > _PATIENCE
        if is_over and row.handed_over_at is None:
            _give_up(cause)(row)
            return
        if not row.is_by_api:
            row.due_at = timezone.now() + pause_after(row.attempts)
        if row.cause != cause:
            row.cause = cause
            transitions.record_event(row, OutgoingState.SCHEDULED, cause=cause)

    return apply


def _give_up(cause: Cause) -> Apply:
    def apply(row: OutgoingMessage) -> None:
        row.due_at = None
        transitions.transition_to(row, OutgoingState.ERROR, cause=cause)
        answered = _answered([row])
        with unit_of_work.saving(answered.values()):
            _fail(row, cause, answered.get(row.answers_id))

    return apply


def _acknowledge(row: OutgoingMessage, answered: IncomingMessage | None, *, cause: str = "") -> None:
    """It has arrived: the transport receipt has come, or it was delivered locally.

    For a message, the wait for its message receipt begins; a receipt is for the message that it answers. The
    caller saves both.
    """
    row.transport_receipt_at = timezone.now()
    row.transport_due_at = None
    if not transitions.can_transition_to(row, OutgoingState.ACKNOWLEDGE):
        # The message receipt was faster.
        transitions.record_event(row, transitions.TRANSPORT_RECEIPT, cause=cause)
        return
    states = [OutgoingState.ACKNOWLEDGE]
    if not row.is_receipt:
        states.append(OutgoingState.WAITING_FOR_RECEIPT)
    transitions.acknowledge(row, states, cause=cause)
    if not row.is_receipt:
        row.receipt_due_at = deadlines.for_message_receipt()
        return
    _delete_payload(row)
    if answered is not None:
        inbound.receipt_delivered(answered)


def _fail(row: OutgoingMessage, cause: str, answered: IncomingMessage | None) -> None:
    """It was not delivered. If it is a receipt, the message that it answers is not acknowledged.

    The caller saves both.
    """
    transitions.transition_to(row, OutgoingState.MESSAGE_EXCHANGE_ERROR, cause=cause)
    row.transport_due_at = None
    if answered is not None:
        inbound.receipt_failed(answered, cause)


def _answered(rows: Iterable[OutgoingMessage]) -> dict[UUID | None, IncomingMessage]:
    """The messages that receipts of ours answer, by their keys, locked in the order of these."""
    keys = [row.answers_id for row in rows if row.answers_id is not None]
    if not keys:
        return {}
    found = IncomingMessage.objects.select_related("organisation").filter(pk__in=keys)
    return {row.pk: row for row in found.order_by("pk").select_for_update(of=("self",))}


def _delete_payload(row: OutgoingMessage) -> None:
    """Delete the message in the clear; the caller saves the row."""
    blobs.remove_on_commit(row.payload_name)
    row.payload_name = ""


def _delete_envelope(row: OutgoingMessage) -> None:
    blobs.remove_on_commit(row.envelope_name)
    row.envelope_name = ""
