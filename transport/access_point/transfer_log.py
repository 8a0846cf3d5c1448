"""Writing the transfer log (C3.4.6 section 3.4.1): to the database for 12 months, and as a log line."""

import base64
import logging
import time
from datetime import timedelta
from functools import partial
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from django.db import transaction
from django.utils import timezone

from transport.protocol.as4.messages import UserMessage
from transport.protocol.certificates import fingerprint

from .models import InboundTransfer, LoggedCertificate, OutboundTransfer, TransferEvent

logger = logging.getLogger(__name__)
Kind = TransferEvent.Kind
# Certificates that this process has kept of late, and until when it does not ask again. That is much shorter
# than what `remove_older_than` lets stay: what is known here is still there.
_known: dict[str, float] = {}
_KNOWN_SECONDS: Final = 3600
_MOST_KNOWN: Final = 1_000


def outbound(
    kind: Kind,
    transfer: OutboundTransfer,
    own_party: str,
    *,
    peer: str = "",
    certificate: x509.Certificate | None = None,
    signature: bytes = b"",
    cause: str = "",
) -> None:
    """An event of a transfer that leaves here; `signature` is that of the receipt for it."""
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
        certificate=_kept(certificate),
        signature=_base64(signature),
        cause=cause,
    )


def inbound(
    kind: Kind,
    transfer: InboundTransfer,
    own_party: str,
    certificate: x509.Certificate,
    signature: bytes,
) -> None:
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
        certificate=_kept(certificate),
        signature=_base64(signature),
    )


def discarded(transfer: InboundTransfer, own_party: str, envelope_id: str, cause: str) -> None:
    """A transfer whose envelope was found not to conform, and deleted (C3.4.6 3.2.1 and 3.2.2)."""
    _write(
        Kind.DISCARDED,
        as4_message_id=transfer.as4_message_id,
        conversation_id=transfer.conversation_id,
        envelope_id=envelope_id,
        sender=transfer.sender,
        recipient=transfer.recipient,
        document_id=transfer.document_id,
        sending_access_point=transfer.sending_access_point,
        receiving_access_point=own_party,
        cause=cause,
    )


def refused(
    own_party: str,
    cause: str,
    *,
    as4_message_id: str = "",
    message: UserMessage | None = None,
    certificate: x509.Certificate | None = None,
) -> None:
    """A message of a known signer that was not taken, with as much as was known of it when it was refused."""
    _write(
        Kind.REFUSED,
        certificate=_kept(certificate),
        cause=cause,
        **_of_refused(own_party, as4_message_id, message),
    )


def refused_unknown(
    own_party: str,
    cause: str,
    *,
    as4_message_id: str = "",
    message: UserMessage | None = None,
    certificate: x509.Certificate | None = None,
) -> None:
    """As `refused`, of whom nothing shows that they are in the federation: a log line, and nothing is kept.

    Anybody can make such events, and what is kept here is kept for more than a year.
    """
    told = _of_refused(own_party, as4_message_id, message)
    if certificate is not None:
        told["certificate"] = fingerprint(certificate)
    _tell(Kind.REFUSED, cause=cause, **told)


def tested(own_party: str, message: UserMessage, certificate: x509.Certificate, signature: bytes) -> None:
    """A message of the test service, which was answered and not delivered."""
    _write(
        Kind.TESTED,
        certificate=_kept(certificate),
        signature=_base64(signature),
        **_of_refused(own_party, message.message_id, message),
    )


def _of_refused(own_party: str, as4_message_id: str, message: UserMessage | None) -> dict[str, str]:
    """What an event tells of a message that was not put in; `message` where the signature over it holds."""
    told: dict[str, str] = {}
    if message is not None:
        told = {
            "conversation_id": message.conversation_id,
            "sender": message.original_sender.value,
            "recipient": message.final_recipient.value,
            "document_id": message.action.partition("::")[2][:500],
            "sending_access_point": message.sender_party[:200],
        }
    return {"as4_message_id": as4_message_id[:255], "receiving_access_point": own_party, **told}


def remove_older_than(days: int) -> int:
    """Remove events of more than so many days ago; how many."""
    forget()
    removed, _ = TransferEvent.objects.filter(at__lt=timezone.now() - timedelta(days=days)).delete()
    named = TransferEvent.objects.exclude(certificate="").values("certificate")
    LoggedCertificate.objects.exclude(fingerprint__in=named).delete()
    return removed


def forget() -> None:
    """Forget which certificates are kept."""
    _known.clear()


def _kept(certificate: x509.Certificate | None) -> str:
    """The fingerprint by which the log names a certificate that it keeps."""
    if certificate is None:
        return ""
    name = fingerprint(certificate)
    if time.monotonic() > _known.get(name, 0):
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        kept = LoggedCertificate(fingerprint=name, certificate=pem)
        LoggedCertificate.objects.bulk_create([kept], ignore_conflicts=True)
        transaction.on_commit(partial(_remember, name))
    return name


def _remember(name: str) -> None:
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[name] = time.monotonic() + _KNOWN_SECONDS


def _base64(signature: bytes) -> str:
    return base64.b64encode(signature).decode()


def _write(kind: Kind, *, cause: str = "", **fields: str) -> None:
    TransferEvent.objects.create(kind=kind, cause=cause[:600], **fields)
    _tell(kind, cause=cause, **fields)


def _tell(kind: Kind, **fields: str) -> None:
    told = {name: value for name, value in fields.items() if value and name != "signature"}
    logger.info("transfer %s", kind.lower(), extra={"fields": told})
