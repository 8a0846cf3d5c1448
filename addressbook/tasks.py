"""What workers do for the address book."""

import logging

from celery import shared_task
from django.conf import settings

from . import synchronisation
from .book import BookUnavailable

logger = logging.getLogger(__name__)


@shared_task
def synchronise() -> None:
    if not settings.SDK_ADDRESS_BOOK_URL:
        return
    try:
        synchronisation.synchronise(settings.SDK_ADDRESS_BOOK_URL)
    except (
        BookUnavailable,
        synchronisation.CopyRefused,
        synchronisation.CopyFailed,
        synchronisation.AlreadyRunning,
    ) as error:
        logger.warning("addressbook_not_synchronised", extra={"fields": {"why": error}})
