"""What workers do for external message clients."""

from celery import shared_task

from .. import payloads, work
from . import holding, issuing, webhooks
from .models import HeldMessage, WebhookNotice


@shared_task
def tell(notice_id: str) -> None:
    for following in webhooks.send(notice_id):
        work.wake(tell.delay, following)


@shared_task
def sweep() -> None:
    """Wake workers for notices that no worker holds."""
    work.run_due(WebhookNotice, tell.delay)


@shared_task
def tidy() -> None:
    """Remove files that no message holds, and what is remembered for longer than it is of use."""
    payloads.remove_forgotten(holding.FOLDER, HeldMessage.files_of)
    issuing.remove_expired()
    webhooks.remove_old()
