"""Runs checks in parallel: one that fails or hangs stops no other, and none is waited for beyond its time."""

import queue
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db import DatabaseError, connections
from psycopg_pool import PoolTimeout, TooManyRequests

from transport.jobs import log_unexpected

from .findings import NO_ANSWER_IN_TIME, UNAVAILABLE_DATABASE, UNEXPECTED, Check, Finding, Level, failure

# Each has a connection to the database while it runs, and pages have few of them.
AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found, and how many seconds it took."""

    name: str
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def level(self) -> Level:
        return max((finding.level for finding in self.findings), default=Level.OK)


@dataclass(slots=True)
class _Running:
    check: Check
    found: list[Finding] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds_left(self) -> float:
        return self.started + self.check.seconds - time.monotonic()

    def result(self, *more: Finding) -> Result:
        return Result(self.check.name, (*self.found, *more), time.monotonic() - self.started)


def examine(checks: Sequence[Check], *, at_once: int = AT_ONCE) -> list[Result]:
    """The results in the order of the checks.

    A check that is not done in its time is left to itself: what it had found until then counts, and that it
    was not done.
    """
    waiting = deque(checks)
    running: list[_Running] = []
    ended: queue.Queue[_Running] = queue.Queue()
    results: dict[str, Result] = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            began = _Running(waiting.popleft())
            running.append(began)
            threading.Thread(target=_run, args=(began, ended), daemon=True).start()
        try:
            done = ended.get(timeout=max(0.0, min(each.seconds_left for each in running)))
        except queue.Empty:
            pass
        else:
            if done in running:
                running.remove(done)
                results[done.check.name] = done.result()
        for late in [each for each in running if each.seconds_left <= 0]:
            running.remove(late)
            told = failure(NO_ANSWER_IN_TIME, f"{late.check.seconds:.0f} s")
            results[late.check.name] = late.result(told)
    return [results[check.name] for check in checks]


def level_of(results: Iterable[Result]) -> Level:
    """The most serious level of the results."""
    return max((result.level for result in results), default=Level.OK)


def _run(running: _Running, ended: "queue.Queue[_Running]") -> None:
    """In a thread of its own: findings are kept one by one, so that a later one that hangs loses none."""
    try:
        for finding in running.check.examine():
            running.found.append(finding)
    except (DatabaseError, PoolTimeout, TooManyRequests) as error:
        running.found.append(failure(UNAVAILABLE_DATABASE, type(error).__name__))
    except Exception as error:  # noqa: BLE001 - one check's error is a finding, and stops no other
        log_unexpected(error, check=running.check.name)
        running.found.append(failure(UNEXPECTED, type(error).__name__))
    finally:
        connections.close_all()
        ended.put(running)
