"""What workers do for the directory."""

from celery import shared_task

from .. import payloads, work
from . import coming, leaving
from .models import DroppedTransfer, FoundTransfer


@shared_task
def place(reference: str) -> None:
    leaving.place(reference)


@shared_task
def look() -> None:
    """Follow what the gateway has told; wake workers for what has not been placed."""
    coming.look()
    work.run_due(DroppedTransfer, place.delay)


@shared_task
def tidy() -> None:
    """Remove envelopes that were stored and never committed."""
    payloads.remove_forgotten("found", FoundTransfer.files_of)
