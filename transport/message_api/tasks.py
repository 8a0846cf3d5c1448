"""Celery tasks for external message clients."""

from celery import shared_task

from transport import jobs
from transport.storage import blobs

from . import held_messages
from .clients import token_endpoint, webhooks
from .models import HeldMessage, WebhookNotice


@shared_task
def send_webhook(notice_id: str) -> None:
    for following in webhooks.send(notice_id):
        jobs.wake(send_webhook.delay, following)


@shared_task
def sweep() -> None:
    """Wake workers for notices that no worker holds."""
    jobs.run_due(WebhookNotice, send_webhook.delay)


@shared_task
def remove_expired() -> None:
    """Remove files that no message holds, and what is remembered for longer than it is of use."""
    blobs.remove_orphaned(held_messages.FOLDER, HeldMessage.files_of)
    token_endpoint.remove_expired()
    webhooks.remove_old()
