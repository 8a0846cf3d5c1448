"""Work that survives its worker: rows with a lease, claimed by workers, found again by a sweeper.

A row is due when `due_at` has come and no lease on it is running. Claiming it sets the lease in a
transaction of its own; the step's own transaction locks the row, checks that the lease is still its
own, and clears it. A worker that dies leaves a lease that ends by itself: whoever claims the row next
finds the dead worker's lease in `expired_lease`, and may remove files that were stored under that name.
"""

import copy
import logging
import os
import threading
import traceback
import uuid
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

from celery import current_app
from django.conf import settings
from django.db import DatabaseError, connection, models, transaction
from django.db.models import Q
from django.utils import timezone

from . import unit_of_work

logger = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another worker has the row now: this one's result is not used."""


class LeasedJob(models.Model):
    """A row that workers claim. `due_at` None means that there is nothing to do."""

    due_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0, help_text="how often it has been claimed")
    lease = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)

    expired_lease: uuid.UUID | None = None
    # SQL that a row has to fulfil besides to be claimed by `claim_due`, and its parameters.
    claim_condition: ClassVar[str] = ""

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        abstract = True

    @classmethod
    def due(cls) -> models.QuerySet[Self]:
        """Rows that somebody should claim now, the longest waiting first."""
        now = timezone.now()
        free = Q(lease_until__isnull=True) | Q(lease_until__lte=now)
        return cls.objects.filter(free, due_at__lte=now).order_by("due_at")

    @classmethod
    def claim(cls, key: object) -> Self | None:
        """Claim the row; None where it is not due, claimed or gone."""
        key_column = connection.ops.quote_name(str(cls._meta.pk.column))
        return next(iter(cls._claim(f"{key_column} = %s", [key], 1)), None)

    @classmethod
    def claim_due(cls, limit: int, *, is_retried: bool = False) -> list[Self]:
        """Claim at most `limit` rows, the longest waiting first.

        What has been claimed before is claimed alone: it may be what its worker died of. So several rows are
        such that never were, or with `is_retried` such that were.
        """
        more = cls.claim_condition.replace("{table}", connection.ops.quote_name(cls._meta.db_table))
        which = "attempts > 0" if is_retried else "attempts = 0" if limit > 1 else "true"
        return cls._claim(f"{which} {more}", cls.claim_parameters(), limit)

    @classmethod
    def claim_parameters(cls) -> list[object]:
        """The parameters of `claim_condition`."""
        return []

    @classmethod
    def _claim(cls, condition: str, parameters: list[Any], limit: int) -> list[Self]:
        """One statement: every step begins with it. What is claimed together has one lease.

        There is no waiting for the disk: a lease that a crash of the database undoes is one that nobody has.
        """
        now = timezone.now()
        until = now + timedelta(seconds=settings.SDK_LEASE_SECONDS)
        # Inside a transaction of the caller's the setting would hold for that transaction.
        without_disk = (
            "" if connection.in_atomic_block else "AND set_config('synchronous_commit', 'off', true) = 'off'"
        )
        table = connection.ops.quote_name(cls._meta.db_table)
        key_column = connection.ops.quote_name(str(cls._meta.pk.column))
        claimed = cls.objects.raw(
            f"""
            WITH due AS (
                SELECT {key_column} AS due_key, lease AS expired_lease FROM {table}
                WHERE {condition} AND due_at <= %s AND (lease_until IS NULL OR lease_until <= %s)
                ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
            )
            UPDATE {table} SET attempts = attempts + 1, lease = %s, lease_until = %s
            FROM due WHERE {key_column} = due_key {without_disk}
            RETURNING {table}.*, expired_lease
            """,  # noqa: S608 - names of the model's own
            [*parameters, now, now, limit, uuid.uuid4(), until],
        )
        return sorted(claimed, key=lambda row: row.due_at or now)

    def change(self, **values: object) -> None:
        """Change columns of the row and of this instance, in one statement; raises `LeaseLost`.

        For rows that only the lease's owner changes, or whoever ends the lease: what was read when the row
        was claimed is still true.
        """
        if not type(self).objects.filter(pk=self.pk, lease=self.lease).update(**values):
            raise LeaseLost(str(self.pk))
        for name, value in values.items():
            setattr(self, name, value)

    def finish(self, **values: object) -> None:
        """End the work on the row: `change` that clears the lease."""
        self.change(**values, lease=None, lease_until=None)

    @contextmanager
    def step(self) -> Generator[Self, None, None]:
        """One transaction, or a part of the caller's, that ends the work on the row; raises `LeaseLost`.

        Gives a copy of the row, which is locked: whoever changes what a step decides by ends the lease. The
        lease is cleared with whatever else the step changes in the copy; nothing else is written.
        """
        with type(self).steps([self]) as rows:
            if not rows:
                raise LeaseLost(str(self.pk))
            yield rows[0]

    @classmethod
    @contextmanager
    def steps(cls, rows: Sequence[Self]) -> Generator[list[Self], None, None]:
        """`step` for several rows, in their order, without those whose lease another has now."""
        with cls.changing([row._copy() for row in rows]) as held:
            for row in held:
                row.lease = row.lease_until = None
            yield held

    @classmethod
    @contextmanager
    def changing(cls, rows: Sequence[Self]) -> Generator[list[Self], None, None]:
        """One transaction, or a part of the caller's, for those of the rows whose lease is still their own.

        They are locked, and what the body changes in them is written.
        """
        with transaction.atomic(savepoint=False):
            leased = cls._lock_leased(rows)
            held = [row for row in rows if row.pk in leased]
            with unit_of_work.saving(held):
                yield held

    def _copy(self) -> Self:
        row = copy.copy(self)
        row._state = copy.copy(self._state)
        row._state.fields_cache = dict(self._state.fields_cache)
        return row

    @classmethod
    def _lock_leased(cls, rows: Sequence[Self]) -> set[Any]:
        """Lock the rows in the order of their keys; the keys of those that are still leased as they say."""
        table, key = (
            connection.ops.quote_name(str(name)) for name in (cls._meta.db_table, cls._meta.pk.column)
        )
        kind = cls._meta.pk.db_type(connection)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {table}.{key} FROM {table} JOIN unnest(%s::{kind}[], %s::uuid[]) "  # noqa: S608
                f"AS held (held_key, held_lease) ON {table}.{key} = held_key AND lease = held_lease "
                f"ORDER BY {table}.{key} FOR UPDATE OF {table}",
                [[row.pk for row in rows], [row.lease for row in rows]],
            )
            return {found for (found,) in cursor.fetchall()}

    @contextmanager
    def renewing(self) -> Generator[None, None, None]:
        """Keep the lease alive while the body runs, however long it takes.

        The lease itself stays short, so that a worker that dies is missed within seconds.
        """
        with renewing([self]):
            yield


