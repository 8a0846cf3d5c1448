"""Inbound transfers: check a message from another access point, store it with its receipt, commit, and only
then let the receipt go.

A receipt that was signed and never sent binds nobody.
"""

import hashlib
import uuid
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, TypedDict

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from transport import access_point_port
from transport.federation import lookup, trust
from transport.federation.errors import FederationError, LookupUnavailable
from transport.jobs import log_unexpected
from transport.observation import receptions, steps
from transport.observation.steps import Step
from transport.protocol.as4 import signals
from transport.protocol.as4.errors import (
    FAILED_AUTHENTICATION,
    INVALID_HEADER,
    NOT_SERVICED,
    OTHER,
    VALUE_INCONSISTENT,
    VALUE_NOT_RECOGNIZED,
    As4Error,
)
from transport.protocol.as4.messages import SignedReference, UserMessage
from transport.protocol.as4.mime import MimeLimits
from transport.protocol.as4.names import TEST_SERVICE
from transport.protocol.as4.unpacking import As4Limits, ReceivedMessage, read_user_message
from transport.protocol.certificates import (
    CertificateUnreadable,
    CertificateUntrusted,
    Purpose,
    RevocationUnknown,
    common_name,
)
from transport.protocol.identifiers import (
    DOCUMENT_SCHEME,
    MESSAGE_RECEIPT,
    PROCESS_ID,
    PROCESS_SCHEME,
    DocumentType,
)
from transport.storage import blobs
from transport.storage.work_files import workspace

from . import transfer_log
from .keys import AccessPointKeys, own_keys
from .models import InboundTransfer

# Errors that are not the message's: the sender is to try again.
_OURS: Final = (
    RevocationUnknown,
    FederationError,
    CertificateUnreadable,
    ImproperlyConfigured,
    DatabaseError,
    OSError,
    MemoryError,
)


def receive(content_type: str, body: BinaryIO) -> bytes:
    """Receive a message; the result is the signed signal that answers it: its receipt, or an error.

    Raises `RevocationUnknown`, `LookupUnavailable` and what storage and database raise: the sender is to try
    again.
    """
    with steps.timed(Step.RECEIVE):
        return _Reception(own_keys()).answer(content_type, body)


def document_type_of(message: UserMessage) -> DocumentType:
    """The Action as a document type."""
    scheme, separator, identifier = message.action.partition("::")
    return DocumentType(identifier, scheme) if separator else DocumentType(message.action, DOCUMENT_SCHEME)


