"""Queues: the due rows of a model, and the task that works through them.

A transaction that commits a due row wakes a worker for its queue. It wakes none while a worker is busy with
the queue, since that worker finds the row, nor while a wake-up waits for a worker. The rows are the queue: a
lost wake-up costs the time until the sweeper looks.
"""

import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Final, TypeVar

import redis
from celery import current_app
from django.conf import settings
from django.db import transaction

from . import unit_of_work
from .jobs import LeasedJob, log_broker_unavailable, log_unexpected

# How long a task works through its queue before it lets another go on.
_TURN_SECONDS: Final = 1.5
# A wake that no worker has answered by then was lost.
_WAKE_MILLISECONDS: Final = 3000
# A worker that takes longer than this for a batch no longer counts as busy.
_BUSY_MILLISECONDS: Final = 1000
_BROKER_SECONDS: Final = 2.0
_GROUP_SECONDS: Final = 0.25

_Row = TypeVar("_Row", bound=LeasedJob)
_Result = TypeVar("_Result")


def work_through(
    model: type[_Row], process: Callable[[list[_Row]], object], task: str, *, batch: int = 1
) -> None:
    """Claim and process the due rows of a model, for a turn; `task` is published again if more rows are due.

    At most `batch` rows are claimed together; a row that was claimed before is claimed alone. New rows wake
    no other worker meanwhile, so that batches fill; a full batch does.
    """
    until = time.monotonic() + _TURN_SECONDS
    is_alone, is_last = True, False
    _mark_busy(task)
    while True:
        claimed = model.claim_due(batch)
        is_full = len(claimed) == batch
        if is_full and is_alone and model.due().exists():
            # A worker that is woken so wakes the next.
            _publish(task)
            is_alone = False
        if not claimed and batch > 1:
            claimed = model.claim_due(1, is_retried=True)
        if claimed:
            if is_last:
                _mark_busy(task)
            process(claimed)
            if time.monotonic() > until:
                if is_alone:
                    _publish(task)
                return
        elif is_last:
            return
        is_last = not is_full
        if is_full:
            _mark_busy(task)
        else:
            # From now on a commit wakes a worker; the next look claims the rows that were committed before.
            _mark_free(task)


# Writes the results of the work on these rows, in one transaction.
Finish = Callable[[Sequence[tuple[_Row, _Result]]], None]


def finish_together(
    rows: Sequence[_Row], work: Callable[[_Row], _Result], finish: Finish[_Row, _Result]
) -> None:
    """Do the work of each row, then finish them together; if that fails, finish each alone.

    The rows that are ready after `_GROUP_SECONDS` are finished then: none waits long for the others.
    """
    waiting: list[tuple[_Row, _Result]] = []
    since = time.monotonic()
    for row in rows:
        waiting.append((row, work(row)))
        if time.monotonic() - since > _GROUP_SECONDS:
            finish_all(waiting, finish)
            waiting, since = [], time.monotonic()
    if waiting:
        finish_all(waiting, finish)


def finish_all(worked_on: Sequence[tuple[_Row, _Result]], finish: Finish[_Row, _Result]) -> None:
    """Finish rows together; if that fails, each alone, so that one bad row does not fail the others."""
    if len(worked_on) > 1:
        try:
            finish(worked_on)
        except Exception as error:  # noqa: BLE001 - each is finished alone
            log_unexpected(error)
        else:
            return
    failed: list[Exception] = []
    for item in worked_on:
        try:
            finish([item])
        except Exception as error:  # noqa: BLE001 - the others are finished first
            failed.append(error)
    if failed:
        raise failed[0]


def wake_queue(task: str) -> None:
    """Wake a worker after commit for new due rows; `task` works through the queue."""
    unit_of_work.notify(_wake, task)


def _wake(tasks: Sequence[str]) -> None:
    for task in tasks:
        transaction.on_commit(partial(_publish_once, task))


def sweep_queue(model: type[LeasedJob], task: str) -> None:
    """Wake a worker if anything is due that nobody has claimed."""
    if model.due().exists():
        _publish_once(task)


def _publish_once(task: str) -> None:
    """Publish a queue's task, unless it waits for a worker already, or a worker is busy with the queue."""
    try:
        client = broker()
        if client is not None and not client.set(_wake_key(task), 1, nx=True, px=_WAKE_MILLISECONDS):
            return
    except redis.RedisError as error:
        log_broker_unavailable(error)
        return
    _publish(task)


def _publish(task: str) -> None:
    """Publish a task. A broker that does not answer is logged only: the sweeper finds the rows."""
    try:
        current_app.send_task(task)
    except Exception as error:  # noqa: BLE001 - kombu and redis raise what their transports raise
        log_broker_unavailable(error)


def _mark_busy(task: str) -> None:
    """Keep new rows from waking a worker while this one is busy."""
    _ask_broker(lambda client: client.set(_wake_key(task), 1, px=_BUSY_MILLISECONDS))


def _mark_free(task: str) -> None:
    """Let new rows wake a worker again."""
    _ask_broker(lambda client: client.delete(_wake_key(task)))


def _ask_broker(call: Callable[["redis.Redis"], object]) -> None:
    client = broker()
    if client is not None:
        try:
            call(client)
        except redis.RedisError as error:
            log_broker_unavailable(error)


def _wake_key(task: str) -> str:
    return f"sdkportal:wake:{task}"


def broker() -> "redis.Redis | None":
    """The broker, where it keeps keys; None where it is another kind.

    Calls raise `RedisError`, at the latest after two seconds.
    """
    return _broker_at(settings.CELERY_BROKER_URL)


@lru_cache(maxsize=4)
def _broker_at(url: str) -> "redis.Redis | None":
    if not url.startswith(("redis://", "rediss://")):
        return None
    return redis.Redis.from_url(
        url, socket_timeout=_BROKER_SECONDS, socket_connect_timeout=_BROKER_SECONDS, retry=None
    )
