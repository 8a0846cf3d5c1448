"""The events of messages that happened lately, found without an index by time."""

from datetime import datetime
from typing import Final

from django.db.models import QuerySet

from ..models import Event

# Events have no index by time; those of an hour, and of a day on all but the busiest nodes, are among these.
LATEST: Final = 20_000


def latest_events(since: datetime) -> QuerySet[Event]:
    """The events since then, among the latest 20,000, in no order."""
    latest = Event.objects.order_by("-pk").values("pk")[:LATEST]
    return Event.objects.filter(pk__in=latest, at__gt=since).order_by()
