"""Celery tasks of the message service."""

from typing import Final

from celery import shared_task

from transport import queues
from transport.storage import blobs

from . import inbound, outbound
from .malware import quarantine
from .models import IncomingMessage, OutgoingMessage
from .organisations import publication
from .tracking import deadlines

# Rows that are committed together. More of them gain little, and hold locks for longer.
_BATCH: Final = 16

_SEAL: Final = "transport.message_service.tasks.seal_due"
_VALIDATE: Final = "transport.message_service.tasks.validate_due"


@shared_task
def seal_due() -> None:
    """Seal and submit the outgoing messages that are due."""
    queues.work_through(OutgoingMessage, outbound.seal_and_submit_all, _SEAL, batch=_BATCH)


@shared_task
def validate_due() -> None:
    """Validate, deliver and answer the envelopes that have arrived."""
    queues.work_through(IncomingMessage, inbound.process_all, _VALIDATE, batch=_BATCH)


@shared_task
def sweep() -> None:
    """Wake workers for due messages that no worker has claimed; mark overdue receipts."""
    queues.sweep_queue(OutgoingMessage, _SEAL)
    queues.sweep_queue(IncomingMessage, _VALIDATE)
    deadlines.mark_overdue()


@shared_task
def remove_orphaned_files() -> None:
    """Remove files whose message was never committed, and quarantined files that are old enough."""
    blobs.remove_orphaned("outgoing", OutgoingMessage.files_of)
    quarantine.remove_orphaned()
    quarantine.remove_old()


@shared_task
def poll_certpub() -> None:
    """Ask CertPub whether new certificates are published there."""
    publication.poll_certpub()
