"""How many messages have failed lately, and why: figures for operations, without a message in them."""

from collections import Counter
from datetime import timedelta
from typing import Final

from django.utils import timezone

from transport.causes import Cause

from ..states import IncomingState, OutgoingState
from .latest_events import latest_events

_WITHIN: Final = timedelta(hours=1)
_FAILED: Final = (OutgoingState.MESSAGE_EXCHANGE_ERROR, OutgoingState.REJECTED, IncomingState.ERROR)
# A cause that is no code of ours: the rules of the federation that a message broke.
REJECTED: Final = "rejected"
_CODES: Final = frozenset(Cause)


def failures_of_last_hour() -> Counter[tuple[str, str]]:
    """The number of failures by direction (`out`, `in`) and cause, among the latest 20,000 events."""
    rows = latest_events(timezone.now() - _WITHIN).filter(name__in=_FAILED)
    found: Counter[tuple[str, str]] = Counter()
    for cause, outgoing in rows.values_list("cause", "outgoing"):
        code = cause.partition(":")[0]
        code = code if code in _CODES else REJECTED
        found["in" if outgoing is None else "out", code] += 1
    return found
