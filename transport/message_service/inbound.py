"""Inbound messages: validate each, then deliver and answer it in one transaction.

Every change of an `IncomingMessage`'s state is made here.
"""

import logging
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from transport.causes import Cause
from transport.jobs import LeaseLost, log_unexpected, pause_after, renewing
from transport.protocol.findings import Finding
from transport.protocol.identifiers import DocumentType, ParticipantId
from transport.protocol.message_receipt import MessageReceipt, ResponseCode, causes_of, write_receipt
from transport.queues import Finish, finish_together, wake_queue
from transport.storage.work_files import workspace

from . import local_delivery, orders, transitions, validation
from .client_port import Delivered, MessageClient, message_client
from .malware import quarantine
from .message_types import registry
from .message_types.verdicts import Accept, AcceptReceipt, Discard, Reject, Retry, Verdict
from .models import IncomingMessage, Organisation
from .states import IncomingState

logger = logging.getLogger(__name__)


def is_served(participant: ParticipantId, document_type: DocumentType) -> bool:
    """Whether this message service accepts the document type for the participant (C3.2.1 2.5 a)."""
    if registry.of_document_type(document_type) is None:
        return False
    return Organisation.objects.filter(participant_id=participant.value).exists()


def envelope_arrived(transfer_id: UUID, sender: ParticipantId, recipient: ParticipantId) -> None:
    """Record an envelope, in the access point's transaction; one that is recorded already is not changed.

    Raises `Organisation.DoesNotExist` where the recipient is not served here.
    """
    now = timezone.now()
    row = IncomingMessage(
        transfer_id=transfer_id,
        organisation_id=Organisation.objects.values_list("pk", flat=True).get(participant_id=recipient.value),
        sender=sender.value,
        arrived_at=now,
        due_at=now,
    )
    IncomingMessage.objects.bulk_create([row], ignore_conflicts=True)
    wake_queue("transport.message_service.tasks.validate_due")


def process(incoming_id: object) -> None:
    """Validate an envelope that is due, deliver it and answer it. What cannot be decided now is tried
    again."""
    row = IncomingMessage.claim(incoming_id)
    if row is not None:
        process_all([row])


def process_all(rows: Sequence[IncomingMessage]) -> None:
    """`process` for claimed envelopes: validated one after the other, delivered and answered together."""
    with ExitStack() as directories, renewing(rows):
        finish_together(rows, lambda row: _validated(row, directories.enter_context(workspace("opening"))))


def _validated(row: IncomingMessage, directory: Path) -> Finish:
    """Do all that needs others; the result makes the changes, in a transaction.

    What belongs to the message is below `directory` until then.
    """
    try:
        if row.expired_lease is not None:
            # The worker that had it died, perhaps because of it.
            row.change(failures=row.failures + 1)
        if row.failures >= settings.SDK_JUDGING_FAILURES:
            return _guarded(row, lambda: _give_up(row))
        envelopes = local_delivery.envelope_store_of(row)
        arrived = envelopes.envelope_info(row.transfer_id)
        with envelopes.open(row.transfer_id) as source:
            verdict = validation.validate(arrived, row, source, directory)
    except LeaseLost:
        return _guarded(row, lambda: _log_lost(row))
    except Retry as wait:
        cause = wait.cause
        return _guarded(row, lambda: _postpone(row, cause))
    except Exception as error:  # noqa: BLE001 - whatever it is, the message must not be lost because of it
        log_unexpected(error, transfer_id=row.transfer_id)
        failure = error
        return _guarded(row, lambda: _fail(row, failure))
    return _guarded(row, lambda: _finish(row, verdict))


def _guarded(row: IncomingMessage, change: Callable[[], None]) -> Finish:
    def finish() -> None:
        try:
            with transaction.atomic():
                change()
        except LeaseLost:
            _log_lost(row)
        except Exception as error:
            if connection.in_atomic_block and isinstance(error, InterfaceError | OperationalError):
                # The transaction is lost, with whatever else is in it.
                raise
            log_unexpected(error, transfer_id=row.transfer_id)
            with suppress(LeaseLost), transaction.atomic():
                _fail(row, error)

    return finish


