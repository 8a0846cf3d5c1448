"""The delivery of sent messages, for message clients."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from transport.message_service.models import Event, OutgoingMessage
from transport.message_service.states import OutgoingState
from transport.message_service.transitions import BY_HAND

from .resend import cancellable_transfers, may_be_cancelled, may_be_sent_again


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
    transport_missing_at: datetime | None = None
    may_be_sent_again: bool = False
    may_be_cancelled: bool = False

    @property
    def lacks_transport_receipt(self) -> bool:
        """Nothing has told in time that it got as far as the recipient's organisation."""
        return self.transport_missing_at is not None and not (
            self.transport_receipt_at or self.message_receipt_at
        )

    @property
    def lacks_message_receipt(self) -> bool:
        """It got there, and its recipient has not told in time what became of it."""
        return self.receipt_missing_at is not None and self.message_receipt_at is None

    @property
    def was_sent_again(self) -> bool:
        """Somebody has sent it again by hand."""
        return any(event.cause == BY_HAND for event in self.events)


def delivery_of(participant: str, message_id: UUID) -> Delivery | None:
    """The delivery of one message; None where the participant has sent none by that id."""
    return deliveries_of(participant, [message_id]).get(message_id)


def states_of(participant: str, message_ids: Iterable[UUID]) -> dict[UUID, Delivery]:
    """As `deliveries_of`, without their events and what may be done: following each change does not need
    them."""
    return {row.message_id: _delivery(row, (), set()) for row in _sent(participant, message_ids)}


def deliveries_of(participant: str, message_ids: Iterable[UUID]) -> dict[UUID, Delivery]:
    """Deliveries by message id, in two queries, or three where something is on its way."""
    rows = list(_sent(participant, message_ids).prefetch_related("events"))
    cancellable = cancellable_transfers(rows)
    return {row.message_id: _delivery(row, row.events.all(), cancellable) for row in rows}


def _sent(participant: str, message_ids: Iterable[UUID]) -> QuerySet[OutgoingMessage]:
    return OutgoingMessage.objects.filter(
        organisation__participant_id=participant,
        kind=OutgoingMessage.Kind.MESSAGE,
        message_id__in=list(message_ids),
    )


def _delivery(row: OutgoingMessage, events: Iterable[Event], cancellable: Collection[UUID]) -> Delivery:
    return Delivery(
        OutgoingState(row.state),
        row.cause,
        tuple(RejectionCause(item["reason"], item["detail"], item["text"]) for item in row.causes),
        tuple(DeliveryEvent(event.at, event.name, event.cause, event.actor) for event in events),
        row.created_at,
        row.transport_receipt_at,
        row.message_receipt_at,
        row.receipt_missing_at,
        row.transport_missing_at,
        may_be_sent_again(row),
        may_be_cancelled(row, cancellable),
    )
