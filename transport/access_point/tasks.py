"""Celery tasks of the access point."""

from celery import shared_task
from django.conf import settings

from transport import jobs
from transport.storage import blobs, work_files

from ..federation import cache
from . import outbound, transfer_log
from .models import InboundTransfer, OutboundTransfer


@shared_task
def send(transfer_id: str) -> None:
    for following in outbound.send(transfer_id):
        jobs.wake(send.delay, following)


@shared_task
def sweep() -> None:
    """Wake workers for due transfers that no worker has claimed; remove what dead processes left."""
    jobs.run_due(OutboundTransfer, send.delay)
    work_files.remove_stale()
    cache.remove_expired()


@shared_task
def remove_orphaned_files() -> None:
    """Remove envelopes that were stored and never committed, and events that have been kept long enough."""
    blobs.remove_orphaned("inbound", InboundTransfer.files_of)
    transfer_log.remove_older_than(settings.SDK_TRANSFER_LOG_DAYS)
