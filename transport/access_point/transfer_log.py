"""The transfer log (C3.4.6 section 3.4.1): written to the database for 12 months, and as a log line; read by
any id, by time, as CSV or JSON lines."""

import base64
import csv
import io
import json
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from transport import unit_of_work
from transport.protocol.as4.messages import UserMessage
from transport.protocol.certificates import fingerprint
from transport.spreadsheets import harmless

from .models import InboundTransfer, LoggedCertificate, OutboundTransfer, TransferEvent

logger = logging.getLogger(__name__)
Kind = TransferEvent.Kind
# Certificates that this process has stored of late, and until when it does not store them again. That is much
# shorter than what `remove_older_than` keeps: what is known here is still stored.
_known: dict[str, float] = {}
_KNOWN_SECONDS: Final = 3600
_MOST_KNOWN: Final = 1_000
COLUMNS: Final = (
    "at",
    "kind",
    "as4_message_id",
    "conversation_id",
    "envelope_id",
    "sender",
    "recipient",
    "document_id",
    "sending_access_point",
    "receiving_access_point",
    "certificate",
    "signature",
    "cause",
)
_IDS: Final = (
    "as4_message_id",
    "conversation_id",
    "envelope_id",
    "certificate",
    "sending_access_point",
    "receiving_access_point",
)
_BATCH: Final = 2000


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
    """Log an event of an outbound transfer; `signature` is that of the receipt for it."""
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
        certificate=_store_certificate(certificate),
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
    """Log an event of an inbound transfer."""
    _write(
        kind,
        as4_message_id=transfer.as4_message_id,
        conversation_id=transfer.conversation_id,
        sender=transfer.sender,
        recipient=transfer.recipient,
        document_id=transfer.document_id,
        sending_access_point=transfer.sending_access_point,
        receiving_access_point=own_party,
        certificate=_store_certificate(certificate),
        signature=_base64(signature),
    )


def discarded(transfer: InboundTransfer, own_party: str, envelope_id: str, cause: str) -> None:
    """Log that a transfer's envelope did not conform, and was deleted (C3.4.6 3.2.1 and 3.2.2)."""
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
    """Log that a message of a known signer was refused, with as much as was known of it then."""
    _write(
        Kind.REFUSED,
        certificate=_store_certificate(certificate),
        cause=cause,
        **_message_fields(own_party, as4_message_id, message),
    )


def refused_unknown(
    own_party: str,
    cause: str,
    *,
    as4_message_id: str = "",
    message: UserMessage | None = None,
    certificate: x509.Certificate | None = None,
) -> None:
    """As `refused`, for a sender that is not known to be in the federation: a log line, and nothing is
    stored.

    Anybody can make such events, and what is kept here is kept for more than a year.
    """
    fields = _message_fields(own_party, as4_message_id, message)
    if certificate is not None:
        fields["certificate"] = fingerprint(certificate)
    _log(Kind.REFUSED, cause=cause, **fields)


def tested(own_party: str, message: UserMessage, certificate: x509.Certificate, signature: bytes) -> None:
    """Log a message of the test service, which was answered and not delivered."""
    _write(
        Kind.TESTED,
        certificate=_store_certificate(certificate),
        signature=_base64(signature),
        **_message_fields(own_party, message.message_id, message),
    )


def _message_fields(own_party: str, as4_message_id: str, message: UserMessage | None) -> dict[str, str]:
    """The fields of an event of a message that was not stored; `message` where its signature is valid."""
    fields: dict[str, str] = {}
    if message is not None:
        fields = {
            "conversation_id": message.conversation_id,
            "sender": message.original_sender.value,
            "recipient": message.final_recipient.value,
            "document_id": message.action.partition("::")[2][:500],
            "sending_access_point": message.sender_party[:200],
        }
    return {"as4_message_id": as4_message_id[:255], "receiving_access_point": own_party, **fields}


def last_logged_at() -> datetime | None:
    """When the latest event was logged; None if there is none."""
    return TransferEvent.objects.order_by("-pk").values_list("at", flat=True).first()


def remove_older_than(days: int) -> int:
    """Remove events that are older than so many days; how many."""
    forget_stored_certificates()
    removed, _ = TransferEvent.objects.filter(at__lt=timezone.now() - timedelta(days=days)).delete()
    named = TransferEvent.objects.exclude(certificate="").values("certificate")
    LoggedCertificate.objects.exclude(fingerprint__in=named).delete()
    return removed


def forget_stored_certificates() -> None:
    """Empty this process's memory of which certificates are stored."""
    _known.clear()


def _store_certificate(certificate: x509.Certificate | None) -> str:
    """Store a certificate once; its fingerprint, by which the log names it."""
    if certificate is None:
        return ""
    name = fingerprint(certificate)
    if time.monotonic() > _known.get(name, 0):
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        row = LoggedCertificate(fingerprint=name, certificate=pem)
        unit_of_work.insert(row, ignore_conflicts=True)
        transaction.on_commit(partial(_remember, name))
    return name


def _remember(name: str) -> None:
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[name] = time.monotonic() + _KNOWN_SECONDS


def _base64(signature: bytes) -> str:
    return base64.b64encode(signature).decode()


def _write(kind: Kind, *, cause: str = "", **fields: str) -> None:
    unit_of_work.insert(TransferEvent(kind=kind, cause=cause[:600], **fields))
    _log(kind, cause=cause, **fields)


def _log(kind: Kind, **fields: str) -> None:
    shown = {name: value for name, value in fields.items() if value and name != "signature"}
    logger.info("transfer_%s", kind.lower(), extra={"fields": shown})


@dataclass(frozen=True, slots=True)
class Question:
    """A search in the transfer log. `identity` is an AS4 MessageId or ConversationId, an envelope's id, a
    certificate's fingerprint, a participant or an access point's party id; times are aware, the last not
    included."""

    identity: str = ""
    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None
    participants: tuple[str, ...] | None = None


def events(question: Question) -> QuerySet[TransferEvent]:
    """The events that answer a question, the latest first. Pages are made by key (`pk`)."""
    rows = TransferEvent.objects.order_by("-pk")
    if question.identity:
        named = Q(sender=question.identity.lower()) | Q(recipient=question.identity.lower())
        for name in _IDS:
            named |= Q(**{name: question.identity})
        rows = rows.filter(named)
    if question.kind:
        rows = rows.filter(kind=question.kind)
    if question.since is not None:
        rows = rows.filter(at__gte=question.since)
    if question.until is not None:
        rows = rows.filter(at__lt=question.until)
    if question.participants is not None:
        own = question.participants
        rows = rows.filter(Q(sender__in=own) | Q(recipient__in=own))
    return rows


def as_csv(rows: QuerySet[TransferEvent]) -> Iterator[str]:
    """Lines of CSV with a heading, the oldest first; read in batches, however many there are."""
    yield _csv_line(COLUMNS)
    for row in _values(rows):
        yield _csv_line(harmless(value) for value in row.values())


def as_json_lines(rows: QuerySet[TransferEvent]) -> Iterator[str]:
    """A JSON object a line, the oldest first."""
    for row in _values(rows):
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _values(rows: QuerySet[TransferEvent]) -> Iterator[dict[str, Any]]:
    for row in rows.order_by("pk").values(*COLUMNS).iterator(_BATCH):
        yield {**row, "at": row["at"].astimezone(UTC).isoformat(timespec="milliseconds")}


def _csv_line(values: Iterable[str]) -> str:
    line = io.StringIO()
    # Separated as every file of ours for Swedish spreadsheets: another's text must not be cut at a semicolon.
    csv.writer(line, delimiter=";").writerow(values)
    return line.getvalue()
