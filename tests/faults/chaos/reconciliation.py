"""What became of every order, told from the rows of both nodes."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .senders import Order
from .world import ChaosNode

_FAILED = ("MESSAGE_EXCHANGE_ERROR", "REJECTED", "ERROR")


class Outcome(StrEnum):
    """How an order ended well: its sender knows what became of it."""

    ACCEPTED = "accepted once, and its sender told"
    FAILED = "failed, and its sender told"
    RECEIPT_MISSING = "accepted once, its receipt lost for good, and its sender told"
    CAME_BACK = "came back as a draft with the reason"
    NOT_SENT = "not taken, as the page had said"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that may not be."""

    node: str
    what: str
    which: str


@dataclass
class Reconciled:
    """How many orders ended how, and what may not be."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


def reconcile(sender: ChaosNode, recipient: ChaosNode, orders: Iterable[Order]) -> Reconciled:
    """Reconcile a node's orders with what the other node has."""
    rows = _Rows(sender, recipient)
    result = Reconciled()
    for order in orders:
        outcome = _outcome(order, rows)
        if isinstance(outcome, Outcome):
            result.outcomes[outcome] += 1
        else:
            result.findings.append(Finding(sender.name, outcome, f"draft {order.draft}"))
    known = {message_id for rows_of_draft in rows.sent.values() for message_id, *_ in rows_of_draft}
    for message_id, count in rows.arrived.items():
        if count > 1:
            result.findings.append(Finding(recipient.name, "delivered twice", message_id))
        if message_id not in known:
            result.findings.append(Finding(recipient.name, "delivered, and never sent", message_id))
    return result


class _Rows:
    """What there is in both databases, read once."""

    def __init__(self, sender: ChaosNode, recipient: ChaosNode) -> None:
        self.sent: dict[int, list[tuple[str, str, bool]]] = {}
        for draft, *values in sender.query(
            "SELECT draft_number, message_id::text, delivery_state, is_receipt_missing FROM mailbox_message "
            "WHERE direction = 'out' AND draft_number IS NOT NULL"
        ):
            self.sent.setdefault(draft, []).append((values[0], values[1], values[2]))
        self.drafts: dict[int, tuple[bool, str]] = {
            draft: (is_ordered, trouble)
            for draft, is_ordered, trouble in sender.query(
                "SELECT id, send_at IS NOT NULL, trouble FROM mailbox_draft"
            )
        }
        self.states = _by_id(
            sender,
            "SELECT message_id::text, state FROM message_service_outgoingmessage WHERE kind = 'message'",
        )
        self.arrived = _by_id(
            recipient,
            "SELECT message_id::text, count(*) FROM mailbox_message WHERE direction = 'in' GROUP BY 1",
        )
        self.accepted = _by_id(
            recipient,
            "SELECT message_id::text, count(*) FROM message_service_incomingmessage "
            "WHERE is_accepted GROUP BY 1",
        )
        self.failed_receipts = {
            message_id
            for (message_id,) in recipient.query(
                "SELECT i.message_id::text FROM message_service_outgoingmessage r "
                "JOIN message_service_incomingmessage i ON i.id = r.answers_id "
                "WHERE r.state = 'MESSAGE_EXCHANGE_ERROR'"
            )
        }


def _by_id(node: ChaosNode, query: str) -> dict[str, Any]:
    return dict(node.query(query))


def _outcome(order: Order, rows: _Rows) -> Outcome | str:
    """How it ended, or in words what is wrong."""
    sent = rows.sent.get(order.draft, [])
    if not sent:
        return _outcome_of_draft(order, rows)
    if len(sent) > 1:
        return "doubled: sent as several messages"
    message_id, told, is_receipt_missing = sent[0]
    state = rows.states.get(message_id)
    arrived, accepted = rows.arrived.get(message_id, 0), rows.accepted.get(message_id, 0)
    if order.draft in rows.drafts:
        return "doubled: sent, and a draft still"
    if state is None:
        return "lost: a sent message that is not ordered"
    if arrived != accepted or arrived > 1:
        return f"accepted {accepted} times and delivered {arrived} times"
    if state == "ACCEPTED":
        if not arrived:
            return "lost: accepted, and not there"
        return Outcome.ACCEPTED if told == state else f"its sender is told {told}, and it is {state}"
    if state in _FAILED:
        if told not in (state, *_FAILED):
            return f"its sender is told {told}, and it is {state}"
        return "delivered, and its sender told that it failed" if arrived else Outcome.FAILED
    if arrived and is_receipt_missing and message_id in rows.failed_receipts:
        return Outcome.RECEIPT_MISSING
    return f"stuck: {state}"


def _outcome_of_draft(order: Order, rows: _Rows) -> Outcome | str:
    if order.draft not in rows.drafts:
        return "lost: neither a draft nor a message"
    is_ordered, trouble = rows.drafts[order.draft]
    if is_ordered:
        return "stuck: a draft that is to be sent"
    if trouble:
        return Outcome.CAME_BACK
    return "lost: the page had said that it is sent" if order.is_confirmed else Outcome.NOT_SENT
