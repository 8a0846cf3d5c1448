"""At most a share of the workers for one counterpart at a time.

A counterpart that answers slowly, or never, occupies as many workers as SDK_COUNTERPART_SHARE says and no
more. Which rows occupy a slot is written in the rows themselves: a slot is the lease under which it was
occupied, which rows that were claimed together share, so it ends with that lease, and a worker that is killed
leaves none behind.
"""

from collections.abc import Sequence
from typing import ClassVar, Self

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Count, F
from django.utils import timezone

from .jobs import LeasedJob, LeaseLost


class NoFreeSlot(Exception):
    """The counterpart's share of the workers is in use. The row is due as if nobody had claimed it."""


class Bulkheaded(LeasedJob):
    """Work that waits for somebody else's server."""

    counterpart = models.CharField(
        max_length=300,
        default="",
        db_default="",
        blank=True,
        help_text="whose server is waited for, once known",
    )
    slot = models.UUIDField(
        null=True,
        blank=True,
        db_column="place",
        help_text="the lease under which a slot at the counterpart was occupied",
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        abstract = True

    # What is for a counterpart whose share is in use waits until a slot is free.
    claim_condition: ClassVar[str] = """AND (counterpart = '' OR counterpart NOT IN (
        SELECT occupying.counterpart FROM {table} AS occupying
        WHERE occupying.place IS NOT NULL AND occupying.place = occupying.lease
            AND occupying.lease_until > %s
        GROUP BY occupying.counterpart HAVING count(DISTINCT occupying.place) >= %s))"""

    @classmethod
    def claim_parameters(cls) -> list[object]:
        return [timezone.now(), settings.SDK_COUNTERPART_SHARE]

    @classmethod
    def due(cls) -> models.QuerySet[Self]:
        """Rows that are due, without those whose counterpart's share is in use."""
        full = cls._occupying().values("counterpart").annotate(number=Count("slot", distinct=True))
        full = full.filter(number__gte=settings.SDK_COUNTERPART_SHARE)
        return super().due().exclude(counterpart__in=full.values("counterpart"))

    @classmethod
    def waiting_for(cls, counterpart: str) -> list[object]:
        """The key of the row that should be claimed next now that a slot is free, in a list; empty where
        none is due."""
        due = cls.due().filter(counterpart=counterpart) if counterpart else cls.objects.none()
        return list(due.values_list("pk", flat=True)[:1])

    def occupy_slot(self, counterpart: str) -> None:
        """`occupy_slots` for a row by itself; raises `LeaseLost` too."""
        if not type(self).occupy_slots([self], counterpart):
            raise LeaseLost(str(self.pk))

    @classmethod
    def occupy_slots(cls, rows: Sequence[Self], counterpart: str) -> list[Self]:
        """Occupy a slot at the counterpart for rows that were claimed together, for as long as their lease
        lasts: one, since one worker works on them. Gives those that are still leased.

        Raises `NoFreeSlot` where there is none, and has released the rows then.
        """
        counterpart = counterpart[:300]
        is_outermost = not connection.in_atomic_block
        with transaction.atomic():
            with connection.cursor() as cursor:
                if is_outermost:
                    # As with the lease itself, there is no waiting for the disk.
                    cursor.execute("SET LOCAL synchronous_commit TO OFF")
                name = f"{cls._meta.db_table} {counterpart}"
                cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
            others = cls._occupying().filter(counterpart=counterpart).exclude(slot=rows[0].lease)
            has_slot = others.values("slot").distinct().count() < settings.SDK_COUNTERPART_SHARE
            with cls.changing(rows) as held:
                for row in held:
                    row.counterpart = counterpart
                    if has_slot:
                        row.slot = row.lease
                    else:
                        row.attempts -= 1
                        row.lease = row.lease_until = None
        if not has_slot:
            raise NoFreeSlot(counterpart)
        return held

    @classmethod
    def _occupying(cls) -> models.QuerySet[Self]:
        rows = cls.objects.filter(slot__isnull=False, slot=F("lease"), lease_until__gt=timezone.now())
        return rows.order_by()
