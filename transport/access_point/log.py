"""Writing the transfer log (C3.4.6 section 3.4.1): to the database for 12 months, and as a log line."""

import logging

from .models import InboundTransfer, OutboundTransfer, TransferEvent

logger = logging.getLogger(__name__)
Kind = TransferEvent.Kind


def outbound(kind: Kind, transfer: OutboundTransfer, own_party: str, peer: str = "", cause: str = "") -> None:
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
        cause=cause,
    )


def inbound(kind: Kind, transfer: InboundTransfer, own_party: str) -> None:
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
    )


def refused(own_party: str, cause: str, as4_message_id: str = "", peer: str = "") -> None:
    """A message that was not taken."""
    _write(
        Kind.REFUSED,
        as4_message_id=as4_message_id[:255],
        sending_access_point=peer[:200],
        receiving_access_point=own_party,
        cause=cause[:600],
    )


def _write(kind: Kind, **fields: str) -> None:
    TransferEvent.objects.create(kind=kind, **fields)
    told = {name: value for name, value in fields.items() if value}
    logger.info("transfer %s", kind.lower(), extra={"fields": told})
