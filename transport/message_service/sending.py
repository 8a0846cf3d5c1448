"""Ordering a message, and sealing it: commit first, then let workers do the rest."""

import io
import logging
import tempfile
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import BinaryIO, cast
from uuid import UUID

from cryptography import x509
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.utils import timezone

from .. import hand_over
from ..federation import lookup, trust
from ..federation.errors import CertificateNotPublished, FederationError
from ..hand_over import OutgoingTransfer
from ..protocol.certificates import CertificateUntrusted, Purpose, RevocationUnknown
from ..protocol.envelope import Envelope
from ..protocol.findings import Finding
from ..protocol.identifiers import (
    MESSAGE_RECEIPT,
    RECEIPT_TYPE_CODE,
    SDK_MESSAGE,
    SDK_MESSAGE_TYPE_CODE,
    ParticipantId,
)
from ..protocol.message import Message, write_message
from ..protocol.message_rules import check_message
from ..protocol.sealing import seal
from ..work import LeaseLost, wake
from ..workspace import workspace
from . import history
from .clients import message_client
from .models import IncomingMessage, Organisation, OutgoingMessage
from .organisation_keys import NoValidKey, signing_pair
from .states import OutgoingState

logger = logging.getLogger(__name__)
_IN_MEMORY = 1024 * 1024
_RETRY = timedelta(seconds=30)
# Sealing needs others (SMP, revocation) before anything has been sent: it is tried this long.
_SEALING_PATIENCE = timedelta(hours=24)


class MessageInvalid(Exception):
    """The message breaks the federation's rules; `findings` say which. Nothing has been stored."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        super().__init__(", ".join(sorted({finding.rule for finding in findings})))


class SenderUnknown(Exception):
    """The message's sender is no organisation of this node."""


def order(message: Message, *, actor: str) -> UUID:
    """Store a message and the order to send it, in the caller's transaction; its message id.

    `actor` goes into the history. Raises `MessageInvalid`, `SenderUnknown`, `CharacterNotAllowed`.
    """
    organisation = Organisation.objects.filter(
        participant_id=message.header.sender.identifier.extension
    ).first()
    if organisation is None:
        raise SenderUnknown("the sender is not served here")
    recipient = message.header.recipient
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as payload:
        write_message(message, cast(BinaryIO, payload))
        payload.seek(0)
        findings = check_message(cast(BinaryIO, payload), max_bytes=settings.SDK_MAX_MESSAGE_BYTES)
        if findings:
            raise MessageInvalid(findings)
        payload.seek(0)
        row = OutgoingMessage(
            organisation=organisation,
            message_id=UUID(message.header.message_id),
            conversation_id=UUID(message.header.conversation_id),
            recipient=ParticipantId.parse(recipient.identifier.extension).value,
            handling_service_id=recipient.attention.sub_organization.identifier.extension
            if recipient.attention
            else "",
        )
        _store(row, cast(BinaryIO, payload), actor)
    return row.message_id


def order_receipt(
    incoming: IncomingMessage, recipient: str, handling_service_id: str, receipt: bytes
) -> None:
    """Store the receipt that answers a message, and the order to send it: a message of its own."""
    receipt_id = uuid.uuid4()
    row = OutgoingMessage(
        organisation=incoming.organisation,
        kind=OutgoingMessage.Kind.RECEIPT,
        message_id=receipt_id,
        conversation_id=receipt_id,
        recipient=recipient,
        handling_service_id=handling_service_id,
        answers=incoming,
    )
    _store(row, io.BytesIO(receipt), history.SYSTEM)


def seal_and_submit(outgoing_id: object) -> None:
    """Seal a message that is due and hand it to the access point."""
    row = OutgoingMessage.take(outgoing_id)
    if row is None:
        return
    try:
        with row.kept():
            apply = _sealed(row)
        with row.step() as current:
            apply(current)
            message_client_told(current)
    except LeaseLost:
        logger.warning("lease lost", extra={"fields": {"message_id": row.message_id}})


def message_client_told(row: OutgoingMessage) -> None:
    """Tell the client that the delivery of its message has changed; it knows nothing of receipts."""
    if row.kind == OutgoingMessage.Kind.MESSAGE:
        row.save()
        message_client().delivery_changed(row.organisation.participant_id, row.message_id)


