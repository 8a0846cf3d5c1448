"""The spans of messages and of their receipts: which step of which message, below which other.

A message's trace begins with its order. What a node does with an arrival stands below its reception, and that
below the order; what is done with a receipt stands below the making of the receipt.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from django.db import transaction

from transport.access_point_port import Attempt, Outcome, TransferChange
from transport.causes import Cause
from transport.observation import receptions, steps, traces
from transport.observation.receptions import Reception
from transport.observation.steps import Step, Timing
from transport.observation.traces import Attribute, Span

from ..message_types.verdicts import Accept, AcceptReceipt, Reject, Verdict
from ..models import IncomingMessage, OutgoingMessage
from ..states import IncomingState, OutgoingState

# A cause that is no code of ours: the rules that a message broke.
_REJECTED: Final = "rejected"
_CODES: Final = frozenset(Cause)
_FAILED: Final = frozenset(
    {
        OutgoingState.MESSAGE_EXCHANGE_ERROR.value,
        IncomingState.MESSAGE_EXCHANGE_ERROR.value,
        IncomingState.ERROR.value,
    }
)


def ordered(row: OutgoingMessage, answered: UUID | None, began: int) -> None:
    """A message has been ordered, or a receipt for the message `answered`; recorded after commit."""
    if traces.is_on():
        transaction.on_commit(partial(_record_order, row, answered, began, steps.now()))


def _record_order(row: OutgoingMessage, answered: UUID | None, began: int, ended: int) -> None:
    subject = answered if row.is_receipt else row.message_id
    if subject is None:
        return
    step = Step.MAKE_RECEIPT if row.is_receipt else Step.ORDER
    parent = Step.ORDER.value if row.is_receipt else ""
    traces.record([Span(subject, step, began, ended, step.value, parent, attributes=_parties(row))])


def sealed(rows: Iterable[OutgoingMessage]) -> None:
    """These rows of this thread's batch have been sealed, or could not be; after commit."""
    if traces.is_on():
        traces.record([span for row in rows for span in _sealed(row)])


def _sealed(row: OutgoingMessage) -> Iterator[Span]:
    subject = _subject(row, row.answers)
    if subject is None:
        return
    key = f"{Step.SEAL} {row.pk} {row.attempts}"
    for timing in steps.timings_of(row.pk):
        is_whole = timing.step is Step.SEAL
        yield Span(
            subject,
            timing.step,
            timing.began,
            timing.ended,
            key if is_whole else f"{timing.step} {row.pk} {row.attempts}",
            _origin(row) if is_whole else key,
            row.is_receipt,
            is_whole and row.state in _FAILED,
            _result(row.state, row.cause, row.attempts) | _parties(row) if is_whole else {},
        )


def transferred(
    rows: Mapping[UUID, OutgoingMessage],
    answered: Mapping[UUID | None, IncomingMessage],
    changes: Sequence[TransferChange],
) -> None:
    """An attempt was made to send each of these; recorded after commit."""
    if traces.is_on():
        transaction.on_commit(partial(_record_transfers, rows, answered, changes))


def _record_transfers(
    rows: Mapping[UUID, OutgoingMessage],
    answered: Mapping[UUID | None, IncomingMessage],
    changes: Sequence[TransferChange],
) -> None:
    spans = []
    for change in changes:
        row = rows.get(change.reference)
        subject = _subject(row, answered.get(row.answers_id)) if row is not None else None
        if row is not None and subject is not None and change.attempt is not None:
            spans.append(_sent(row, subject, change, change.attempt))
    traces.record(spans)


def _sent(row: OutgoingMessage, subject: UUID, change: TransferChange, attempt: Attempt) -> Span:
    attributes: dict[Attribute, str | int] = {
        **_result(change.outcome.value, change.cause, attempt.number),
        **_parties(row),
        Attribute.CODE: attempt.code,
        Attribute.SIZE: attempt.size,
    }
    return Span(
        subject,
        Step.SEND,
        attempt.began,
        attempt.ended,
        f"{Step.SEND} {change.reference} {attempt.number}",
        _origin(row),
        row.is_receipt,
        change.outcome is not Outcome.DELIVERED,
        attributes,
    )


