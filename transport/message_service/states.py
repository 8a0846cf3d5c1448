"""The states of messages, by the names of B1.4.2 (KV Meddelandestatus), and which may follow which."""

from typing import Final

from django.db.models import TextChoices


class OutgoingState(TextChoices):
    """The states of an outgoing message."""

    SCHEDULED = "SCHEDULED"
    SUBMITTED = "SUBMITTED"
    SCHEDULED_FOR_RESEND = "SCHEDULED_FOR_RESEND"
    ACKNOWLEDGE = "ACKNOWLEDGE"
    WAITING_FOR_RECEIPT = "WAITING_FOR_RECEIPT"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    MESSAGE_EXCHANGE_ERROR = "MESSAGE_EXCHANGE_ERROR"
    ERROR = "ERROR"


class IncomingState(TextChoices):
    """The states of an incoming message. ARRIVED is ours: stored, not validated yet. ERROR: a dead letter."""

    ARRIVED = "ARRIVED"
    RETRIEVED = "RETRIEVED"
    RECEIPT_SENT = "RECEIPT_SENT"
    NEW = "NEW"
    MESSAGE_EXCHANGE_ERROR = "MESSAGE_EXCHANGE_ERROR"
    ERROR = "ERROR"


_O = OutgoingState
_I = IncomingState

# A message receipt settles a message whatever was known of its transfer: it may overtake the transport
# receipt, and it counts when it comes late.
_SETTLED_BY_RECEIPT: Final = frozenset({_O.ACCEPTED, _O.REJECTED})
# By hand, when it failed or lacks a receipt (`tracking.resend`).
_SENT_AGAIN: Final = frozenset({_O.SCHEDULED})

OUTGOING: Final[dict[OutgoingState, frozenset[OutgoingState]]] = {
    # Cancelled, it fails at once; sent again by hand, a receipt for the first time may still settle it.
    _O.SCHEDULED: frozenset({_O.SUBMITTED, _O.ERROR, _O.MESSAGE_EXCHANGE_ERROR}) | _SETTLED_BY_RECEIPT,
    _O.SUBMITTED: frozenset({_O.SCHEDULED_FOR_RESEND, _O.ACKNOWLEDGE, _O.MESSAGE_EXCHANGE_ERROR})
    | _SETTLED_BY_RECEIPT
    | _SENT_AGAIN,
    _O.SCHEDULED_FOR_RESEND: frozenset({_O.SCHEDULED_FOR_RESEND, _O.ACKNOWLEDGE, _O.MESSAGE_EXCHANGE_ERROR})
    | _SETTLED_BY_RECEIPT
    | _SENT_AGAIN,
    _O.ACKNOWLEDGE: frozenset({_O.WAITING_FOR_RECEIPT}) | _SETTLED_BY_RECEIPT,
    _O.WAITING_FOR_RECEIPT: _SETTLED_BY_RECEIPT | _SENT_AGAIN,
    _O.MESSAGE_EXCHANGE_ERROR: _SETTLED_BY_RECEIPT | _SENT_AGAIN,
    _O.ERROR: frozenset({_O.MESSAGE_EXCHANGE_ERROR}),
    _O.ACCEPTED: frozenset(),
    _O.REJECTED: frozenset(),
}

INCOMING: Final[dict[IncomingState, frozenset[IncomingState]]] = {
    _I.ARRIVED: frozenset({_I.RETRIEVED, _I.MESSAGE_EXCHANGE_ERROR, _I.ERROR}),
    # A dead letter; an administrator has it tried again, or rejected.
    _I.ERROR: frozenset({_I.ARRIVED}),
    # A message that was delivered, and whose receipt could not be (KV Meddelandestatus 6).
    _I.RETRIEVED: frozenset({_I.RECEIPT_SENT, _I.MESSAGE_EXCHANGE_ERROR}),
    _I.RECEIPT_SENT: frozenset({_I.NEW}),
    _I.NEW: frozenset(),
    _I.MESSAGE_EXCHANGE_ERROR: frozenset(),
}
