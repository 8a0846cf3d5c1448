"""Inbound messages: validate each, then deliver and answer it in one transaction.

Every change of an `IncomingMessage`'s state is made here.
"""

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import prefetch_related_objects
from django.utils import timezone

from transport import unit_of_work
from transport.access_point_port import ArrivedEnvelope
from transport.causes import Cause
from transport.jobs import LeaseLost, log_unexpected, pause_after, place_of, renewing
from transport.observation import steps
from transport.observation import traces as observed
from transport.observation.steps import Step
from transport.protocol.findings import Finding
from transport.protocol.identifiers import DocumentType, ParticipantId
from transport.protocol.message_receipt import MessageReceipt, ResponseCode, causes_of, write_receipt
from transport.protocol.sdk_message.message import Message
from transport.queues import finish_together, wake_queue
from transport.storage.work_files import workspace

from . import local_delivery, orders, transitions, validation
from .client_port import Delivered, MessageClient, message_client
from .malware import quarantine
from .message_types import registry
from .message_types.verdicts import Accept, AcceptReceipt, Discard, Reject, Retry, Verdict
from .models import IncomingMessage, Organisation
from .organisations.served import served_organisation
from .states import IncomingState
from .tracking import traces

logger = logging.getLogger(__name__)
# The detail of a dead letter whose workers were killed or died while they were at it.
_WORKER_ENDED = "the worker ended"

# What else than a verdict comes of a row: it changes the row's copy.
Change = Callable[[IncomingMessage], None]


def is_served(participant: ParticipantId, document_type: DocumentType) -> bool:
    """Whether this message service accepts the document type for the participant (C3.2.1 2.5 a)."""
    if registry.of_document_type(document_type) is None:
        return False
    try:
        served_organisation(participant.value)
    except Organisation.DoesNotExist:
        return False
    return True


