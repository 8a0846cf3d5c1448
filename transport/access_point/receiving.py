"""Taking a message from another access point: check, store, commit, and only then sign the receipt."""

import uuid
from typing import BinaryIO

from cryptography import x509
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone

from .. import hand_over
from ..federation import trust
from ..protocol.as4 import signals
from ..protocol.as4.errors import (
    FAILED_AUTHENTICATION,
    NOT_SERVICED,
    OTHER,
    VALUE_INCONSISTENT,
    VALUE_NOT_RECOGNIZED,
    As4Error,
)
from ..protocol.as4.messages import SignedReference, UserMessage
from ..protocol.as4.mime import MimeLimits
from ..protocol.as4.unpacking import As4Limits, ReceivedMessage, read_user_message
from ..protocol.certificates import CertificateUntrusted, Purpose, common_name
from ..protocol.identifiers import DOCUMENT_SCHEME, PROCESS_ID, PROCESS_SCHEME, DocumentType
from ..workspace import workspace
from . import log
from .keys import AccessPointKeys, own_keys
from .models import InboundTransfer


def receive(content_type: str, body: BinaryIO) -> bytes:
    """Take a message and give the signed signal that answers it: its receipt, or an error.

    `RevocationUnknown` and failures of storage or database go through: the sender will try again.
    """
    keys = own_keys()
    try:
        with workspace("receiving") as directory:
            received = read_user_message(
                content_type,
                body,
                directory=directory,
                decryption_keys=keys.decryption_keys,
                check_signer=lambda signer, message: _check(signer, message, keys),
                limits=As4Limits(
                    MimeLimits(max_total=settings.SDK_MAX_TRANSFER_BYTES), settings.SDK_MAX_TRANSFER_BYTES
                ),
            )
            return _take(received, keys)
    except As4Error as error:
        log.refused(keys.party_id, str(error), error.ref_to_message_id or "")
        return signals.write_error(error, **_signing(keys))


def _check(signer: x509.Certificate, message: UserMessage, keys: AccessPointKeys) -> None:
    """Who signs, and whether it is for us (C3.2.1 2.3.1 j to o, 2.5, 2.10 c and d)."""
    try:
        trust.check_access_point(signer, Purpose.SIGNING)
    except CertificateUntrusted as error:
        raise As4Error(FAILED_AUTHENTICATION, f"the signer's certificate: {error.cause}") from None
    if message.sender_party != common_name(signer):
        raise As4Error(VALUE_INCONSISTENT, "From/PartyId is not the CN of the signer's certificate")
    if message.recipient_party != keys.party_id:
        raise As4Error(VALUE_INCONSISTENT, "To/PartyId is not this access point's")
    if (message.service, (message.service_type or "").lower()) != (PROCESS_ID, PROCESS_SCHEME):
        raise As4Error(VALUE_NOT_RECOGNIZED, "Service is not the federation's process")
    if not hand_over.is_served(message.final_recipient, document_type_of(message)):
        raise As4Error(OTHER, NOT_SERVICED)
    if len(message.parts) != 1:
        raise As4Error(VALUE_INCONSISTENT, "not exactly one payload: the envelope")


def document_type_of(message: UserMessage) -> DocumentType:
    """The Action as a document type."""
    scheme, separator, identifier = message.action.partition("::")
    return DocumentType(identifier, scheme) if separator else DocumentType(message.action, DOCUMENT_SCHEME)


def _take(received: ReceivedMessage, keys: AccessPointKeys) -> bytes:
    message = received.user_message
    known = _known(message)
    if known is None:
        (part,) = received.parts
        transfer_id = uuid.uuid4()
        with part.path.open("rb") as envelope:
            name = default_storage.save(f"inbound/{timezone.now():%Y/%m/%d}/{transfer_id}", File(envelope))
        try:
            return _receipt(_stored(transfer_id, name, received, keys), received, keys)
        except IntegrityError:
            # The same message came over another connection while this one was being read.
            default_storage.delete(name)
            known = InboundTransfer.objects.get(
                sending_access_point=message.sender_party, as4_message_id=message.message_id
            )
        except BaseException:
            default_storage.delete(name)
            raise
    log.inbound(log.Kind.DUPLICATE, known, keys.party_id)
    return _receipt(known, received, keys)


def _known(message: UserMessage) -> InboundTransfer | None:
    return InboundTransfer.objects.filter(
        sending_access_point=message.sender_party, as4_message_id=message.message_id
    ).first()


def _stored(
    transfer_id: uuid.UUID, name: str, received: ReceivedMessage, keys: AccessPointKeys
) -> InboundTransfer:
    message = received.user_message
    document_type = document_type_of(message)
    with transaction.atomic():
        transfer = InboundTransfer.objects.create(
            id=transfer_id,
            as4_message_id=message.message_id,
            conversation_id=message.conversation_id,
            sender=message.original_sender.value,
            recipient=message.final_recipient.value,
            document_id=document_type.identifier,
            document_scheme=document_type.scheme,
            sending_access_point=message.sender_party,
            envelope_name=name,
            size=received.parts[0].size,
            signed_references=[[item.uri, item.xml.decode()] for item in received.references],
        )
        log.inbound(log.Kind.RECEIVED, transfer, keys.party_id)
        hand_over.envelope_arrived.send(
            sender=InboundTransfer,
            transfer_id=transfer.id,
            recipient=message.final_recipient,
            document_type=document_type,
        )
    return transfer


def _receipt(transfer: InboundTransfer, received: ReceivedMessage, keys: AccessPointKeys) -> bytes:
    """The receipt that was first given; one of its own where a resend was signed anew."""
    told = [[item.uri, item.xml.decode()] for item in received.references]
    if told != transfer.signed_references:
        return _signed_receipt(received.user_message.message_id, received.references, keys)
    with transaction.atomic():
        row = InboundTransfer.objects.select_for_update().get(pk=transfer.pk)
        if row.receipt is None:
            row.receipt = _signed_receipt(row.as4_message_id, received.references, keys)
            row.save(update_fields=["receipt"])
        return bytes(row.receipt)


def _signed_receipt(message_id: str, references: tuple[SignedReference, ...], keys: AccessPointKeys) -> bytes:
    return signals.write_receipt(message_id, references, **_signing(keys))


def _signing(keys: AccessPointKeys) -> dict:
    return {
        "message_id": f"{uuid.uuid4()}@{keys.party_id}",
        "timestamp": timezone.now(),
        "signing_key": keys.signing_key,
        "signing_certificate": keys.certificate,
    }
