"""What is known of the delivery of messages that were sent: for message clients."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from .models import OutgoingMessage
from .states import OutgoingState


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """One line of a message's history."""

    at: datetime
    name: str
    cause: str
    actor: str


@dataclass(frozen=True, slots=True)
class RejectionCause:
    """Why the recipient rejected the message, by the receipt's codes; `text` is the recipient's."""

    reason: str
    detail: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """The state of a sent message. No more certain than what is known."""

    state: OutgoingState
    cause: str
    causes: tuple[RejectionCause, ...]
    events: tuple[DeliveryEvent, ...]
    created_at: datetime
    transport_receipt_at: datetime | None
    message_receipt_at: datetime | None
    receipt_missing_at: datetime | None


def delivery_of(participant: str, message_id: UUID) -> Delivery | None:
    """The delivery of one message; None where the participant has sent none by that id."""
    return deliveries_of(participant, [message_id]).get(message_id)


def deliveries_of(participant: str, message_ids: Iterable[UUID]) -> dict[UUID, Delivery]:
    """Deliveries by message id, in two queries."""
    rows = OutgoingMessage.objects.filter(
        organisation__participant_id=participant,
        kind=OutgoingMessage.Kind.MESSAGE,
        message_id__in=list(message_ids),
    ).prefetch_related("events")
    return {row.message_id: _delivery(row) for row in rows}


def _delivery(row: OutgoingMessage) -> Delivery:
    return Delivery(
        OutgoingState(row.state),
        row.cause,
        tuple(RejectionCause(item["reason"], item["detail"], item["text"]) for item in row.causes),
        tuple(DeliveryEvent(event.at, event.name, event.cause, event.actor) for event in row.events.all()),
        row.created_at,
        row.transport_receipt_at,
        row.message_receipt_at,
        row.receipt_missing_at,
    )
