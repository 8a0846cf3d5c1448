"""Transitions of a message's state: the table of `states` decides, and every change is an event.

Only `outbound` makes those of outgoing messages, and only `inbound` those of incoming ones.
"""

import logging
from collections.abc import Sequence

from transport import unit_of_work

from .client_port import MessageKey, message_client
from .models import Event, IncomingMessage, OutgoingMessage
from .states import INCOMING, OUTGOING, IncomingState, OutgoingState

logger = logging.getLogger(__name__)
SYSTEM = "system"
# Events that change no state.
TRANSPORT_RECEIPT = "TRANSPORT_RECEIPT"
RECEIPT_MISSING = "RECEIPT_MISSING"
TRANSPORT_RECEIPT_MISSING = "TRANSPORT_RECEIPT_MISSING"
# The cause where a person has ordered it.
BY_HAND = "by-hand"
# The cause where a message was delivered locally.
LOCAL = "inside"
# The cause where another message service did it for us.
BY_API = "by-api"
# The cause where another function stood in for the recipient.
STANDS_IN = "stands-in"


class TransitionNotAllowed(Exception):
    """The state does not follow the one that the message is in."""


def can_transition_to(message: OutgoingMessage, state: OutgoingState) -> bool:
    """Whether the state may follow the one that the message is in."""
    return state in OUTGOING[OutgoingState(message.state)]


def transition_to(
    message: OutgoingMessage, state: OutgoingState, *, cause: str = "", actor: str = SYSTEM
) -> None:
    """Set the state and write the event; the caller saves the row in the same transaction.

    Raises `TransitionNotAllowed`.
    """
    _enter(message, state, cause)
    record_event(message, state, cause=cause, actor=actor)


def acknowledge(message: OutgoingMessage, states: Sequence[OutgoingState], *, cause: str = "") -> None:
    """Record the transport receipt, and pass through the states that follow; as `transition_to`."""
    events = [Event(outgoing=message, name=TRANSPORT_RECEIPT, cause=cause[:200], actor=SYSTEM)]
    for state in states:
        _enter(message, state, "")
        events.append(Event(outgoing=message, name=state, actor=SYSTEM))
    unit_of_work.insert(*events)
    for event in events:
        _log("outgoing", message.message_id, event.name, event.cause)


def _enter(message: OutgoingMessage, state: OutgoingState, cause: str) -> None:
    if not can_transition_to(message, state):
        raise TransitionNotAllowed(f"{message.state} to {state}")
    message.state = state
    message.cause = cause[:100]


def record_event(message: OutgoingMessage, name: str, *, cause: str = "", actor: str = SYSTEM) -> None:
    """Write an event without a change of state. `name` is a state or one of the events above."""
    unit_of_work.insert(Event(outgoing=message, name=name, cause=cause[:200], actor=actor))
    _log("outgoing", message.message_id, name, cause)


def save_and_notify(message: OutgoingMessage) -> None:
    """Save the row and notify the client."""
    message.save()
    notify(message)


def notify(message: OutgoingMessage) -> None:
    """Notify the client, which looks at once, of a row that was saved; not of a receipt's row."""
    if not message.is_receipt:
        key = MessageKey(message.organisation.participant_id, message.message_id)
        unit_of_work.notify(_deliveries_changed, key)


def notify_of_arrival(message: IncomingMessage) -> None:
    """Notify the client of what became of the receipt for a message that was delivered, and saved."""
    if message.message_id is not None:
        key = MessageKey(message.organisation.participant_id, message.message_id)
        unit_of_work.notify(_arrivals_changed, key)


def _deliveries_changed(messages: Sequence[MessageKey]) -> None:
    message_client().deliveries_changed(messages)


def _arrivals_changed(messages: Sequence[MessageKey]) -> None:
    message_client().arrivals_changed(messages)


def transition_incoming(
    message: IncomingMessage, *states: IncomingState, cause: str = "", detail: str = "", actor: str = SYSTEM
) -> None:
    """Pass an incoming message through the states and write their events; the caller saves the row.

    `detail` follows the cause in the events. Raises `TransitionNotAllowed`.
    """
    told = f"{cause}: {detail}" if detail else cause
    for state in states:
        if state not in INCOMING[IncomingState(message.state)]:
            raise TransitionNotAllowed(f"{message.state} to {state}")
        message.state = state
        message.cause = cause[:100]
    unit_of_work.insert(
        *(Event(incoming=message, name=state, cause=told[:200], actor=actor[:200]) for state in states)
    )
    for state in states:
        _log("incoming", message.message_id, state, cause)


def _log(direction: str, message_id: object, name: str, cause: str) -> None:
    fields = {"direction": direction, "message_id": message_id, "event": name}
    if cause:
        fields["cause"] = cause
    logger.info("message_event", extra={"fields": fields})