def _log_lost(row: IncomingMessage) -> None:
    logger.warning("lease_lost", extra={"fields": {"transfer_id": row.transfer_id}})


def _finish(row: IncomingMessage, verdict: Verdict) -> None:
    with row.step() as current:
        _apply(current, verdict)


def receipt_delivered(answered: IncomingMessage) -> None:
    """The message receipt that answers a message has reached its sender; the caller has locked the row."""
    if answered.state == IncomingState.RETRIEVED:
        transitions.transition_incoming(answered, IncomingState.RECEIPT_SENT, IncomingState.NEW)
        transitions.save_incoming_and_notify(answered)


def receipt_failed(answered: IncomingMessage, cause: str) -> None:
    """The message receipt could not be delivered (KV Meddelandestatus 6); the caller has locked the row."""
    if answered.state == IncomingState.RETRIEVED:
        transitions.transition_incoming(
            answered, IncomingState.MESSAGE_EXCHANGE_ERROR, cause=f"receipt {cause}"
        )
        transitions.save_incoming_and_notify(answered)


def reopen_dead_letter(row: IncomingMessage, *, actor: str, rejection_ordered_by: str) -> None:
    """Have a dead letter validated once more, with all its attempts; the caller has locked the row.

    `rejection_ordered_by` names who has ordered that it be rejected whatever is in it; empty where nobody.
    """
    transitions.transition_incoming(row, IncomingState.ARRIVED, cause=transitions.BY_HAND, actor=actor)
    row.rejection_ordered_by, row.failures, row.attempts = rejection_ordered_by, 0, 0
    row.due_at = timezone.now()
    row.save()
    wake_queue("transport.message_service.tasks.validate_due")


def _postpone(row: IncomingMessage, cause: str, *, failures: int = 0) -> None:
    with row.step() as current:
        current.failures += failures
        current.due_at = timezone.now() + pause_after(current.attempts)
        current.cause = cause


def _fail(row: IncomingMessage, error: Exception) -> None:
    """After an unforeseen error: try again, but not for ever. What the node itself lacks is waited for."""
    is_ours = isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
    )
    is_last = row.rejection_ordered_by or row.failures + 1 >= settings.SDK_JUDGING_FAILURES
    if not is_ours and is_last:
        _give_up(row, failures=1)
    else:
        _postpone(row, Cause.UNEXPECTED, failures=0 if is_ours else 1)


def _give_up(row: IncomingMessage, *, failures: int = 0) -> None:
    """Make it a dead letter, which waits for an administrator; discard it where one has ordered a
    rejection."""
    with row.step() as current:
        current.failures += failures
        current.due_at = None
        if current.rejection_ordered_by:
            _apply(current, Discard(transitions.BY_HAND, current.message_id))
            return
        transitions.transition_incoming(current, IncomingState.ERROR, cause=Cause.UNEXPECTED)
    logger.error("dead_letter", extra={"fields": {"transfer_id": row.transfer_id}})


def _apply(row: IncomingMessage, verdict: Verdict) -> None:
    row.due_at = None
    match verdict:
        case Discard():
            row.message_id = verdict.message_id
            row.is_accepted = False
            transitions.transition_incoming(row, IncomingState.MESSAGE_EXCHANGE_ERROR, cause=verdict.cause)
            local_delivery.discard(row, str(verdict.message_id or ""), verdict.cause)
        case Reject():
            _reject(row, verdict)
        case Accept():
            _deliver(row, verdict)
        case AcceptReceipt():
            _apply_receipt(row, verdict)


