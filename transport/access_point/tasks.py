"""What workers do for the access point."""

from celery import shared_task
from django.conf import settings

from .. import payloads, work, workspace
from ..federation import cache
from . import log, sending
from .models import InboundTransfer, OutboundTransfer


@shared_task
def send(transfer_id: str) -> None:
    for following in sending.send(transfer_id):
        work.wake(send.delay, following)


@shared_task
def sweep() -> None:
    """Wake workers for transfers that no worker holds; clear what dead processes left."""
    work.run_due(OutboundTransfer, send.delay)
    workspace.remove_stale()
    cache.remove_expired()


@shared_task
def tidy() -> None:
    """Remove envelopes that were stored and never committed, and events that have been kept long enough."""
    payloads.remove_forgotten("inbound", InboundTransfer.files_of)
    log.remove_older_than(settings.SDK_TRANSFER_LOG_DAYS)
