"""Taking what arrived: judge it, then deliver and answer in one transaction."""

import logging
import uuid
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.utils import timezone

from transport.causes import Cause
from transport.jobs import LeaseLost, pause_after, task_named, unexpected, wake
from transport.protocol.findings import Finding
from transport.protocol.identifiers import DocumentType, ParticipantId
from transport.protocol.message_receipt import MessageReceipt, ResponseCode, causes_of, write_receipt
from transport.storage.work_files import workspace

from . import local_delivery, orders, receipts, transitions, validation
from .client_port import Delivered, MessageClient, message_client
from .malware import quarantine
from .message_types import registry
from .models import IncomingMessage, Organisation, OutgoingMessage
from .states import IncomingState, OutgoingState
from .validation import Accept, AcceptReceipt, Discard, Judgement, Reject, Retry

logger = logging.getLogger(__name__)


def is_served(participant: ParticipantId, document_type: DocumentType) -> bool:
    """Whether this message service takes the type for the participant (C3.2.1 2.5 a)."""
    if registry.known(document_type) is None:
        return False
    return Organisation.objects.filter(participant_id=participant.value).exists()


def envelope_arrived(transfer_id: UUID, sender: ParticipantId, recipient: ParticipantId) -> None:
    """Note an envelope, in the access point's transaction; one that is noted stays as it is."""
    now = timezone.now()
    row = IncomingMessage(
        transfer_id=transfer_id,
        organisation_id=Organisation.objects.values_list("pk", flat=True).get(participant_id=recipient.value),
        sender=sender.value,
        arrived_at=now,
        due_at=now,
    )
    IncomingMessage.objects.bulk_create([row], ignore_conflicts=True)
    wake(task_named("transport.message_service.tasks.validate_inbound"), row.pk)


def process(incoming_id: object) -> None:
    """Judge an envelope that is due; deliver it and answer it. What cannot be told now is tried again."""
    row = IncomingMessage.claim(incoming_id)
    if row is None:
        return
    try:
        if row.expired_lease is not None:
            # The worker that had it died, perhaps of it.
            row.change(failures=row.failures + 1)
        if row.failures >= settings.SDK_JUDGING_FAILURES:
            _give_up(row)
        else:
            _judge_and_apply(row)
    except LeaseLost:
        logger.warning("lease lost", extra={"fields": {"transfer_id": row.transfer_id}})
    except Retry as wait:
        _postpone(row, wait.cause)
    except Exception as error:  # noqa: BLE001 - whatever it is, the message must not be lost of it
        unexpected(error, transfer_id=row.transfer_id)
        _fail(row, error)


def _judge_and_apply(row: IncomingMessage) -> None:
    arrivals = local_delivery.arrivals_of(row)
    arrived = arrivals.arrived(row.transfer_id)
    with workspace("opening") as directory:
        with row.renewing(), arrivals.open(row.transfer_id) as source:
            judgement = validation.validate(arrived, row, source, directory)
        with row.step() as current:
            _apply(current, judgement)


def _postpone(row: IncomingMessage, cause: str, *, failures: int = 0) -> None:
    with row.step() as current:
        current.failures += failures
        current.due_at = timezone.now() + pause_after(current.attempts)
        current.cause = cause


def _fail(row: IncomingMessage, error: Exception) -> None:
    """An error that nobody foresaw: tried again, but not for ever. What the node lacks is waited for."""
    is_ours = isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
    )
    if not is_ours and (row.refused_by or row.failures + 1 >= settings.SDK_JUDGING_FAILURES):
        _give_up(row, failures=1)
    else:
        _postpone(row, Cause.UNEXPECTED, failures=0 if is_ours else 1)


def _give_up(row: IncomingMessage, *, failures: int = 0) -> None:
    """Judge it no more until an administrator says so (`set_aside`); drop it where one has, and it fails."""
    with row.step() as current:
        current.failures += failures
        current.due_at = None
        if current.refused_by:
            _apply(current, Discard(transitions.BY_HAND, current.message_id))
            return
        transitions.transition_incoming(current, IncomingState.ERROR, cause=Cause.UNEXPECTED)
    logger.error("arrival set aside", extra={"fields": {"transfer_id": row.transfer_id}})


def _apply(row: IncomingMessage, judgement: Judgement) -> None:
    row.due_at = None
    match judgement:
        case Discard():
            row.message_id = judgement.message_id
            row.is_accepted = False
            transitions.transition_incoming(row, IncomingState.MESSAGE_EXCHANGE_ERROR, cause=judgement.cause)
            known = str(judgement.message_id or "")
            local_delivery.discard(row, known, judgement.cause)
        case Reject():
            _refuse(row, judgement)
        case Accept():
            _deliver(row, judgement)
        case AcceptReceipt():
            _use_receipt(row, judgement)


