"""At most a share of the workers for one counterpart at a time.

A counterpart that answers slowly, or never, holds as many workers as SDK_COUNTERPART_SHARE says and no more.
Who holds a place is written in the rows themselves: a place is the lease under which it was entered, so it
ends with that lease, and a worker that is killed leaves none behind.
"""

from typing import ClassVar, Self

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Count, F
from django.utils import timezone

from .jobs import LeasedJob


class NoPlace(Exception):
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
    place = models.UUIDField(
        null=True, blank=True, help_text="the lease under which its place at the counterpart was entered"
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        abstract = True

    @classmethod
    def due(cls) -> models.QuerySet[Self]:
        """Rows that somebody should claim now, but for those whose counterpart's share is in use."""
        full = cls._in_place().values("counterpart").annotate(number=Count("pk"))
        full = full.filter(number__gte=settings.SDK_COUNTERPART_SHARE)
        return super().due().exclude(counterpart__in=full.values("counterpart"))

    @classmethod
    def waiting_for(cls, counterpart: str) -> list[object]:
        """The key of the row that should be claimed next now that a place is free; or none."""
        due = cls.due().filter(counterpart=counterpart) if counterpart else cls.objects.none()
        return list(due.values_list("pk", flat=True)[:1])

    def enter(self, counterpart: str) -> None:
        """Take a place at the counterpart for as long as the lease is held.

        Raises `NoPlace` where there is none, and then has given the row back; raises `LeaseLost`.
        """
        counterpart = counterpart[:300]
        is_outermost = not connection.in_atomic_block
        with transaction.atomic():
            with connection.cursor() as cursor:
                if is_outermost:
                    # As with the lease itself, no disk is waited for.
                    cursor.execute("SET LOCAL synchronous_commit TO OFF")
                name = f"{self._meta.db_table} {counterpart}"
                cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
            others = self._in_place().filter(counterpart=counterpart).exclude(pk=self.pk).count()
            has_place = others < settings.SDK_COUNTERPART_SHARE
            if has_place:
                self.change(counterpart=counterpart, place=self.lease)
            else:
                self.finish(counterpart=counterpart, attempts=self.attempts - 1)
        if not has_place:
            raise NoPlace(counterpart)

    @classmethod
    def _in_place(cls) -> models.QuerySet[Self]:
        held = cls.objects.filter(place__isnull=False, place=F("lease"), lease_until__gt=timezone.now())
        return held.order_by()