def _store(row: OutgoingMessage, payload: BinaryIO, actor: str) -> None:
    from .tasks import seal

    row.payload_name = default_storage.save(f"outgoing/{timezone.now():%Y/%m/%d}/{row.id}.xml", File(payload))
    row.due_at = timezone.now()
    row.save(force_insert=True)
    history.happened(row, OutgoingState.SCHEDULED, actor=actor)
    wake(seal.delay, row.pk)


Apply = Callable[[OutgoingMessage], None]


def _sealed(row: OutgoingMessage) -> Apply:
    """Do everything that needs others, and give what is to be written down."""
    try:
        certificate = _encryption_certificate(row)
        signing_key, signing_certificate = signing_pair(row.organisation)
    except FederationError as error:
        return _later(error.code) if error.may_pass else _failed(error.code)
    except RevocationUnknown:
        return _later("revocation-unknown")
    except CertificateUntrusted:
        return _failed("recipient-certificate-untrusted")
    except NoValidKey:
        return _failed("no-signing-key")
    with workspace("sealing") as directory:
        path = directory / "envelope"
        with default_storage.open(row.payload_name) as payload, path.open("xb") as out:
            seal(
                _envelope(row),
                cast(BinaryIO, payload),
                out,
                signing_key=signing_key,
                signing_certificate=signing_certificate,
                encryption_certificate=certificate,
            )
        with path.open("rb") as envelope:
            # One name for all attempts: what an attempt left behind that died is written over.
            name = f"{row.payload_name}.sealed"
            default_storage.delete(name)
            name = default_storage.save(name, File(envelope))
    return lambda current: _submit(current, name)


def _encryption_certificate(row: OutgoingMessage) -> x509.Certificate | None:
    """The newest published certificate that is trusted; None for receipts, which are signed only."""
    if row.kind == OutgoingMessage.Kind.RECEIPT:
        return None
    problem: Exception = CertificateNotPublished("no certificate in CertPub")
    for certificate in lookup.encryption_certificates_of(ParticipantId(row.recipient)):
        try:
            trust.check_organisation(certificate, Purpose.ENCRYPTION)
        except CertificateUntrusted as error:
            problem = error
            continue
        return certificate
    raise problem


def _envelope(row: OutgoingMessage) -> Envelope:
    is_receipt = row.kind == OutgoingMessage.Kind.RECEIPT
    return Envelope(
        message_id=str(row.message_id),
        created_at=timezone.now(),
        sender=row.organisation.participant,
        recipient=ParticipantId(row.recipient),
        document_type=MESSAGE_RECEIPT if is_receipt else SDK_MESSAGE,
        document_type_code=RECEIPT_TYPE_CODE if is_receipt else SDK_MESSAGE_TYPE_CODE,
        is_encrypted=not is_receipt,
        handling_service_id=row.handling_service_id or None,
        federation_id=settings.SDK_FEDERATION_ID,
    )


def _submit(row: OutgoingMessage, envelope_name: str) -> None:
    row.envelope_name = envelope_name
    row.due_at = None
    history.become(row, OutgoingState.SUBMITTED)
    is_receipt = row.kind == OutgoingMessage.Kind.RECEIPT
    hand_over.access_point().submit(
        OutgoingTransfer(
            reference=row.pk,
            envelope_name=envelope_name,
            envelope_id=str(row.message_id),
            sender=row.organisation.participant,
            recipient=ParticipantId(row.recipient),
            document_type=MESSAGE_RECEIPT if is_receipt else SDK_MESSAGE,
            conversation_id=str(row.conversation_id),
        )
    )


def _later(cause: str) -> Apply:
    def apply(row: OutgoingMessage) -> None:
        if timezone.now() - row.created_at > _SEALING_PATIENCE:
            _failed(cause)(row)
            return
        row.due_at = timezone.now() + _RETRY
        if row.cause != cause:
            row.cause = cause
            history.happened(row, OutgoingState.SCHEDULED, cause=cause)

    return apply


def _failed(cause: str) -> Apply:
    def apply(row: OutgoingMessage) -> None:
        row.due_at = None
        history.become(row, OutgoingState.ERROR, cause=cause)
        history.become(row, OutgoingState.MESSAGE_EXCHANGE_ERROR, cause=cause)

    return apply
