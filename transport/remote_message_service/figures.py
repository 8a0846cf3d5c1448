"""How other message services do: figures for operations, without a message in them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Min
from django.utils import timezone

from .models import RemoteArrival, RemoteOrder, RemoteService

# A service that has not answered for so long has a problem that does not pass by itself.
SILENT_AFTER: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages in one state, and since when the oldest of them has been waiting."""

    state: str
    count: int
    since: datetime | None

    @property
    def oldest_seconds(self) -> float:
        """How long the oldest has been waiting; 0 where none is."""
        return max(0.0, (timezone.now() - self.since).total_seconds()) if self.since else 0.0


def waiting() -> list[Waiting]:
    """Messages to hand over, handed over and not settled, to fetch, and set aside; of all services."""
    order, arrival = RemoteOrder.State, RemoteArrival.State
    found = []
    for name, rows, since in (
        ("to-hand-over", RemoteOrder.objects.filter(state=order.WAITING), "ordered_at"),
        ("followed", RemoteOrder.objects.filter(state=order.FOLLOWED), "ordered_at"),
        ("to-fetch", RemoteArrival.objects.filter(state=arrival.FOUND), "found_at"),
        ("set-aside", RemoteArrival.objects.filter(state=arrival.SET_ASIDE), "found_at"),
    ):
        counted = rows.aggregate(count=Count("pk"), since=Min(since))
        found.append(Waiting(name, counted["count"], counted["since"]))
    return found


def longest_silence() -> float | None:
    """For how many seconds the service in use that has been silent for longest has not answered a poll; None
    where none is in use."""
    moments = [
        service.answered_at or service.in_use_since or service.created_at
        for service in RemoteService.objects.filter(is_active=True)
    ]
    return max(0.0, (timezone.now() - min(moments)).total_seconds()) if moments else None


def silent_services() -> list[RemoteService]:
    """The services in use that have not answered a poll for a while."""
    until = timezone.now() - SILENT_AFTER
    rows = RemoteService.objects.filter(is_active=True).select_related("organisation")
    return [row for row in rows if (row.answered_at or row.in_use_since or row.created_at) < until]
