"""The same work for several items: a failure for one is logged and does not stop the others."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from django.db import connection

logger = logging.getLogger(__name__)
_Each = TypeVar("_Each")


def count_each(do: Callable[[_Each], int], items: Iterable[_Each]) -> int:
    """Do it for each; the sum of what that gave. `do` has a transaction of its own.

    What went wrong is not known here, and its text may hold what it was about: only its type is logged. Where
    the database is gone there is nothing to go on with.
    """
    count = 0
    for item in items:
        try:
            count += do(item)
        except Exception as error:
            fields = {"step": getattr(do, "__qualname__", type(do).__name__), "error": type(error).__name__}
            logger.error("step_failed", extra={"fields": fields})
            if not connection.in_atomic_block and not connection.is_usable():
                raise
    return count
