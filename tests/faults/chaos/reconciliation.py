"""What became of every order, told from the rows of both nodes."""

from collections import Counter
from collections.abc import Iterable, Iterator
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
    # Of orders that did not come through, or whose receipt did not: in words, with the cause.
    causes: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


@dataclass
class Rows:
    """What both databases have of one node's orders, read once."""

    # By draft: message id, what the sender's list says, and whether it says that a receipt is missing.
    sent: dict[int, list[tuple[str, str, bool]]] = field(default_factory=dict)
    # Whether the draft is to be sent, and why it came back.
    drafts: dict[int, tuple[bool, str]] = field(default_factory=dict)
    # By message id: the state of the sender's message service; how often the recipient has and accepted it.
    states: dict[str, str] = field(default_factory=dict)
    arrived: dict[str, int] = field(default_factory=dict)
    accepted: dict[str, int] = field(default_factory=dict)
    # The messages whose receipts could not be delivered, and why.
    failed_receipts: dict[str, str] = field(default_factory=dict)
    # Why a message failed.
    causes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, sender: ChaosNode, recipient: ChaosNode) -> "Rows":
        rows = cls(
            drafts={
                draft: (is_ordered, trouble)
                for draft, is_ordered, trouble in sender.query(
                    "SELECT id, send_at IS NOT NULL, trouble FROM mailbox_draft"
                )
            },
            states=_by_id(
                sender,
                "SELECT message_id::text, state FROM message_service_outgoingmessage WHERE kind = 'message'",
            ),
            arrived=_by_id(
                recipient,
                "SELECT message_id::text, count(*) FROM mailbox_message WHERE direction = 'in' GROUP BY 1",
            ),
            accepted=_by_id(
                recipient,
                "SELECT message_id::text, count(*) FROM message_service_incomingmessage "
                "WHERE is_accepted GROUP BY 1",
            ),
            failed_receipts=_by_id(
                recipient,
                "SELECT i.message_id::text, r.cause FROM message_service_outgoingmessage r "
                "JOIN message_service_incomingmessage i ON i.id = r.answers_id "
                "WHERE r.state = 'MESSAGE_EXCHANGE_ERROR'",
            ),
            causes=_by_id(
                sender,
                "SELECT message_id::text, cause FROM message_service_outgoingmessage "
                "WHERE kind = 'message' AND cause <> ''",
            ),
        )
        for draft, message_id, told, is_receipt_missing in sender.query(
            "SELECT draft_number, message_id::text, delivery_state, is_receipt_missing FROM mailbox_message "
            "WHERE direction = 'out' AND draft_number IS NOT NULL"
        ):
            rows.sent.setdefault(draft, []).append((message_id, told, is_receipt_missing))
        return rows


def reconcile(sender: ChaosNode, recipient: ChaosNode, orders: Iterable[Order]) -> Reconciled:
    """Reconcile a node's orders with what the other node has."""
    rows = Rows.read(sender, recipient)
    result = Reconciled()
    for order in orders:
        outcome = outcome_of(order, rows)
        if isinstance(outcome, Outcome):
            result.outcomes[outcome] += 1
            if outcome is not Outcome.ACCEPTED and outcome is not Outcome.NOT_SENT:
                result.causes[f"{outcome}: {_cause(order, rows)}"] += 1
        else:
            result.findings.append(Finding(sender.name, outcome, f"draft {order.draft}"))
    result.findings += [Finding(recipient.name, what, which) for what, which in surplus(rows)]
    return result


def surplus(rows: Rows) -> Iterator[tuple[str, str]]:
    """What the recipient has and should not have: what is wrong, and the message id."""
    known = {message_id for messages in rows.sent.values() for message_id, *_ in messages}
    for message_id, count in rows.arrived.items():
        if count > 1:
            yield "delivered twice", message_id
        if message_id not in known:
            yield "delivered, and never sent", message_id


def _cause(order: Order, rows: Rows) -> str:
    if not rows.sent.get(order.draft):
        return rows.drafts[order.draft][1]
    message_id, _, _ = rows.sent[order.draft][0]
    return rows.failed_receipts.get(message_id) or rows.causes.get(message_id, "")


def _by_id(node: ChaosNode, query: str) -> dict[str, Any]:
    return dict(node.query(query))


def outcome_of(order: Order, rows: Rows) -> Outcome | str:
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


def _outcome_of_draft(order: Order, rows: Rows) -> Outcome | str:
    if order.draft not in rows.drafts:
        return "lost: neither a draft nor a message"
    is_ordered, trouble = rows.drafts[order.draft]
    if is_ordered:
        return "stuck: a draft that is to be sent"
    if trouble:
        return Outcome.CAME_BACK
    return "lost: the page had said that it is sent" if order.is_confirmed else Outcome.NOT_SENT
