"""Celery tasks of the message service."""

from celery import shared_task

from transport import jobs
from transport.storage import blobs

from . import inbound, outbound
from .malware import quarantine
from .models import IncomingMessage, OutgoingMessage
from .organisations import publication
from .tracking import deadlines


@shared_task
def seal(outgoing_id: str) -> None:
    outbound.seal_and_submit(outgoing_id)


@shared_task
def validate_inbound(incoming_id: str) -> None:
    inbound.process(incoming_id)


@shared_task
def sweep() -> None:
    """Wake workers for due messages that no worker has claimed; mark overdue receipts."""
    jobs.run_due(OutgoingMessage, seal.delay)
    jobs.run_due(IncomingMessage, validate_inbound.delay)
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