class _Reception:
    """The reception of one message, and what has been learnt about it."""

    def __init__(self, keys: AccessPointKeys) -> None:
        self._keys = keys
        self._signer: x509.Certificate | None = None
        self._message: UserMessage | None = None
        self._is_known = False
        self._began = steps.now()

    def answer(self, content_type: str, body: BinaryIO) -> bytes:
        most = settings.SDK_MAX_TRANSFER_BYTES
        try:
            with workspace("receiving") as directory:
                received = self._read(
                    content_type, body, directory, As4Limits(MimeLimits(max_total=most), most)
                )
                return (
                    self._answer_test(received) if received.user_message.is_test else self._accept(received)
                )
        except As4Error as error:
            log = transfer_log.refused if self._is_known else transfer_log.refused_unknown
            log(
                self._keys.party_id,
                str(error),
                as4_message_id=error.ref_to_message_id or "",
                message=self._message,
                certificate=self._signer,
            )
            return signals.write_error(error, **_signing(self._keys))

    def _check_issuer(self, signer: x509.Certificate) -> None:
        """Refuse early, before anything costly, a signer whose certificate no CA of the federation has
        issued."""
        self._signer = signer
        try:
            trust.check_access_point_issuer(signer)
        except CertificateUntrusted as error:
            raise As4Error(FAILED_AUTHENTICATION, f"the signer's certificate: {error.cause}") from None

    def _read(self, content_type: str, body: BinaryIO, directory: Path, limits: As4Limits) -> ReceivedMessage:
        """Raises `As4Error` for whatever is in the message: nobody is to bring about more than that."""
        try:
            return read_user_message(
                content_type,
                body,
                directory=directory,
                decryption_keys=self._keys.decryption_keys,
                check_signer=self._check,
                check_issuer=self._check_issuer,
                known_signers=self._published,
                limits=limits,
            )
        except (As4Error, *_OURS):
            raise
        except Exception as error:  # noqa: BLE001 - a value that nobody thought of is the message's
            log_unexpected(error)
            raise As4Error(INVALID_HEADER, "the message cannot be read") from None

    def _check(self, signer: x509.Certificate, message: UserMessage) -> None:
        """Check who signs, and whether it is for us (C3.2.1 2.3.1 j to o, 2.5, 2.10 c and d).

        The signature holds, and a CA of the federation has issued the signer's certificate: what is refused
        from here on, also for an expired or revoked certificate, is refused to a known signer.
        """
        self._signer, self._message, self._is_known = signer, message, True
        try:
            trust.check_access_point(signer, Purpose.SIGNING)
        except CertificateUntrusted as error:
            raise As4Error(FAILED_AUTHENTICATION, f"the signer's certificate: {error.cause}") from None
        if message.sender_party != common_name(signer):
            raise As4Error(VALUE_INCONSISTENT, "From/PartyId is not the CN of the signer's certificate")
        self._check_addressee(message)
        if len(message.parts) != 1 and not message.is_test:
            raise As4Error(VALUE_INCONSISTENT, "not exactly one payload: the envelope")

    def _published(self, message: UserMessage) -> tuple[x509.Certificate, ...]:
        """Who may have signed a message that names a certificate without including it: the access point
        that metadata names for the sender. Nobody is asked about a message that is not for us."""
        self._check_addressee(message)
        if message.is_test:
            return ()
        try:
            return (lookup.endpoint_of(message.original_sender, MESSAGE_RECEIPT).certificate,)
        except LookupUnavailable:
            raise
        except FederationError:
            return ()

    def _check_addressee(self, message: UserMessage) -> None:
        if message.recipient_party != self._keys.party_id:
            raise As4Error(VALUE_INCONSISTENT, "To/PartyId is not this access point's")
        if message.is_test:
            return
        if message.service == TEST_SERVICE:
            raise As4Error(VALUE_NOT_RECOGNIZED, "Action is not the test service's")
        if (message.service, (message.service_type or "").lower()) != (PROCESS_ID, PROCESS_SCHEME):
            raise As4Error(VALUE_NOT_RECOGNIZED, "Service is not the federation's process")
        if not access_point_port.message_service().serves(message.final_recipient, document_type_of(message)):
            raise As4Error(OTHER, NOT_SERVICED)

    def _answer_test(self, received: ReceivedMessage) -> bytes:
        """Answer the test service (eDelivery AS4 1.15 1.4.4.3): everything was checked as in any other
        message, and nothing of it is kept or delivered."""
        message = received.user_message
        transfer_log.tested(self._keys.party_id, message, received.signing_certificate, received.signature)
        return signals.write_receipt(message.message_id, received.references, **_signing(self._keys))

    def _accept(self, received: ReceivedMessage) -> bytes:
        (part,) = received.parts
        with part.path.open("rb") as envelope:
            digest = hashlib.file_digest(envelope, "sha256").hexdigest()
            envelope.seek(0)
            known, is_new = self._store(received, envelope, digest)
        if known.envelope_digest not in {digest, ""}:
            raise As4Error(
                VALUE_INCONSISTENT,
                "a message by this MessageId has been accepted, with another payload",
                known.as4_message_id,
            )
        if not is_new:
            transfer_log.inbound(
                transfer_log.Kind.DUPLICATE,
                known,
                self._keys.party_id,
                received.signing_certificate,
                received.signature,
            )
        return self._receipt(known, received)

    def _store(
        self, received: ReceivedMessage, envelope: BinaryIO, digest: str
    ) -> tuple[InboundTransfer, bool]:
        """Store the envelope and commit; False where the message has been accepted before.

        The unique constraint tells. Another connection that is about to commit the same message is waited
        for.
        """
        try:
            receipt = self._write_receipt(received.user_message.message_id, received.references)
            with transaction.atomic():
                transfer = _create_transfer(received, digest, receipt)
                # A commit whose answer is lost may have succeeded: then the file stays, and a sweep removes
                # it if not.
                with blobs.removed_on_failure(transfer.envelope_name):
                    blobs.store(transfer.envelope_name, envelope, transfer.envelope_binding)
                    self._report(transfer, received)
            return transfer, True
        except IntegrityError:
            known = _earlier_transfer(received.user_message)
            if known is None:
                raise
            return known, False

    def _report(self, transfer: InboundTransfer, received: ReceivedMessage) -> None:
        transfer_log.inbound(
            transfer_log.Kind.RECEIVED,
            transfer,
            self._keys.party_id,
            received.signing_certificate,
            received.signature,
        )
        receptions.note(transfer.pk, self._began, transfer.size)
        access_point_port.message_service().envelope_arrived(
            transfer.pk,
            received.user_message.original_sender,
            received.user_message.final_recipient,
            transfer.document_type,
        )

    def _receipt(self, transfer: InboundTransfer, received: ReceivedMessage) -> bytes:
        """The receipt that was given first.

        A resend that was signed anew gets a receipt for what it signed: many senders compare.
        """
        if transfer.receipt is not None and _as_json(received.references) == transfer.signed_references:
            return bytes(transfer.receipt)
        return self._write_receipt(transfer.as4_message_id, received.references)

    def _write_receipt(self, as4_message_id: str, references: tuple[SignedReference, ...]) -> bytes:
        return signals.write_receipt(as4_message_id, references, **_signing(self._keys))


def _create_transfer(received: ReceivedMessage, digest: str, receipt: bytes) -> InboundTransfer:
    message = received.user_message
    document_type = document_type_of(message)
    transfer_id = uuid.uuid4()
    return InboundTransfer.objects.create(
        id=transfer_id,
        as4_message_id=message.message_id,
        conversation_id=message.conversation_id,
        sender=message.original_sender.value,
        recipient=message.final_recipient.value,
        document_id=document_type.identifier,
        document_scheme=document_type.scheme,
        sending_access_point=message.sender_party,
        signing_certificate=received.signing_certificate.public_bytes(Encoding.PEM).decode(),
        envelope_name=blobs.dated("inbound", str(transfer_id)),
        envelope_digest=digest,
        size=received.parts[0].size,
        signed_references=_as_json(received.references),
        receipt=receipt,
    )


def _earlier_transfer(message: UserMessage) -> InboundTransfer | None:
    return InboundTransfer.objects.filter(
        sending_access_point=message.sender_party, as4_message_id=message.message_id
    ).first()


def _as_json(references: tuple[SignedReference, ...]) -> list[list[str]]:
    return [[item.uri, item.xml.decode()] for item in references]


class _Signing(TypedDict):
    message_id: str
    timestamp: datetime
    signing_key: RSAPrivateKey
    signing_certificate: x509.Certificate


def _signing(keys: AccessPointKeys) -> _Signing:
    return {
        "message_id": f"{uuid.uuid4()}@{keys.party_id}",
        "timestamp": timezone.now(),
        "signing_key": keys.signing_key,
        "signing_certificate": keys.certificate,
    }
