"""Writing the transfer log (C3.4.6 section 3.4.1): to the database for 12 months, and as a log line."""

import logging

from cryptography import x509

from ..protocol.as4.messages import UserMessage
from ..protocol.certificates import fingerprint
from .models import InboundTransfer, OutboundTransfer, TransferEvent

logger = logging.getLogger(__name__)
Kind = TransferEvent.Kind


def outbound(
    kind: Kind,
    transfer: OutboundTransfer,
    own_party: str,
    *,
    peer: str = "",
    certificate: x509.Certificate | None = None,
    cause: str = "",
) -> None:
    """An event of a transfer that leaves here."""
    _write(
        kind,
        as4_message_id=transfer.as4_message_id,
        conversation_id=transfer.conversation_id,
        envelope_id=transfer.envelope_id,
        sender=transfer.sender,
        recipient=transfer.recipient,
        document_id=transfer.document_id,
        sending_access_point=own_party,
        receiving_access_point=peer,
        certificate=_fingerprint(certificate),
        cause=cause,
    )


def inbound(kind: Kind, transfer: InboundTransfer, own_party: str, certificate: x509.Certificate) -> None:
    """An event of a transfer that has been taken here."""
    _write(
        kind,
        as4_message_id=transfer.as4_message_id,
        conversation_id=transfer.conversation_id,
        sender=transfer.sender,
        recipient=transfer.recipient,
        document_id=transfer.document_id,
        sending_access_point=transfer.sending_access_point,
        receiving_access_point=own_party,
        certificate=_fingerprint(certificate),
    )


def refused(
    own_party: str,
    cause: str,
    *,
    as4_message_id: str = "",
    message: UserMessage | None = None,
    certificate: x509.Certificate | None = None,
) -> None:
    """A message that was not taken, with as much as was known of it when it was refused.

    `message` and `certificate` are given only where the signature over the header holds.
    """
    told: dict[str, str] = {}
    if message is not None:
        told = {
            "conversation_id": message.conversation_id,
            "sender": message.original_sender.value,
            "recipient": message.final_recipient.value,
            "document_id": message.action.partition("::")[2][:500],
            "sending_access_point": message.sender_party[:200],
        }
    _write(
        Kind.REFUSED,
        as4_message_id=as4_message_id[:255],
        receiving_access_point=own_party,
        certificate=_fingerprint(certificate),
        cause=cause,
        **told,
    )


def _fingerprint(certificate: x509.Certificate | None) -> str:
    return fingerprint(certificate) if certificate is not None else ""


def _write(kind: Kind, *, cause: str = "", **fields: str) -> None:
    TransferEvent.objects.create(kind=kind, cause=cause[:600], **fields)
    told = {name: value for name, value in {**fields, "cause": cause}.items() if value}
    logger.info("transfer %s", kind.lower(), extra={"fields": told})
