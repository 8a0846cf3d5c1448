"""How many messages have failed lately, and why: figures for operations, without a message in them."""

from collections import Counter
from datetime import timedelta
from typing import Final

from django.utils import timezone

from transport.causes import Cause

from ..models import Event
from ..states import IncomingState, OutgoingState

# Events have no index by time; those of the last hour are among the latest ones.
_LATEST: Final = 20_000
_WITHIN: Final = timedelta(hours=1)
_FAILED: Final = (OutgoingState.MESSAGE_EXCHANGE_ERROR, OutgoingState.REJECTED, IncomingState.ERROR)
# A cause that is no code of ours: the rules of the federation that a message broke.
REJECTED: Final = "rejected"
_CODES: Final = frozenset(Cause)


def failures_of_last_hour() -> Counter[tuple[str, str]]:
    """The number of failures by direction (`out`, `in`) and cause, among the latest 20,000 events."""
    latest = Event.objects.order_by("-pk").values("pk")[:_LATEST]
    rows = Event.objects.filter(pk__in=latest, at__gt=timezone.now() - _WITHIN, name__in=_FAILED)
    found: Counter[tuple[str, str]] = Counter()
    for cause, outgoing in rows.order_by().values_list("cause", "outgoing"):
        code = cause if cause in _CODES else REJECTED
        found["in" if outgoing is None else "out", code] += 1
    return found
