"""The worker's step between order and access point: find the certificate, seal, hand over."""

import logging
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from django.conf import settings
from django.utils import timezone

from transport import access_point_port
from transport.access_point_port import OutgoingTransfer
from transport.causes import Cause
from transport.federation import lookup, trust
from transport.federation.errors import CertificateNotPublished, FederationError
from transport.jobs import LeaseLost, pause_after, unexpected
from transport.message_service.organisations.organisation_keys import NoValidKey, signing_pair
from transport.protocol.certificates import CertificateUntrusted, Purpose, RevocationUnknown
from transport.protocol.identifiers import SDK_MESSAGE, ParticipantId
from transport.protocol.sdk_message.document import message_of
from transport.protocol.sdk_message.rules import read_and_check
from transport.protocol.xhe.envelope import Envelope
from transport.protocol.xhe.sealing import seal
from transport.storage import blobs, malware
from transport.storage.work_files import workspace

from . import local_delivery, receipts, transitions
from .malware import quarantine, scan
from .message_types import registry
from .models import Organisation, OutgoingMessage, QuarantinedFile
from .states import OutgoingState

logger = logging.getLogger(__name__)
# Sealing needs others (SMP, revocation) before anything has been sent: it is tried this long.
_PATIENCE: Final = timedelta(hours=24)

Apply = Callable[[OutgoingMessage], None]


def seal_and_submit(outgoing_id: object) -> None:
    """Seal a message that is due and hand it to the access point."""
    row = OutgoingMessage.claim(outgoing_id)
    if row is None:
        return
    if row.expired_lease is not None:
        _remove(_name(row, row.expired_lease.hex))
    name = _name(row, row.lease.hex if row.lease else "")
    try:
        with row.renewing():
            apply = _sealed(row, name)
        with row.step() as current:
            apply(current)
            transitions.save_and_notify(current)
    except LeaseLost:
        _remove(name)
        logger.warning("lease lost", extra={"fields": {"message_id": row.message_id}})


def _name(row: OutgoingMessage, lease: str) -> str:
    """Of the sealed file: another for each attempt, so that no two workers write the same."""
    return f"{row.payload_name.removesuffix('.xml')}.{lease}.sealed"


def _remove(name: str) -> None:
    """What an attempt stored that is not to be used, and its copy for an organisation of this node."""
    blobs.remove(name)
    blobs.remove(local_delivery.copy_name(name))


def _sealed(row: OutgoingMessage, name: str) -> Apply:
    """Do everything that needs others, and give what is to be written down."""
    transfer_id = uuid.uuid4()
    try:
        recipient = local_delivery.recipient_inside(row)
        certificate = _encryption_certificate(row, recipient)
        signing_key, signing_certificate = signing_pair(row.organisation)
        with workspace("sealing") as directory, (directory / "envelope").open("x+b") as envelope:
            if not row.is_receipt and (stopped := _stopped(row, directory)):
                return stopped
            with blobs.open_stored(row.payload_name, row.payload_place) as payload:
                seal(
                    _envelope(row, is_encrypted=certificate is not None),
                    payload,
                    envelope,
                    signing_key=signing_key,
                    signing_certificate=signing_certificate,
                    encryption_certificate=certificate,
                )
            envelope.seek(0)
            stored = blobs.store(name, envelope, row.envelope_place)
            if recipient is not None:
                envelope.seek(0)
                copy = local_delivery.store_copy(
                    local_delivery.copy_name(name), envelope, recipient, transfer_id
                )
                return lambda current: _hand(current, stored, recipient, transfer_id, copy)
    except FederationError as error:
        return _later(Cause(error.code)) if error.may_pass else _failed(Cause(error.code))
    except RevocationUnknown:
        return _later(Cause.REVOCATION_UNKNOWN)
    except CertificateUntrusted:
        return _failed(Cause.RECIPIENT_CERTIFICATE_UNTRUSTED)
    except NoValidKey:
        return _failed(Cause.NO_SIGNING_KEY)
    except malware.NotScanned as error:
        return _later(error.cause)
    except Exception as error:  # noqa: BLE001 - whatever it is, the message must not be lost of it
        unexpected(error, message_id=row.message_id)
        return _later(Cause.UNEXPECTED)
    return lambda current: _submit(current, stored)


def _stopped(row: OutgoingMessage, directory: Path) -> Apply | None:
    """What keeps the message from leaving: it breaks a rule, or malicious code is in it.

    Both were looked at when it was written. What the scanner knows may have grown since, and it may have been
    away then. Raises `malware.NotScanned`.
    """
    files = directory / "files"
    files.mkdir()
    with blobs.open_stored(row.payload_name, row.payload_place) as payload:
        document, findings = read_and_check(payload, files, max_bytes=settings.SDK_MAX_MESSAGE_BYTES)
    if document is None or findings:
        return _failed(Cause.MESSAGE_INVALID)
    found = scan.found_in(message_of(document))
    if not found:
        return None
    kept = quarantine.kept_apart(
        found,
        row.organisation,
        quarantine.Direction.OUT,
        message_id=row.message_id,
        counterpart=row.recipient,
        function_address=row.handling_service_id,
    )
    return lambda current: _keep_back(current, kept)


def _keep_back(row: OutgoingMessage, kept: list[QuarantinedFile]) -> None:
    for one in kept:
        one.save(force_insert=True)
        told = {"message_id": row.message_id, "signature": one.signature}
        logger.warning("malware", extra={"fields": told})
    _failed(Cause.MALWARE_FOUND)(row)


def _encryption_certificate(row: OutgoingMessage, inside_of: Organisation | None) -> x509.Certificate | None:
    """The newest published certificate that is trusted; None for what is signed only, as receipts are.

    Nobody is asked for one of an organisation that the message is handed to inside this node.
    """
    if not registry.of_kind(row.kind).is_encrypted:
        return None
    if inside_of is not None:
        return local_delivery.encryption_certificate(inside_of)
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


def _hand(
    row: OutgoingMessage, envelope_name: str, recipient: Organisation, transfer_id: uuid.UUID, copy: str
) -> None:
    """Give it to an organisation of this node: it has arrived in the same moment."""
    row.envelope_name = envelope_name
    row.due_at = None
    transitions.transition_to(row, OutgoingState.SUBMITTED, cause=transitions.INSIDE)
    local_delivery.deliver_locally(row, recipient, transfer_id, copy)
    receipts.acknowledged(row, cause=transitions.INSIDE)


def _later(cause: Cause) -> Apply:
    def apply(row: OutgoingMessage) -> None:
        if timezone.now() - (row.ordered_at or row.created_at) > _PATIENCE:
            _failed(cause)(row)
            return
        row.due_at = timezone.now() + pause_after(row.attempts)
        if row.cause != cause:
            row.cause = cause
            transitions.record_event(row, OutgoingState.SCHEDULED, cause=cause)

    return apply


def _failed(cause: Cause) -> Apply:
    def apply(row: OutgoingMessage) -> None:
        row.due_at = None
        transitions.transition_to(row, OutgoingState.ERROR, cause=cause)
        receipts.failed(row, cause)

    return apply