def validated(rows: Sequence[tuple[IncomingMessage, object]]) -> None:
    """These rows of this thread's batch have been validated, with what each has come to; after commit.

    Nothing of a row whose message is not known.
    """
    if traces.is_on():
        known = [
            (row, result)
            for row, result in rows
            if isinstance(result, Verdict) and row.message_id is not None
        ]
        noted = receptions.receptions_of([row.transfer_id for row, _ in known if not row.is_local])
        traces.record(
            [span for row, result in known for span in _arrived(row, result, noted.get(row.transfer_id))]
        )


def _arrived(row: IncomingMessage, verdict: Verdict, reception: Reception | None) -> Iterator[Span]:
    is_receipt = isinstance(verdict, AcceptReceipt)
    subject = (
        _uuid_of(verdict.receipt.ref_message_id) if isinstance(verdict, AcceptReceipt) else row.message_id
    )
    if subject is None:
        return
    parent = Step.MAKE_RECEIPT.value if is_receipt else Step.ORDER.value
    parties: dict[Attribute, str | int] = {Attribute.RECIPIENT: row.organisation.participant_id}
    if isinstance(verdict, Accept | Reject | AcceptReceipt):
        # Of one that was discarded it is not known who has sent it.
        parties[Attribute.SENDER] = row.sender
    if not row.is_local:
        ended = steps.nanoseconds_of(row.arrived_at)
        began = reception.began if reception is not None else ended
        size: dict[Attribute, str | int] = {Attribute.SIZE: reception.size} if reception is not None else {}
        key = f"{Step.RECEIVE} {row.transfer_id}"
        yield Span(subject, Step.RECEIVE, began, ended, key, parent, is_receipt, attributes=parties | size)
        parent = key
    yield from _validated(row, subject, parent, is_receipt, parties)


def _validated(
    row: IncomingMessage,
    subject: UUID,
    parent: str,
    is_receipt: bool,
    parties: Mapping[Attribute, str | int],
) -> Iterator[Span]:
    whole = f"{Step.VALIDATE} {row.pk} {row.attempts}"
    for timing in [*steps.timings_of(row.pk), *_together(is_receipt)]:
        if timing.step is Step.VALIDATE:
            attributes = {**_result(row.state, row.cause, row.attempts), **parties}
            has_failed = row.state in _FAILED
            yield Span(
                subject,
                timing.step,
                timing.began,
                timing.ended,
                whole,
                parent,
                is_receipt,
                has_failed,
                attributes,
            )
        elif timing.step not in (Step.DELIVER, Step.SETTLE) or row.state not in _FAILED:
            key = f"{timing.step} {row.pk} {row.attempts}"
            yield Span(subject, timing.step, timing.began, timing.ended, key, whole, is_receipt)


def _together(is_receipt: bool) -> list[Timing]:
    """The steps that all rows of the batch have gone through together: of messages, or of receipts."""
    wanted = Step.SETTLE if is_receipt else Step.DELIVER
    return [timing for timing in steps.timings_of(None) if timing.step is wanted][-1:]


def _subject(row: OutgoingMessage, answered: IncomingMessage | None) -> UUID | None:
    """The message that the trace is of."""
    if row.is_receipt:
        return answered.message_id if answered is not None else None
    return row.message_id


def _origin(row: OutgoingMessage) -> str:
    return Step.MAKE_RECEIPT.value if row.is_receipt else Step.ORDER.value


def _parties(row: OutgoingMessage) -> dict[Attribute, str | int]:
    return {Attribute.SENDER: row.organisation.participant_id, Attribute.RECIPIENT: row.recipient}


def _result(outcome: str, cause: str, attempt: int) -> dict[Attribute, str | int]:
    found: dict[Attribute, str | int] = {Attribute.OUTCOME: outcome, Attribute.ATTEMPT: attempt}
    if cause:
        found[Attribute.CAUSE] = cause if cause in _CODES else _REJECTED
    return found


def _uuid_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
