"""What workers do for the directory."""

from celery import shared_task

from transport import jobs
from transport.storage import blobs

from . import inbound, outbound
from .models import DroppedTransfer, FoundTransfer


@shared_task
def place(reference: str) -> None:
    outbound.place(reference)


@shared_task
def poll_directory() -> None:
    """Follow what the gateway has told; wake workers for what has not been placed."""
    inbound.poll_directory()
    jobs.run_due(DroppedTransfer, place.delay)


@shared_task
def remove_orphaned_files() -> None:
    """Remove envelopes that were stored and never committed."""
    blobs.remove_forgotten("found", FoundTransfer.files_of)
