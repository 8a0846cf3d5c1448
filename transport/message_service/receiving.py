"""Taking what arrived: judge it, then deliver and answer in one transaction."""

import logging
import uuid
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from .. import hand_over
from ..hand_over import ArrivedEnvelope, Outcome
from ..protocol.findings import Detail, Finding, Reason
from ..protocol.identifiers import MESSAGE_RECEIPT, SDK_MESSAGE, DocumentType, ParticipantId
from ..protocol.message_receipt import MessageReceipt, ResponseCode, causes_of, write_receipt
from ..work import LeaseLost, wake
from ..workspace import workspace
from . import history, judging, sending
from .clients import Delivered, message_client
from .judging import Dropped, Judgement, NotNow, ReceiptTaken, Refused, Taken
from .models import IncomingMessage, Organisation, OutgoingMessage
from .states import IncomingState, OutgoingState

logger = logging.getLogger(__name__)
_RETRY = timedelta(seconds=30)


def is_served(participant: ParticipantId, document_type: DocumentType) -> bool:
    """Whether this message service takes the type for the participant (C3.2.1 2.5 a)."""
    if document_type not in (SDK_MESSAGE, MESSAGE_RECEIPT):
        return False
    return Organisation.objects.filter(participant_id=participant.value).exists()


def envelope_arrived(transfer_id: UUID, recipient: ParticipantId) -> None:
    """Note an envelope, in the access point's transaction."""
    from .tasks import judge

    organisation = Organisation.objects.get(participant_id=recipient.value)
    arrived = hand_over.access_point().arrived(transfer_id)
    row, _ = IncomingMessage.objects.get_or_create(
        transfer_id=transfer_id,
        defaults={
            "organisation": organisation,
            "sender": arrived.sender.value,
            "arrived_at": timezone.now(),
            "due_at": timezone.now(),
        },
    )
    wake(judge.delay, row.pk)


def take(incoming_id: object) -> None:
    """Judge an envelope that is due; deliver it and answer it."""
    row = IncomingMessage.take(incoming_id)
    if row is None:
        return
    access_point = hand_over.access_point()
    arrived = access_point.arrived(row.transfer_id)
    with workspace("opening") as directory:
        try:
            with row.kept(), access_point.open(row.transfer_id) as source:
                judgement: Judgement | NotNow = judging.judge(arrived, row.organisation, source, directory)
        except NotNow as wait:
            judgement = wait
        try:
            with row.step() as current:
                _apply(current, arrived, judgement)
        except LeaseLost:
            logger.warning("lease lost", extra={"fields": {"transfer_id": row.transfer_id}})


def _apply(row: IncomingMessage, arrived: ArrivedEnvelope, judgement: Judgement | NotNow) -> None:
    row.due_at = None
    match judgement:
        case NotNow(cause=cause):
            row.attempts += 1
            row.due_at = timezone.now() + _RETRY
            row.cause = cause
        case Dropped():
            row.message_id = judgement.message_id
            row.is_accepted = False
            history.incoming_becomes(row, IncomingState.MESSAGE_EXCHANGE_ERROR, cause=judgement.cause)
        case Refused():
            _refuse(row, judgement)
        case Taken():
            _deliver(row, arrived, judgement)
        case ReceiptTaken():
            _settle(row, arrived, judgement)


def _deliver(row: IncomingMessage, arrived: ArrivedEnvelope, taken: Taken) -> None:
    # Two transfers of one message are judged one after the other.
    Organisation.objects.select_for_update().get(pk=row.organisation_id)
    envelope, message = taken.envelope, taken.message
    attention = message.header.recipient.attention
    function = attention.sub_organization.identifier.extension.strip() if attention else ""
    findings = judging.known_only_here(envelope, message, row.organisation)
    client = message_client()
    if not findings and not client.serves(row.organisation.participant_id, function):
        place = (
            "/tns:messagePayload/tns:message/tns:messageHeader/tns:recipient"
            "/tns:attention/tns:subOrganization/tns:organizationId"
        )
        text = "Wrong or unknown tns:subOrganization/tns:organizationId"
        findings.append(Finding("functionAddress", place, text, Reason.BV, Detail.NOT_FOUND))
    if findings:
        handling = envelope.handling_service_id or ""
        _refuse(row, Refused(envelope.message_id, handling, tuple(findings)))
        return
    row.message_id = UUID(envelope.message_id)
    row.is_accepted = True
    history.incoming_becomes(row, IncomingState.RETRIEVED)
    client.deliver(Delivered(row.organisation.participant_id, message, envelope.sender.value, row.arrived_at))
    _answer(row, envelope.message_id, envelope.handling_service_id or "", ResponseCode.ACCEPTED, ())