def _deliver(row: IncomingMessage, taken: Accept) -> None:
    envelope, message = taken.envelope, taken.message
    attention = message.header.recipient.attention
    function = attention.sub_organization.identifier.extension.strip() if attention else ""
    handling = envelope.handling_service_id or function
    client = message_client()
    findings = validation.known_only_here(envelope, message, row.organisation)
    takes = _who_takes(client, row.organisation.participant_id, function)
    if not findings and takes is None:
        findings.append(validation.function_unknown())
    row.wrapped_key_digest, row.holds_key = taken.wrapped_key_digest, True
    if not findings and not _is_first(row, UUID(envelope.message_id)):
        findings.append(validation.duplicate())
    if findings:
        _refuse(row, Reject(envelope.message_id, handling, tuple(findings), holds_key=True))
        return
    stands_in = takes if takes is not None and takes != function else ""
    transitions.transition_incoming(
        row, IncomingState.RETRIEVED, cause=transitions.STANDS_IN if stands_in else ""
    )
    client.deliver(
        Delivered(row.organisation.participant_id, message, envelope.sender.value, row.arrived_at, stands_in)
    )
    _answer(row, envelope.message_id, handling, ResponseCode.ACCEPTED, ())


def _who_takes(client: MessageClient, participant: str, function: str) -> str | None:
    """The function itself, or the first that is to stand in for it and is served."""
    if client.serves(participant, function):
        return function
    stand_ins = client.stand_ins(participant, function)
    return next((one for one in stand_ins if client.serves(participant, one)), None)


def _is_first(row: IncomingMessage, message_id: UUID) -> bool:
    """Accept the message, unless another transfer of it was accepted meanwhile: the constraint decides."""
    row.message_id, row.is_accepted = message_id, True
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        row.is_accepted = None
        return False
    return True


def _refuse(row: IncomingMessage, refused: Reject) -> None:
    row.message_id = UUID(refused.message_id)
    row.is_accepted, row.holds_key = False, refused.holds_key
    _keep_apart(row, refused)
    rules = ", ".join(sorted({finding.rule for finding in refused.findings}))
    transitions.transition_incoming(row, IncomingState.MESSAGE_EXCHANGE_ERROR, cause=f"rejected: {rules}")
    local_delivery.discard(row, refused.message_id, f"rejected: {rules}")
    _answer(row, refused.message_id, refused.handling_service_id, ResponseCode.REJECTED, refused.findings)


def _keep_apart(row: IncomingMessage, refused: Reject) -> None:
    for one in quarantine.kept_apart(
        refused.malware,
        row.organisation,
        quarantine.Direction.IN,
        message_id=UUID(refused.message_id),
        counterpart=row.sender,
        function_address=refused.handling_service_id,
    ):
        one.save(force_insert=True)
        told = {"message_id": refused.message_id, "signature": one.signature}
        logger.warning("malware", extra={"fields": told})


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


def _use_receipt(row: IncomingMessage, taken: AcceptReceipt) -> None:
    """A receipt settles the message that it is for, once, and only from the message's recipient."""
    receipt = taken.receipt
    row.message_id = validation.uuid_of(taken.envelope.message_id)
    message = _answered_message(row, taken)
    if message is None:
        _not_used(row, "receipt for no message of ours")
    elif not transitions.can_transition_to(message, OutgoingState(receipt.code.value)):
        _not_used(row, "receipt after another")
    else:
        transitions.transition_incoming(row, IncomingState.RETRIEVED, cause=f"receipt {receipt.code}")
        receipts.apply_receipt(message, receipt, row, taken.envelope)


def _answered_message(row: IncomingMessage, taken: AcceptReceipt) -> OutgoingMessage | None:
    reference = validation.uuid_of(taken.receipt.ref_message_id)
    if reference is None:
        return None
    return (
        OutgoingMessage.objects.select_related("organisation")
        .select_for_update(of=("self",))
        .filter(
            organisation=row.organisation,
            message_id=reference,
            recipient=taken.envelope.sender.value,
            kind=OutgoingMessage.Kind.MESSAGE,
        )
        .first()
    )


def _not_used(row: IncomingMessage, cause: str) -> None:
    transitions.transition_incoming(row, IncomingState.MESSAGE_EXCHANGE_ERROR, cause=cause)
