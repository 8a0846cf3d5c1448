"""Reading the transfer log (C3.4.6 section 3.4.1): by any id, by time; as CSV or JSON lines."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import Q, QuerySet

from transport.spreadsheets import harmless

from .models import TransferEvent

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
    csv.writer(line).writerow(values)
    return line.getvalue()