class _Renewer:
    """The thread that renews the leases of all rows that this process works on: every third of a lease."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rows: list[LeasedJob] = []
        self._thread: threading.Thread | None = None

    def add(self, rows: Sequence[LeasedJob]) -> None:
        with self._condition:
            self._rows.extend(rows)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            elif len(self._rows) == len(rows):
                self._condition.notify()

    def remove(self, rows: Sequence[LeasedJob]) -> None:
        with self._condition:
            self._rows = [row for row in self._rows if all(row is not done for done in rows)]

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._rows:
                    self._condition.wait()
                begun = list(self._rows)
                self._condition.wait(settings.SDK_LEASE_SECONDS / 3)
                # What was begun since has all of its lease before it.
                rows = [row for row in self._rows if any(row is known for known in begun)]
            if rows:
                self._renew(rows)

    def _renew(self, rows: Sequence[LeasedJob]) -> None:
        until = timezone.now() + timedelta(seconds=settings.SDK_LEASE_SECONDS)
        try:
            for model in {type(row) for row in rows}:
                held = [row for row in rows if type(row) is model]
                model.objects.filter(
                    pk__in=[row.pk for row in held], lease__in=[row.lease for row in held]
                ).update(lease_until=until)
        except DatabaseError as error:
            # A lease may end meanwhile; then the step's own check drops the result.
            logger.warning("lease_not_renewed", extra={"fields": {"error": type(error).__name__}})
        finally:
            connection.close()


_renewer = _Renewer()


def _begin_anew() -> None:
    """In a process that was forked: its parent's thread is not in it."""
    global _renewer
    _renewer = _Renewer()


os.register_at_fork(after_in_child=_begin_anew)


@contextmanager
def renewing(rows: Sequence[LeasedJob]) -> Generator[None, None, None]:
    """Keep the leases of the rows alive while the body runs."""
    renewer = _renewer
    renewer.add(rows)
    try:
        yield
    finally:
        renewer.remove(rows)


def run_due(model: type[LeasedJob], task: Callable[[str], object], *, limit: int = 100) -> int:
    """Wake a worker for each due row, by a task's `delay`, at most `limit`; how many there were."""
    keys = list(model.due().values_list("pk", flat=True)[:limit])
    for key in keys:
        task(str(key))
    return len(keys)


def pause_after(attempts: int, *, first: int = 30, longest: int = 600) -> timedelta:
    """How long to wait before the next attempt: doubled each time, from `first` to `longest` seconds."""
    return timedelta(seconds=min(first * 2 ** min(max(attempts - 1, 0), 16), longest))


def place_of(error: Exception, *, frames: int = 1) -> str:
    """Where an error was raised: the innermost lines, as `module.py:12 < other.py:7`, without its text."""
    found = traceback.extract_tb(error.__traceback__)[-frames:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(found))


def log_unexpected(error: Exception, **fields: object) -> None:
    """Log an unforeseen error: its type and where it was raised, not its text, which may hold content."""
    all_fields = {**fields, "error": type(error).__name__, "where": place_of(error, frames=3)}
    logger.error("unexpected_error", extra={"fields": all_fields})


def log_broker_unavailable(error: Exception) -> None:
    """Log that the broker does not answer: the sweeper finds what is due."""
    logger.warning("broker_unavailable", extra={"fields": {"error": type(error).__name__}})


def task_named(name: str, *, countdown: float = 0) -> Callable[[str], object]:
    """A function that publishes the named task (`transport.message_service.tasks.seal`) for a key.

    It runs after `countdown` seconds. By name, so that what orders work need not import what does it.
    """
    return lambda key: current_app.send_task(name, args=[key], countdown=countdown or None)


def wake(task: Callable[[str], object], key: object) -> None:
    """Publish a task after commit. A broker that does not answer is logged only: the sweeper finds the
    row."""

    def publish() -> None:
        try:
            task(str(key))
        except Exception as error:  # noqa: BLE001 - kombu raises what its transports raise
            log_broker_unavailable(error)

    transaction.on_commit(publish)
