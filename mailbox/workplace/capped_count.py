"""Counters of limited cost: they stop above MOST, and pages show "999+"."""

from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Func, IntegerField, QuerySet

MOST: Final = 999


def counted(rows: QuerySet[Any]) -> Func:
    """An expression for the number of rows of a subquery, MOST + 1 at most."""
    keys = ArraySubquery(rows.order_by().values("pk")[: MOST + 1])
    return Func(keys, function="CARDINALITY", output_field=IntegerField())


def in_figures(count: int) -> str:
    """A count as pages show it."""
    return f"{MOST}+" if count > MOST else str(count)
