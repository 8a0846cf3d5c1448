"""Work that survives its worker: rows with a lease, taken one at a time, found again by a sweeper.

A row is due when `due_at` has come and nobody's lease on it runs. Taking it sets the lease in a
transaction of its own; the step's own transaction locks the row, checks that the lease is still its
own, and clears it. A worker that dies leaves a lease that ends by itself: whoever takes the row next
finds the dead worker's lease in `expired_lease`, and may clear away what was left under that name.
"""

import logging
import threading
import traceback
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Self

from celery import current_app
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, models, transaction
from django.db.models import Q
from django.utils import timezone

logger = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another worker has the row now: this one's result is dropped."""


class LeasedJob(models.Model):
    """A row that workers take. `due_at` None means that there is nothing to do."""

    due_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0, help_text="how often it has been taken")
    lease = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)

    expired_lease: uuid.UUID | None = None
    # What is fetched with a row that is locked for a step.
    joined: ClassVar[tuple[str, ...]] = ()

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        abstract = True

    @classmethod
    def due(cls) -> models.QuerySet[Self]:
        """Rows that somebody should take now, the longest waiting first."""
        now = timezone.now()
        free = Q(lease_until__isnull=True) | Q(lease_until__lte=now)
        return cls.objects.filter(free, due_at__lte=now).order_by("due_at")

    @classmethod
    def claim(cls, key: object) -> Self | None:
        """Take the row, unless it is not due, taken or gone. One statement: every step begins with it.

        The disk is not waited for: a lease that a crash of the database undoes is one that nobody has.
        """
        now = timezone.now()
        # Inside a transaction of the caller's it would be that one which is not waited for.
        at_once = (
            "" if connection.in_atomic_block else "AND set_config('synchronous_commit', 'off', true) = 'off'"
        )
        table = connection.ops.quote_name(cls._meta.db_table)
        key_column = connection.ops.quote_name(str(cls._meta.pk.column))
        taken = cls.objects.raw(
            f"""
            WITH due AS (
                SELECT {key_column} AS due_key, lease AS expired_lease FROM {table}
                WHERE {key_column} = %s AND due_at <= %s AND (lease_until IS NULL OR lease_until <= %s)
                FOR UPDATE SKIP LOCKED
            )
            UPDATE {table} SET attempts = attempts + 1, lease = %s, lease_until = %s
            FROM due WHERE {key_column} = due_key {at_once}
            RETURNING {table}.*, expired_lease
            """,  # noqa: S608 - names of the model's own
            [key, now, now, uuid.uuid4(), now + timedelta(seconds=settings.SDK_LEASE_SECONDS)],
        )
        return next(iter(taken), None)

    def change(self, **values: object) -> None:
        """Change columns of the row and of this instance, in one statement; raises `LeaseLost`.

        For rows that nobody changes but who holds the lease, or who takes it away: what was read when the
        row was taken still holds.
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
        """One transaction that ends the work on the row; raises `LeaseLost`.

        Gives the row as it is now, locked. The lease is cleared with whatever else the step changes.
        """
        with transaction.atomic():
            rows = type(self).objects.select_related(*self.joined).select_for_update(of=("self",))
            row = rows.get(pk=self.pk)
            if row.lease != self.lease:
                raise LeaseLost(str(self.pk))
            row.lease = row.lease_until = None
            yield row
            row.save()

    @contextmanager
    def renewing(self) -> Generator[None, None, None]:
        """Keep the lease alive while the body runs, however long it takes.

        The lease itself stays short, so that a worker that dies is missed within seconds.
        """
        done = threading.Event()
        keeper = threading.Thread(target=self._renew, args=(done,), daemon=True)
        keeper.start()
        try:
            yield
        finally:
            done.set()
            keeper.join()

    def _renew(self, done: threading.Event) -> None:
        interval = settings.SDK_LEASE_SECONDS / 3
        try:
            while not done.wait(interval):
                until = timezone.now() + timedelta(seconds=settings.SDK_LEASE_SECONDS)
                try:
                    type(self).objects.filter(pk=self.pk, lease=self.lease).update(lease_until=until)
                except DatabaseError as error:
                    # The lease may end meanwhile; then the step's own check drops the result.
                    logger.warning("lease not renewed", extra={"fields": {"error": type(error).__name__}})
                close_old_connections()
        finally:
            connection.close()


def run_due(model: type[LeasedJob], task: Callable[[str], object], *, limit: int = 100) -> int:
    """Wake a worker for every due row, by a task's `delay`; how many there were. What a sweeper does."""
    keys = list(model.due().values_list("pk", flat=True)[:limit])
    for key in keys:
        task(str(key))
    return len(keys)


def pause_after(attempts: int, *, first: int = 30, longest: int = 600) -> timedelta:
    """How long to wait before the next attempt: twice as long each time, from `first` seconds."""
    return timedelta(seconds=min(first * 2 ** min(max(attempts - 1, 0), 16), longest))


def unexpected(error: Exception, **fields: object) -> None:
    """Log an error that nobody foresaw: its type and where it rose, not its text, which may hold content."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    told = {**fields, "error": type(error).__name__, "where": where}
    logger.error("unexpected", extra={"fields": told})


def task_named(name: str, *, countdown: float = 0) -> Callable[[str], object]:
    """What publishes a task by its name (`transport.message_service.tasks.seal`), after `countdown` seconds.

    By name, so that what orders work need not import what does it.
    """
    return lambda key: current_app.send_task(name, args=[key], countdown=countdown or None)


def wake(task: Callable[[str], object], key: object) -> None:
    """Publish a task after commit. A broker that is away is no failure: the sweeper will find the row."""

    def publish() -> None:
        try:
            task(str(key))
        except Exception as error:  # noqa: BLE001 - kombu raises what its transports raise
            logger.warning("broker away", extra={"fields": {"error": type(error).__name__}})

    transaction.on_commit(publish)
