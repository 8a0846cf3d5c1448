"""What workers do for the message service."""

from celery import shared_task

from .. import work
from . import deadlines, receiving, sending
from .models import IncomingMessage, OutgoingMessage


@shared_task
def seal(outgoing_id: str) -> None:
    sending.seal_and_submit(outgoing_id)


@shared_task
def judge(incoming_id: str) -> None:
    receiving.take(incoming_id)


@shared_task
def sweep() -> None:
    """Wake workers for what no worker holds; watch deadlines."""
    work.run_due(OutgoingMessage, seal.delay)
    work.run_due(IncomingMessage, judge.delay)
    deadlines.watch()
