"""Celery tasks of the directory drop."""

from celery import shared_task

from transport import jobs
from transport.storage import blobs

from . import inbound, outbound
from .models import DroppedTransfer, FoundTransfer


@shared_task
def write(reference: str) -> None:
    outbound.write(reference)


@shared_task
def poll_directory() -> None:
    """Process what the gateway has written; wake workers for transfers that are not in the directory yet."""
    inbound.poll_directory()
    jobs.run_due(DroppedTransfer, write.delay)


@shared_task
def remove_orphaned_files() -> None:
    """Remove envelopes that were stored and never committed."""
    blobs.remove_orphaned("found", FoundTransfer.files_of)
