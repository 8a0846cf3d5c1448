"""How sending has gone lately, by counterpart: figures for a helpdesk, without a message in them."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db.models import Count, Max, Q

from ..states import OutgoingState
from ..transitions import BY_HAND, LOCAL, TRANSPORT_RECEIPT
from .latest_events import latest_events

_TROUBLE: Final = (
    OutgoingState.SCHEDULED,
    OutgoingState.SCHEDULED_FOR_RESEND,
    OutgoingState.MESSAGE_EXCHANGE_ERROR,
)


@dataclass(slots=True)
class Exchange:
    """What became of what was sent to a counterpart: transport receipts, and why attempts did not succeed."""

    participant: str
    receipts: int = 0
    last_receipt_at: datetime | None = None
    causes: dict[str, int] = field(default_factory=dict)
    last_cause: str = ""
    last_trouble_at: datetime | None = None

    @property
    def is_troubled(self) -> bool:
        """Whether nothing has come through since an attempt did not succeed."""
        if self.last_trouble_at is None:
            return False
        return self.last_receipt_at is None or self.last_receipt_at < self.last_trouble_at


def exchanges(participants: Collection[str], since: datetime) -> list[Exchange]:
    """The exchanges of these organisations since then, among the latest 20,000 events, by counterpart.

    What stayed in this node is left out, and so are messages without an event of interest.
    """
    rows = (
        latest_events(since)
        .filter(
            Q(name=TRANSPORT_RECEIPT) | Q(name__in=_TROUBLE),
            outgoing__organisation__participant_id__in=participants,
        )
        .exclude(cause__in=(BY_HAND, LOCAL))
        .exclude(~Q(name=TRANSPORT_RECEIPT), cause="")
        .values_list("outgoing__recipient", "name", "cause")
        .annotate(number=Count("pk"), latest=Max("at"))
    )
    found: dict[str, Exchange] = {}
    for participant, name, cause, number, at in rows:
        exchange = found.setdefault(participant, Exchange(participant))
        if name == TRANSPORT_RECEIPT:
            exchange.receipts += number
            exchange.last_receipt_at = max(exchange.last_receipt_at or at, at)
            continue
        exchange.causes[cause] = exchange.causes.get(cause, 0) + number
        if exchange.last_trouble_at is None or at > exchange.last_trouble_at:
            exchange.last_trouble_at, exchange.last_cause = at, cause
    return sorted(found.values(), key=lambda exchange: exchange.participant)
