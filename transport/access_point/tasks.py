"""Celery tasks of the access point."""

from typing import Final

from celery import shared_task
from django.conf import settings

from transport import queues
from transport.storage import blobs, work_files

from ..federation import cache
from . import outbound, transfer_log
from .models import InboundTransfer, OutboundTransfer

# Rows that are claimed together.
_BATCH: Final = 16
_SEND: Final = "transport.access_point.tasks.send_due"


@shared_task
def send_due() -> None:
    """Send the transfers that are due."""
    queues.work_through(OutboundTransfer, outbound.send_all, _SEND, batch=_BATCH)


@shared_task
def sweep() -> None:
    """Wake workers for due transfers that no worker has claimed; remove what dead processes left."""
    queues.sweep_queue(OutboundTransfer, _SEND)
    work_files.remove_stale()
    cache.remove_expired()


@shared_task
def remove_orphaned_files() -> None:
    """Remove envelopes that were stored and never committed, and events that have been kept long enough."""
    blobs.remove_orphaned("inbound", InboundTransfer.files_of)
    transfer_log.remove_older_than(settings.SDK_TRANSFER_LOG_DAYS)
