"""The steps of a message, timed where they are done.

A figure is kept of each. Where traces are on, a batch also keeps the times of each of its rows, so that spans
can be made of them when it has been committed.
"""

import threading
import time
from collections.abc import Generator, Hashable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from . import figures

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Step(StrEnum):
    """The steps, in the order in which a message goes through them."""

    ORDER = "order"
    SEAL = "seal"
    SCAN = "scan"
    SEND = "send"
    RECEIVE = "receive"
    VALIDATE = "validate"
    OPEN = "open"
    DELIVER = "deliver"
    MAKE_RECEIPT = "make-receipt"
    SETTLE = "settle"


@dataclass(frozen=True, slots=True)
class Timing:
    """When a step began and ended, in nanoseconds since 1970."""

    step: Step
    began: int
    ended: int


@dataclass(slots=True)
class Batch:
    """Rows that are worked on together, and how long each step took for each of them.

    `is_linked`: a span refers to the batch's own.
    """

    step: Step
    size: int
    queue: str
    began: int
    trace_id: int
    span_id: int
    timings: dict[Hashable, list[Timing]] = field(default_factory=dict)
    is_linked: bool = False


class _Here(threading.local):
    """What this thread is at: the batch, if its times are kept, and the times of the row."""

    def __init__(self) -> None:
        self.batch: Batch | None = None
        self.timings: list[Timing] | None = None


_here = _Here()


def now() -> int:
    """The time in nanoseconds since 1970."""
    return time.time_ns()


def nanoseconds_of(moment: datetime) -> int:
    """A moment in nanoseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND * 1000


def add(timing: Timing, *, count: int = 1) -> None:
    """Count a step that so many messages went through together."""
    figures.add(timing.step, max(0, timing.ended - timing.began) / 1e9, count=count)
    if _here.timings is not None:
        _here.timings.append(timing)


@contextmanager
def timed(step: Step, *, count: int = 1) -> Generator[None, None, None]:
    """Time the body as a step of so many messages; nothing is counted of none."""
    began = now()
    try:
        yield
    finally:
        if count:
            add(Timing(step, began, now()), count=count)


@contextmanager
def in_batch(batch: Batch) -> Generator[None, None, None]:
    """Keep the times of rows in the batch while the body runs."""
    before, _here.batch = _here.batch, batch
    try:
        yield
    finally:
        _here.batch = before


@contextmanager
def of_row(key: Hashable) -> Generator[None, None, None]:
    """Keep the times of the body's steps as those of a row of this thread's batch."""
    if _here.batch is None:
        yield
        return
    before, _here.timings = _here.timings, _here.batch.timings.setdefault(key, [])
    try:
        yield
    finally:
        _here.timings = before


def timings_of(key: Hashable) -> list[Timing]:
    """The times of a row of this thread's batch."""
    return _here.batch.timings.get(key, []) if _here.batch is not None else []


def current_batch() -> Batch | None:
    """This thread's batch; None where times are not kept."""
    return _here.batch
