"""Orders to send: a message and the order to send it are committed together; workers do the rest."""

import io
import tempfile
import uuid
from datetime import datetime
from pathlib import Path
from typing import IO, BinaryIO, Final, cast
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from transport import unit_of_work
from transport.observation import steps
from transport.observation.steps import Step
from transport.protocol.findings import Detail, Finding, Reason
from transport.protocol.identifiers import ParticipantId, ParticipantIdInvalid
from transport.protocol.sdk_message.message import Message, write_message
from transport.protocol.sdk_message.rules import check_message
from transport.queues import wake_queue
from transport.remote_service_port import OwnFunction, remote_services
from transport.storage import blobs

from . import transitions
from .models import IncomingMessage, Organisation, OutgoingMessage
from .organisations.served import served_organisation
from .states import OutgoingState
from .tracking import deadlines, traces

_IN_MEMORY: Final = 1024 * 1024


class MessageInvalid(Exception):
    """The message breaks the federation's rules; `findings` say which. Nothing has been stored."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        super().__init__(", ".join(sorted({finding.rule for finding in findings})))


class SenderUnknown(Exception):
    """The message's sender is no organisation of this node."""


def order(message: Message, *, actor: str, ordered_at: datetime | None = None) -> UUID:
    """Store a message and the order to send it, in the caller's transaction; its message id.

    `actor` goes into the history. `ordered_at` is when somebody pressed "Send", if that was before: its trace
    begins then. Raises `MessageInvalid`, `SenderUnknown`, `CharacterNotAllowed`.
    """
    began = steps.nanoseconds_of(ordered_at) if ordered_at else steps.now()
    with steps.timed(Step.ORDER):
        row = _order(message, actor)
    traces.ordered(row, None, began)
    return row.message_id


def _order(message: Message, actor: str) -> OutgoingMessage:
    try:
        organisation = served_organisation(message.header.sender.identifier.extension)
    except Organisation.DoesNotExist:
        raise SenderUnknown("the sender is not served here") from None
    with _scratch() as payload:
        write_message(message, cast(BinaryIO, payload))
        payload.seek(0)
        findings = check_message(cast(BinaryIO, payload), max_bytes=settings.SDK_MAX_MESSAGE_BYTES)
        if findings:
            raise MessageInvalid(findings)
        recipient = message.header.recipient
        row = OutgoingMessage(
            organisation=organisation,
            message_id=UUID(message.header.message_id),
            conversation_id=UUID(message.header.conversation_id),
            recipient=_participant(recipient.identifier.extension).value,
            handling_service_id=recipient.attention.sub_organization.identifier.extension
            if recipient.attention
            else "",
        )
        function = OwnFunction(organisation.pk, message.header.sender.function_address)
        if remote_services().carried([function]):
            row.sender_function = function.address
        payload.seek(0)
        _store(row, payload, actor)
    return row


def order_receipt(
    incoming: IncomingMessage, recipient: str, handling_service_id: str, receipt: bytes
) -> None:
    """Store the receipt that answers a message, and the order to send it: a message of its own."""
    began, receipt_id = steps.now(), uuid.uuid4()
    row = OutgoingMessage(
        organisation=incoming.organisation,
        kind=OutgoingMessage.Kind.RECEIPT,
        message_id=receipt_id,
        conversation_id=receipt_id,
        recipient=recipient,
        handling_service_id=handling_service_id,
        answers=incoming,
    )
    with steps.timed(Step.MAKE_RECEIPT):
        _store(row, io.BytesIO(receipt), transitions.SYSTEM)
    traces.ordered(row, incoming.message_id, began)


def _store(row: OutgoingMessage, payload: IO[bytes], actor: str) -> None:
    row.payload_name = blobs.store(
        blobs.dated("outgoing", f"{row.id}.xml"), cast(BinaryIO, payload), row.payload_binding
    )
    if not row.is_receipt:
        row.transport_due_at = deadlines.for_transport_receipt()
    if not row.is_by_api:
        row.due_at = timezone.now()
    unit_of_work.insert(row)
    transitions.record_event(row, OutgoingState.SCHEDULED, actor=actor)
    if row.is_by_api:
        remote_services().order(row.pk, OwnFunction(row.organisation_id, row.sender_function))
    else:
        wake_queue("transport.message_service.tasks.seal_due")


def _scratch() -> tempfile.SpooledTemporaryFile[bytes]:
    """For the message in the clear: in memory while it is small, else a file without a name."""
    directory = Path(settings.SDK_WORK_DIR)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(directory))


def _participant(text: str) -> ParticipantId:
    try:
        return ParticipantId.parse(text)
    except ParticipantIdInvalid:
        xpath = (
            "/tns:messagePayload/tns:message/tns:messageHeader/tns:recipient/tns:recipientID/tns:extension"
        )
        finding = Finding("recipientId", xpath, "not a participant identifier", Reason.BV, Detail.INVARIANT)
        raise MessageInvalid([finding]) from None
