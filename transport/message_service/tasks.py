"""What workers do for the message service."""

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
    """Wake workers for what no worker holds; watch deadlines."""
    jobs.run_due(OutgoingMessage, seal.delay)
    jobs.run_due(IncomingMessage, validate_inbound.delay)
    deadlines.mark_overdue()


@shared_task
def remove_orphaned_files() -> None:
    """Remove files whose message was never committed, and what has been kept apart long enough."""
    blobs.remove_forgotten("outgoing", OutgoingMessage.files_of)
    quarantine.remove_forgotten()
    quarantine.remove_old()


@shared_task
def poll_certpub() -> None:
    """See whether CertPub has a new certificate by now."""
    publication.poll_certpub()