def _refuse(row: IncomingMessage, refused: Refused) -> None:
    row.message_id = UUID(refused.message_id)
    row.is_accepted = False
    rules = ", ".join(sorted({finding.rule for finding in refused.findings}))
    history.incoming_becomes(row, IncomingState.MESSAGE_EXCHANGE_ERROR, cause=f"rejected: {rules}")
    row.is_failed_for_sender = True
    _answer(row, refused.message_id, refused.handling_service_id, ResponseCode.REJECTED, refused.findings)


def _answer(
    row: IncomingMessage,
    message_id: str,
    handling_service_id: str,
    code: ResponseCode,
    findings: tuple[Finding, ...],
) -> None:
    row.save()
    receipt = MessageReceipt(
        receipt_id=str(uuid.uuid4()),
        issued_at=timezone.now(),
        sender=row.organisation.participant,
        recipient=ParticipantId(row.sender),
        ref_message_id=message_id,
        code=code,
        causes=causes_of(list(findings)),
    )
    sending.order_receipt(row, row.sender, handling_service_id, write_receipt(receipt))


def _settle(row: IncomingMessage, arrived: ArrivedEnvelope, taken: ReceiptTaken) -> None:
    """A receipt settles the message that it is for, once, and only from the message's recipient."""
    receipt = taken.receipt
    row.message_id = UUID(taken.envelope.message_id)
    row.is_accepted = True
    history.incoming_becomes(row, IncomingState.RETRIEVED, cause=f"receipt {receipt.code}")
    reference = judging.uuid_of(receipt.ref_message_id)
    message = reference and (
        OutgoingMessage.objects.select_for_update()
        .filter(
            organisation=row.organisation,
            message_id=reference,
            recipient=taken.envelope.sender.value,
            kind=OutgoingMessage.Kind.MESSAGE,
        )
        .first()
    )
    state = OutgoingState(receipt.code.value)
    if not message or not history.may_become(message, state):
        cause = "receipt for no message of ours" if not message else "receipt after another"
        logger.warning("receipt not used", extra={"fields": {"why": cause, "message_id": reference}})
        row.cause = cause
        return
    message.message_receipt_at = timezone.now()
    message.receipt_due_at = None
    message.causes = [
        {"reason": cause.reason, "detail": cause.detail_code, "text": cause.text[:500]}
        for cause in receipt.causes
    ]
    message.message_receipt_name = _keep_evidence(row, message)
    history.become(message, state, cause=", ".join(_codes(receipt)))
    message.save()
    sending.message_client_told(message)


def _keep_evidence(row: IncomingMessage, message: OutgoingMessage) -> str:
    """The signed receipt, as it came: a file beside the message."""
    with hand_over.access_point().open(row.transfer_id) as source:
        name = f"outgoing/{message.created_at:%Y/%m/%d}/{message.pk}.receipt.xml"
        return default_storage.save(name, ContentFile(source.read()))


def _codes(receipt: MessageReceipt) -> list[str]:
    return sorted({f"{cause.reason}/{cause.detail_code or '-'}" for cause in receipt.causes})


def transfer_changed(reference: UUID, outcome: Outcome, cause: str) -> None:
    """What became of a transfer of ours, in the access point's transaction."""
    row = OutgoingMessage.objects.select_for_update().filter(pk=reference).first()
    if row is None:
        return
    match outcome:
        case Outcome.DELIVERED:
            _acknowledged(row)
        case Outcome.RESENDING:
            _become_if_allowed(row, OutgoingState.SCHEDULED_FOR_RESEND, cause)
        case Outcome.FAILED:
            _become_if_allowed(row, OutgoingState.MESSAGE_EXCHANGE_ERROR, cause)
    row.save()
    sending.message_client_told(row)


def _acknowledged(row: OutgoingMessage) -> None:
    """The transport receipt has come. For a message, the wait for its message receipt begins."""
    row.transport_receipt_at = timezone.now()
    history.happened(row, history.TRANSPORT_RECEIPT)
    if not history.may_become(row, OutgoingState.ACKNOWLEDGE):
        # The message receipt was faster.
        return
    history.become(row, OutgoingState.ACKNOWLEDGE)
    if row.kind == OutgoingMessage.Kind.MESSAGE:
        history.become(row, OutgoingState.WAITING_FOR_RECEIPT)
        row.receipt_due_at = timezone.now() + timedelta(seconds=settings.SDK_RECEIPT_DEADLINE_SECONDS)
        return
    answered = row.answers
    if answered is not None and answered.state == IncomingState.RETRIEVED:
        history.incoming_becomes(answered, IncomingState.RECEIPT_SENT)
        history.incoming_becomes(answered, IncomingState.NEW)
        answered.save()


def _become_if_allowed(row: OutgoingMessage, state: OutgoingState, cause: str) -> None:
    if history.may_become(row, state):
        history.become(row, state, cause=cause)
