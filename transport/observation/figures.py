"""How long steps take, as histograms of the whole node.

Each process counts by itself and adds its counts to the broker's once a second, in one call from a thread of
its own. A broker that is lost takes the counts so far with it, and they begin again from nothing.
"""

import os
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, cast

import redis

from transport import queues

# The upper bounds of the buckets, in seconds; whoever changes them changes the key too.
BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_KEY: Final = "sdkportal:steps:1"
_EVERY_SECONDS: Final = 1.0
_SUM: Final = "sum"


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often a step took at most so long: `buckets` are cumulative, by the upper bound as text."""

    step: str
    buckets: tuple[tuple[str, int], ...]
    sum_seconds: float


class _Counts:
    """What this process has counted and not yet added to the broker's counts."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._ended = threading.Event()
        self._counts: Counter[tuple[str, int | str]] = Counter()
        self._thread: threading.Thread | None = None

    def add(self, step: str, seconds: float, count: int) -> None:
        with self._condition:
            is_first = not self._counts
            self._counts[step, bisect_left(BOUNDS, seconds)] += count
            # Microseconds: the broker adds whole numbers.
            self._counts[step, _SUM] += round(seconds * 1e6) * count
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="step-figures")
                self._thread.start()
            elif is_first:
                self._condition.notify()

    def _run(self) -> None:
        while not self._ended.is_set():
            with self._condition:
                while not self._counts:
                    self._condition.wait()
            self._ended.wait(_EVERY_SECONDS)
            self.flush()

    def flush(self) -> None:
        """Add the counts to the broker's; a broker that is away gets them later."""
        with self._condition:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            client = queues.broker()
            if client is not None:
                with client.pipeline() as pipeline:
                    for (step, which), number in counts.items():
                        pipeline.hincrby(_KEY, f"{step} {which}", number)
                    pipeline.execute()
        except redis.RedisError:
            with self._condition:
                self._counts += counts

    def end(self) -> None:
        self._ended.set()
        self.flush()


_counts = _Counts()


def _begin_anew() -> None:
    """In a process that was forked: its parent's thread is not in it, and its parent adds its own counts."""
    global _counts
    _counts = _Counts()


os.register_at_fork(after_in_child=_begin_anew)


def add(step: str, seconds: float, *, count: int = 1) -> None:
    """Count that a step took so long, for so many messages."""
    _counts.add(step, seconds, count)


def flush() -> None:
    """Add what this process has counted to the broker's counts now."""
    _counts.flush()


def end() -> None:
    """`flush` when the process ends."""
    _counts.end()


def histograms(steps: Iterable[str]) -> list[Histogram]:
    """The node's counts of these steps; none where the broker keeps none. Raises `RedisError`."""
    client = queues.broker()
    if client is None:
        return []
    found = {
        name.decode(): int(number) for name, number in cast(dict[bytes, bytes], client.hgetall(_KEY)).items()
    }
    return [_histogram(step, found) for step in steps]


def _histogram(step: str, found: dict[str, int]) -> Histogram:
    buckets, total = [], 0
    for index, bound in enumerate([*map(str, BOUNDS), "+Inf"]):
        total += found.get(f"{step} {index}", 0)
        buckets.append((bound, total))
    return Histogram(step, tuple(buckets), found.get(f"{step} {_SUM}", 0) / 1e6)
