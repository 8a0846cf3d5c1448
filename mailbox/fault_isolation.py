"""Doing something that may fail, so that a failure does not stop the rest of the work."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from django.db import connection, transaction

logger = logging.getLogger(__name__)
_Each = TypeVar("_Each")


def count_each(do: Callable[[_Each], int], items: Iterable[_Each]) -> int:
    """Call `do` for each item; returns the sum of the results. `do` has a transaction of its own.

    Of an error only the type is logged, since its text may have content. Without a database this stops.
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


def succeeds(do: Callable[[], None], *, event: str, logger: logging.Logger) -> bool:
    """Call `do` in a savepoint; returns whether it has succeeded. Without a database this raises.

    A failure is logged as `event` with the error's type alone, since its text may have content.
    """
    try:
        with transaction.atomic():
            do()
    except Exception as error:
        if not connection.is_usable():
            raise
        logger.error(event, extra={"fields": {"error": type(error).__name__}})
        return False
    return True