def _deliver(row: IncomingMessage, accepted: Accept) -> None:
    envelope, message = accepted.envelope, accepted.message
    attention = message.header.recipient.attention
    function = attention.sub_organization.identifier.extension.strip() if attention else ""
    handling = envelope.handling_service_id or function
    client = message_client()
    findings = validation.findings_from_history(envelope, message, row.organisation)
    receiving_function = _receiving_function(client, row.organisation.participant_id, function)
    if not findings and receiving_function is None:
        findings.append(validation.function_unknown())
    row.wrapped_key_digest, row.owns_session_key = accepted.wrapped_key_digest, True
    if not findings and not _is_first(row, UUID(envelope.message_id)):
        findings.append(validation.duplicate())
    if findings:
        _reject(row, Reject(envelope.message_id, handling, tuple(findings), owns_session_key=True))
        return
    stands_in = receiving_function or ""
    if stands_in == function:
        stands_in = ""
    transitions.transition_incoming(
        row, IncomingState.RETRIEVED, cause=transitions.STANDS_IN if stands_in else ""
    )
    client.deliver(
        Delivered(row.organisation.participant_id, message, envelope.sender.value, row.arrived_at, stands_in)
    )
    _answer(row, envelope.message_id, handling, ResponseCode.ACCEPTED, ())


def _receiving_function(client: MessageClient, participant: str, function: str) -> str | None:
    """The function itself, or the first that stands in for it and is served; None where there is none."""
    if client.serves(participant, function):
        return function
    candidates = client.stand_ins(participant, function)
    return next((candidate for candidate in candidates if client.serves(participant, candidate)), None)


def _is_first(row: IncomingMessage, message_id: UUID) -> bool:
    """Accept the message, unless another transfer of it was accepted meanwhile: the constraint decides."""
    row.message_id, row.is_accepted = message_id, True
    try:
        with transaction.atomic():
            IncomingMessage.objects.filter(pk=row.pk).update(message_id=message_id, is_accepted=True)
    except IntegrityError:
        row.is_accepted = None
        return False
    return True


def _reject(row: IncomingMessage, verdict: Reject) -> None:
    row.message_id = UUID(verdict.message_id)
    row.is_accepted, row.owns_session_key = False, verdict.owns_session_key
    _quarantine(row, verdict)
    rules = ", ".join(sorted({finding.rule for finding in verdict.findings}))
    transitions.transition_incoming(row, IncomingState.MESSAGE_EXCHANGE_ERROR, cause=f"rejected: {rules}")
    local_delivery.discard(row, verdict.message_id, f"rejected: {rules}")
    _answer(row, verdict.message_id, verdict.handling_service_id, ResponseCode.REJECTED, verdict.findings)


def _quarantine(row: IncomingMessage, verdict: Reject) -> None:
    files = quarantine.quarantined_files(
        verdict.malware,
        row.organisation,
        quarantine.Direction.IN,
        message_id=UUID(verdict.message_id),
        counterpart=row.sender,
        function_address=verdict.handling_service_id,
    )
    quarantine.save_with_message(files)


def _answer(
    row: IncomingMessage,
    message_id: str,
    handling_service_id: str,
    code: ResponseCode,
    findings: tuple[Finding, ...],
) -> None:
    receipt = MessageReceipt(
        receipt_id=str(uuid.uuid4()),
        issued_at=timezone.now(),
        sender=row.organisation.participant,
        recipient=ParticipantId(row.sender),
        ref_message_id=message_id,
        code=code,
        causes=causes_of(list(findings)),
    )
    orders.order_receipt(row, row.sender, handling_service_id, write_receipt(receipt))


def _apply_receipt(row: IncomingMessage, accepted: AcceptReceipt) -> None:
    """Let a receipt settle the message that it is for; one that settles none is kept in the history alone."""
    row.message_id = validation.uuid_of(accepted.envelope.message_id)
    message_type = registry.of_document_type(accepted.envelope.document_type)
    if message_type is None or message_type.apply_receipt is None:
        raise ValueError("the type of the receipt has no apply_receipt")
    use = message_type.apply_receipt(row, accepted)
    state = IncomingState.RETRIEVED if use.is_used else IncomingState.MESSAGE_EXCHANGE_ERROR
    transitions.transition_incoming(row, state, cause=use.cause)
