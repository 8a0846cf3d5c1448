"""The federation's status feed: fetched by beat, kept in the database, read by pages."""

import dataclasses
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from transport.protocol.status_feed import Announcement, FeedUnreadable, read_feed

from ..outgoing_http import Origin
from .http import NoAnswer, Refused, fetch
from .models import StatusFeed

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LatestFeed:
    """What the feed said when it could be read last. `error` tells why it could not be read since then."""

    announcements: tuple[Announcement, ...]
    read_at: datetime | None
    tried_at: datetime | None
    error: str


def refresh() -> bool:
    """Fetch the feed, if the settings have its address; whether it could be read."""
    if not settings.SDK_STATUS_FEED_URL:
        return False
    now = timezone.now()
    row = StatusFeed.objects.first() or StatusFeed()
    row.tried_at, row.error = now, ""
    try:
        found = read_feed(fetch(settings.SDK_STATUS_FEED_URL, origin=Origin.SETTINGS))
    except (NoAnswer, Refused, FeedUnreadable) as error:
        row.error = f"{type(error).__name__}: {error}"[:200]
        logger.warning("status_feed_not_read", extra={"fields": {"error": row.error}})
    else:
        row.read_at, row.announcements = now, [_stored(entry) for entry in found]
    row.save()
    return not row.error


def latest() -> LatestFeed:
    """The feed as it was read last."""
    row = StatusFeed.objects.first() or StatusFeed()
    entries = tuple(_entry(stored) for stored in row.announcements)
    return LatestFeed(entries, row.read_at, row.tried_at, row.error)


def _stored(entry: Announcement) -> dict[str, Any]:
    return dataclasses.asdict(entry) | {"at": entry.at.isoformat() if entry.at else None}


def _entry(stored: dict[str, Any]) -> Announcement:
    at = datetime.fromisoformat(stored["at"]) if stored["at"] else None
    return Announcement(stored["title"], stored["text"], stored["link"], at)