def envelope_arrived(transfer_id: UUID, sender: ParticipantId, recipient: ParticipantId) -> None:
    """Record an envelope, in the access point's transaction; one that is recorded already is not changed.

    Raises `Organisation.DoesNotExist` where the recipient is not served here.
    """
    now = timezone.now()
    row = IncomingMessage(
        transfer_id=transfer_id,
        organisation_id=served_organisation(recipient.value).pk,
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
    prefetch_related_objects(rows, "organisation")
    envelopes = local_delivery.envelopes_of(rows)
    batch = observed.batch(Step.VALIDATE, len(rows), queue="celery")
    with ExitStack() as directories, renewing(rows), batch:

        def validated(row: IncomingMessage) -> Verdict | Change:
            directory = directories.enter_context(workspace("opening"))
            with steps.of_row(row.pk), steps.timed(Step.VALIDATE):
                return _validated(row, envelopes, directory)

        finish_together(rows, validated, _finish)


def _validated(
    row: IncomingMessage, envelopes: Mapping[UUID, ArrivedEnvelope], directory: Path
) -> Verdict | Change:
    """Do all that needs others; the result is what to make of the row.

    What belongs to the message is below `directory` until then.
    """
    try:
        if row.expired_lease is not None:
            # The worker that had it died, perhaps because of it.
            row.change(failures=row.failures + 1)
        if row.failures >= settings.SDK_JUDGING_FAILURES:
            return _give_up
        arrived = envelopes[row.transfer_id]
        with arrived.open() as source:
            return validation.validate(arrived, row, source, directory)
    except LeaseLost:
        return _leave
    except Retry as wait:
        return partial(_postpone, cause=wait.cause)
    except Exception as error:  # noqa: BLE001 - whatever it is, the message must not be lost because of it
        log_unexpected(error, transfer_id=row.transfer_id)
        return partial(_fail, error=error)


def _finish(validated: Sequence[tuple[IncomingMessage, Verdict | Change]]) -> None:
    """Write what has become of the rows, in one transaction; of a row by itself also where that fails."""
    try:
        _apply_all(validated)
    except Exception as error:
        if len(validated) > 1:
            # Each is finished alone.
            raise
        row = validated[0][0]
        log_unexpected(error, transfer_id=row.transfer_id)
        with suppress(LeaseLost), row.step() as current:
            _fail(current, error)


def _apply_all(validated: Sequence[tuple[IncomingMessage, Verdict | Change]]) -> None:
    with unit_of_work.unit_of_work(), IncomingMessage.steps([row for row, _ in validated]) as rows:
        held = {row.pk: row for row in rows}
        ours = [(held[row.pk], result) for row, result in validated if row.pk in held]
        for row, result in ours:
            row.due_at = None
            if isinstance(result, Discard | Reject):
                _apply(row, result)
            elif not isinstance(result, Accept | AcceptReceipt):
                result(row)
        # Outgoing messages are locked before conversations, as where transfers are reported.
        receipts = [(row, result) for row, result in ours if isinstance(result, AcceptReceipt)]
        with steps.of_row(None), steps.timed(Step.SETTLE, count=len(receipts)):
            _apply_receipts(receipts)
        messages = [(row, result) for row, result in ours if isinstance(result, Accept)]
        with steps.of_row(None), steps.timed(Step.DELIVER, count=len(messages)):
            _deliver(messages)
    traces.validated(ours)
    for row, _ in validated:
        if row.pk not in held:
            logger.warning("lease_lost", extra={"fields": {"transfer_id": row.transfer_id}})


def receipt_delivered(answered: IncomingMessage) -> None:
    """The message receipt that answers a message has reached its sender; the caller has locked the row, and
    saves it."""
    if answered.state == IncomingState.RETRIEVED:
        transitions.transition_incoming(answered, IncomingState.RECEIPT_SENT, IncomingState.NEW)
        transitions.notify_of_arrival(answered)


def receipt_failed(answered: IncomingMessage, cause: str) -> None:
    """The message receipt could not be delivered (KV Meddelandestatus 6); the caller has locked the row, and
    saves it."""
    if answered.state == IncomingState.RETRIEVED:
        transitions.transition_incoming(
            answered, IncomingState.MESSAGE_EXCHANGE_ERROR, cause=f"receipt {cause}"
        )
        transitions.notify_of_arrival(answered)


class NotDeliverable(Exception):
    """A message that another message service has received is not delivered; `code` says why."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


def deliver_fetched(organisation: Organisation, message: Message, sender: ParticipantId) -> bool:
    """Deliver a message that another message service has received and answered, in the caller's transaction.

    False where it has been delivered before: nothing is changed. Raises `NotDeliverable` where the function
    is not served, and where another message by this id was accepted.
    """
    row = IncomingMessage(
        transfer_id=uuid.uuid4(),
        organisation=organisation,
        sender=sender.value,
        message_id=UUID(message.header.message_id),
        is_accepted=True,
        is_by_api=True,
        arrived_at=timezone.now(),
    )
    function = message.header.recipient.function_address
    receiving = _receiving_function(message_client(), organisation.participant_id, function)
    if receiving is None:
        raise NotDeliverable("function-not-served")
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        known = IncomingMessage.objects.filter(
            organisation=organisation, message_id=row.message_id, is_accepted=True
        )
        if known.filter(sender=sender.value).exists():
            return False
        raise NotDeliverable("message-id-used") from None
    stands_in = receiving if receiving != function else ""
    with unit_of_work.unit_of_work(), unit_of_work.saving([row]):
        transitions.transition_incoming(
            row,
            IncomingState.RETRIEVED,
            IncomingState.RECEIPT_SENT,
            IncomingState.NEW,
            cause=transitions.BY_API,
        )
        message_client().deliver(
            [Delivered(organisation.participant_id, message, sender.value, row.arrived_at, stands_in)]
        )
    return True


def reopen_dead_letter(row: IncomingMessage, *, actor: str, rejection_ordered_by: str) -> None:
    """Have a dead letter validated once more, with all its attempts; the caller has locked the row.

    `rejection_ordered_by` names who has ordered that it be rejected whatever is in it; empty where nobody.
    """
    transitions.transition_incoming(row, IncomingState.ARRIVED, cause=transitions.BY_HAND, actor=actor)
    row.rejection_ordered_by, row.failures, row.attempts = rejection_ordered_by, 0, 0
    row.due_at = timezone.now()
    row.save()
    wake_queue("transport.message_service.tasks.validate_due")


def _leave(row: IncomingMessage) -> None:
    """Change nothing: another worker has it."""


def _postpone(row: IncomingMessage, *, cause: str, failures: int = 0) -> None:
    row.failures += failures
    row.due_at = timezone.now() + pause_after(row.attempts)
    row.cause = cause


def _fail(row: IncomingMessage, error: Exception) -> None:
    """After an unforeseen error: try again, but not for ever. What the node itself lacks is waited for."""
    is_ours = isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
    )
    is_last = row.rejection_ordered_by or row.failures + 1 >= settings.SDK_JUDGING_FAILURES
    if not is_ours and is_last:
        _give_up(row, failures=1, detail=f"{type(error).__name__} {place_of(error)}".strip())
    else:
        _postpone(row, cause=Cause.UNEXPECTED, failures=0 if is_ours else 1)


def _give_up(row: IncomingMessage, *, failures: int = 0, detail: str = _WORKER_ENDED) -> None:
    """Make it a dead letter, which waits for an administrator; discard it where one has ordered a
    rejection. `detail` says what error it was, without a word of its text."""
    row.failures += failures
    row.due_at = None
    if row.rejection_ordered_by:
        _apply(row, Discard(transitions.BY_HAND, row.message_id))
        return
    transitions.transition_incoming(row, IncomingState.ERROR, cause=Cause.UNEXPECTED, detail=detail)
    logger.error("dead_letter", extra={"fields": {"transfer_id": row.transfer_id}})


def _apply(row: IncomingMessage, verdict: Discard | Reject) -> None:
    if isinstance(verdict, Reject):
        _reject(row, verdict)
        return
    row.message_id = verdict.message_id
    row.is_accepted = False
    transitions.transition_incoming(row, IncomingState.MESSAGE_EXCHANGE_ERROR, cause=verdict.cause)
    local_delivery.discard(row, str(verdict.message_id or ""), verdict.cause)


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A message that breaks no rule, with its row."""

    row: IncomingMessage
    accepted: Accept

    @property
    def key(self) -> tuple[int, UUID]:
        """By what a message is known: its organisation's key and its id."""
        return self.row.organisation_id, UUID(self.accepted.envelope.message_id)

    @property
    def function(self) -> str:
        """The function that it is addressed to."""
        return self.accepted.message.header.recipient.function_address

    @property
    def handling_service_id(self) -> str:
        return self.accepted.envelope.handling_service_id or self.function

    def reject(self, *findings: Finding) -> None:
        _reject(
            self.row,
            Reject(
                self.accepted.envelope.message_id, self.handling_service_id, findings, owns_session_key=True
            ),
        )


def _deliver(accepted: Sequence[tuple[IncomingMessage, Accept]]) -> None:
    """Deliver messages and answer them, but for those that only the database could tell to reject."""
    if not accepted:
        return
    arrivals = [_Arrival(row, verdict) for row, verdict in accepted]
    receiving = _receiving_functions(arrivals)
    before = validation.accepted_before([arrival.key for arrival in arrivals])
    able = []
    for arrival in arrivals:
        row, envelope = arrival.row, arrival.accepted.envelope
        row.wrapped_key_digest, row.owns_session_key = arrival.accepted.wrapped_key_digest, True
        findings = [validation.duplicate()] if arrival.key in before else []
        findings += validation.reference_findings(envelope, arrival.accepted.message, row.organisation)
        if receiving[row.organisation_id, arrival.function] is None and not findings:
            findings.append(validation.function_unknown())
        if findings:
            arrival.reject(*findings)
        else:
            able.append(arrival)
    delivered = []
    for arrival in _firsts(able):
        row, message = arrival.row, arrival.accepted.message
        stands_in = receiving[row.organisation_id, arrival.function] or ""
        if stands_in == arrival.function:
            stands_in = ""
        transitions.transition_incoming(
            row, IncomingState.RETRIEVED, cause=transitions.STANDS_IN if stands_in else ""
        )
        participant, sender = row.organisation.participant_id, arrival.accepted.envelope.sender.value
        delivered.append(Delivered(participant, message, sender, row.arrived_at, stands_in))
        _answer(row, arrival.accepted.envelope.message_id, arrival.handling_service_id, ResponseCode.ACCEPTED)
    if delivered:
        message_client().deliver(delivered)


def _receiving_functions(arrivals: Sequence[_Arrival]) -> dict[tuple[int, str], str | None]:
    """The function that receives what is for each: itself, or the first that stands in for it and is served;
    None where there is none."""
    client = message_client()
    found: dict[tuple[int, str], str | None] = {}
    for arrival in arrivals:
        organisation, function = arrival.row.organisation, arrival.function
        if (organisation.pk, function) not in found:
            receiving = _receiving_function(client, organisation.participant_id, function)
            found[organisation.pk, function] = receiving
    return found


def _receiving_function(client: MessageClient, participant: str, function: str) -> str | None:
    if client.serves(participant, function):
        return function
    candidates = client.stand_ins(participant, function)
    return next((candidate for candidate in candidates if client.serves(participant, candidate)), None)


def _firsts(arrivals: Sequence[_Arrival]) -> list[_Arrival]:
    """Accept the messages; those of which another transfer was accepted meanwhile are rejected: the
    constraint decides."""
    if not arrivals:
        return []
    rows = [arrival.row for arrival in arrivals]
    for arrival in arrivals:
        arrival.row.message_id = UUID(arrival.accepted.envelope.message_id)
        arrival.row.is_accepted = True
    try:
        with transaction.atomic():
            unit_of_work.update(rows, ["message_id", "is_accepted"])
    except IntegrityError:
        if len(arrivals) > 1:
            return [first for arrival in arrivals for first in _firsts([arrival])]
        arrivals[0].row.is_accepted = None
        arrivals[0].reject(validation.duplicate())
        return []
    return list(arrivals)


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
    findings: tuple[Finding, ...] = (),
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


def _apply_receipts(accepted: Sequence[tuple[IncomingMessage, AcceptReceipt]]) -> None:
    """Let receipts settle the messages that they are for; one that settles none is kept in the history
    alone."""
    by_type: dict[DocumentType, list[tuple[IncomingMessage, AcceptReceipt]]] = {}
    for row, verdict in accepted:
        row.message_id = validation.uuid_of(verdict.envelope.message_id)
        by_type.setdefault(verdict.envelope.document_type, []).append((row, verdict))
    for document_type, of_type in by_type.items():
        message_type = registry.of_document_type(document_type)
        if message_type is None or message_type.apply_receipts is None:
            raise ValueError("the type of the receipt has no apply_receipts")
        for (row, _), use in zip(of_type, message_type.apply_receipts(of_type), strict=True):
            state = IncomingState.RETRIEVED if use.is_used else IncomingState.MESSAGE_EXCHANGE_ERROR
            transitions.transition_incoming(row, state, cause=use.cause)
