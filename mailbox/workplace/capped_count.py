"""Counters that cost the same however much there is: beyond MOST nobody counts on, and pages say "999+"."""

from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Func, IntegerField, QuerySet

MOST: Final = 999


def counted(rows: QuerySet[Any]) -> Func:
    """How many rows a query that may refer to the outer one gives, MOST and one at most: an expression."""
    keys = ArraySubquery(rows.order_by().values("pk")[: MOST + 1])
    return Func(keys, function="CARDINALITY", output_field=IntegerField())


def in_figures(count: int) -> str:
    """What pages say of a count."""
    return f"{MOST}+" if count > MOST else str(count)
