"""Work that survives its worker: rows with a lease, claimed one at a time, found again by a sweeper.

A row is due when `due_at` has come and no lease on it is running. Claiming it sets the lease in a
transaction of its own; the step's own transaction locks the row, checks that the lease is still its
own, and clears it. A worker that dies leaves a lease that ends by itself: whoever claims the row next
finds the dead worker's lease in `expired_lease`, and may remove files that were stored under that name.
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
    """Another worker has the row now: this one's result is not used."""


class LeasedJob(models.Model):
    """A row that workers claim. `due_at` None means that there is nothing to do."""

    due_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0, help_text="how often it has been claimed")
    lease = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)

    expired_lease: uuid.UUID | None = None
    # Related rows that are fetched with a row that is locked for a step.
    joined: ClassVar[tuple[str, ...]] = ()

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
        """Claim the row; None where it is not due, claimed or gone. One statement: every step begins with it.

        There is no waiting for the disk: a lease that a crash of the database undoes is one that nobody has.
        """
        now = timezone.now()
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
                WHERE {key_column} = %s AND due_at <= %s AND (lease_until IS NULL OR lease_until <= %s)
                FOR UPDATE SKIP LOCKED
            )
            UPDATE {table} SET attempts = attempts + 1, lease = %s, lease_until = %s
            FROM due WHERE {key_column} = due_key {without_disk}
            RETURNING {table}.*, expired_lease
            """,  # noqa: S608 - names of the model's own
            [key, now, now, uuid.uuid4(), now + timedelta(seconds=settings.SDK_LEASE_SECONDS)],
        )
        return next(iter(claimed), None)

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
        renewer = threading.Thread(target=self._renew, args=(done,), daemon=True)
        renewer.start()
        try:
            yield
        finally:
            done.set()
            renewer.join()

    def _renew(self, done: threading.Event) -> None:
        interval = settings.SDK_LEASE_SECONDS / 3
        try:
            while not done.wait(interval):
                until = timezone.now() + timedelta(seconds=settings.SDK_LEASE_SECONDS)
                try:
                    type(self).objects.filter(pk=self.pk, lease=self.lease).update(lease_until=until)
                except DatabaseError as error:
                    # The lease may end meanwhile; then the step's own check drops the result.
                    logger.warning("lease_not_renewed", extra={"fields": {"error": type(error).__name__}})
                close_old_connections()
        finally:
            connection.close()


def run_due(model: type[LeasedJob], task: Callable[[str], object], *, limit: int = 100) -> int:
    """Wake a worker for each due row, by a task's `delay`, at most `limit`; how many there were."""
    keys = list(model.due().values_list("pk", flat=True)[:limit])
    for key in keys:
        task(str(key))
    return len(keys)


def pause_after(attempts: int, *, first: int = 30, longest: int = 600) -> timedelta:
    """How long to wait before the next attempt: doubled each time, from `first` to `longest` seconds."""
    return timedelta(seconds=min(first * 2 ** min(max(attempts - 1, 0), 16), longest))


def log_unexpected(error: Exception, **fields: object) -> None:
    """Log an unforeseen error: its type and where it was raised, not its text, which may hold content."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    all_fields = {**fields, "error": type(error).__name__, "where": where}
    logger.error("unexpected_error", extra={"fields": all_fields})


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
            logger.warning("broker_unavailable", extra={"fields": {"error": type(error).__name__}})

    transaction.on_commit(publish)
