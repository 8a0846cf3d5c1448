"""The worker's step between order and access point: find the certificate, seal, hand over."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from cryptography import x509
from django.conf import settings
from django.utils import timezone

from .. import hand_over, payloads
from ..federation import lookup, trust
from ..federation.errors import CertificateNotPublished, FederationError
from ..hand_over import Cause, OutgoingTransfer
from ..protocol.certificates import CertificateUntrusted, Purpose, RevocationUnknown
from ..protocol.envelope import Envelope
from ..protocol.identifiers import (
    MESSAGE_RECEIPT,
    RECEIPT_TYPE_CODE,
    SDK_MESSAGE,
    SDK_MESSAGE_TYPE_CODE,
    ParticipantId,
)
from ..protocol.sealing import seal
from ..work import LeaseLost, pause_after, unexpected
from ..workspace import workspace
from . import history, settling
from .models import OutgoingMessage
from .organisation_keys import NoValidKey, signing_pair
from .states import OutgoingState

logger = logging.getLogger(__name__)
# Sealing needs others (SMP, revocation) before anything has been sent: it is tried this long.
_PATIENCE: Final = timedelta(hours=24)

Apply = Callable[[OutgoingMessage], None]


def seal_and_submit(outgoing_id: object) -> None:
    """Seal a message that is due and hand it to the access point."""
    row = OutgoingMessage.take(outgoing_id)
    if row is None:
        return
    if row.dead_lease is not None:
        payloads.remove(_name(row, row.dead_lease.hex))
    name = _name(row, row.lease.hex if row.lease else "")
    try:
        with row.kept():
            apply = _sealed(row, name)
        with row.step() as current:
            apply(current)
            history.save_and_tell(current)
    except LeaseLost:
        payloads.remove(name)
        logger.warning("lease lost", extra={"fields": {"message_id": row.message_id}})


def _name(row: OutgoingMessage, lease: str) -> str:
    """Of the sealed file: another for each attempt, so that no two workers write the same."""
    return f"{row.payload_name.removesuffix('.xml')}.{lease}.sealed"


def _sealed(row: OutgoingMessage, name: str) -> Apply:
    """Do everything that needs others, and give what is to be written down."""
    try:
        certificate = _encryption_certificate(row)
        signing_key, signing_certificate = signing_pair(row.organisation)
        with workspace("sealing") as directory, (directory / "envelope").open("x+b") as envelope:
            with payloads.open_stored(row.payload_name, row.payload_place) as payload:
                seal(
                    _envelope(row),
                    payload,
                    envelope,
                    signing_key=signing_key,
                    signing_certificate=signing_certificate,
                    encryption_certificate=certificate,
                )
            envelope.seek(0)
            stored = payloads.store(name, envelope, row.envelope_place)
    except FederationError as error:
        return _later(Cause(error.code)) if error.may_pass else _failed(Cause(error.code))
    except RevocationUnknown:
        return _later(Cause.REVOCATION_UNKNOWN)
    except CertificateUntrusted:
        return _failed(Cause.RECIPIENT_CERTIFICATE_UNTRUSTED)
    except NoValidKey:
        return _failed(Cause.NO_SIGNING_KEY)
    except Exception as error:  # noqa: BLE001 - whatever it is, the message must not be lost of it
        unexpected(error, message_id=row.message_id)
        return _later(Cause.UNEXPECTED)
    return lambda current: _submit(current, stored)


def _encryption_certificate(row: OutgoingMessage) -> x509.Certificate | None:
    """The newest published certificate that is trusted; None for receipts, which are signed only."""
    if row.is_receipt:
        return None
    recipient = ParticipantId(row.recipient)
    try:
        return _trusted(lookup.encryption_certificates_of(recipient))
    except CertificateUntrusted:
        # What is kept may be from before a renewal.
        lookup.forget(recipient, SDK_MESSAGE)
        return _trusted(lookup.encryption_certificates_of(recipient))


def _trusted(certificates: tuple[x509.Certificate, ...]) -> x509.Certificate:
    problem: Exception = CertificateNotPublished("no certificate in CertPub")
    for certificate in certificates:
        try:
            trust.check_organisation(certificate, Purpose.ENCRYPTION)
        except CertificateUntrusted as error:
            problem = error
            continue
        return certificate
    raise problem


def _envelope(row: OutgoingMessage) -> Envelope:
    return Envelope(
        message_id=str(row.message_id),
        created_at=timezone.now(),
        sender=row.organisation.participant,
        recipient=ParticipantId(row.recipient),
        document_type=MESSAGE_RECEIPT if row.is_receipt else SDK_MESSAGE,
        document_type_code=RECEIPT_TYPE_CODE if row.is_receipt else SDK_MESSAGE_TYPE_CODE,
        is_encrypted=not row.is_receipt,
        handling_service_id=row.handling_service_id or None,
        federation_id=settings.SDK_FEDERATION_ID,
    )


def _submit(row: OutgoingMessage, envelope_name: str) -> None:
    row.envelope_name = envelope_name
    row.due_at = None
    history.become(row, OutgoingState.SUBMITTED)
    hand_over.access_point().submit(
        OutgoingTransfer(
            reference=row.pk,
            envelope_name=envelope_name,
            envelope_id=str(row.message_id),
            sender=row.organisation.participant,
            recipient=ParticipantId(row.recipient),
            document_type=MESSAGE_RECEIPT if row.is_receipt else SDK_MESSAGE,
            conversation_id=str(row.conversation_id),
        )
    )


def _later(cause: Cause) -> Apply:
    def apply(row: OutgoingMessage) -> None:
        if timezone.now() - row.created_at > _PATIENCE:
            _failed(cause)(row)
            return
        row.due_at = timezone.now() + pause_after(row.attempts)
        if row.cause != cause:
            row.cause = cause
            history.happened(row, OutgoingState.SCHEDULED, cause=cause)

    return apply


def _failed(cause: Cause) -> Apply:
    def apply(row: OutgoingMessage) -> None:
        row.due_at = None
        history.become(row, OutgoingState.ERROR, cause=cause)
        settling.failed(row, cause)

    return apply
