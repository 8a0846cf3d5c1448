"""What workers do for the message service."""

from celery import shared_task

from .. import payloads, work
from . import deadlines, publication, quarantine, receiving, sealing
from .models import IncomingMessage, OutgoingMessage


@shared_task
def seal(outgoing_id: str) -> None:
    sealing.seal_and_submit(outgoing_id)


@shared_task
def judge(incoming_id: str) -> None:
    receiving.take(incoming_id)


@shared_task
def sweep() -> None:
    """Wake workers for what no worker holds; watch deadlines."""
    work.run_due(OutgoingMessage, seal.delay)
    work.run_due(IncomingMessage, judge.delay)
    deadlines.watch()


@shared_task
def tidy() -> None:
    """Remove files whose message was never committed, and what has been kept apart long enough."""
    payloads.remove_forgotten("outgoing", OutgoingMessage.files_of)
    quarantine.remove_forgotten()
    quarantine.remove_old()


@shared_task
def look_for_publication() -> None:
    """See whether CertPub has a new certificate by now."""
    publication.look()
