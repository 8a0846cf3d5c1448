"""What workers do for the address book."""

import logging

from celery import shared_task
from django.conf import settings

from . import copying

logger = logging.getLogger(__name__)


@shared_task
def synchronise() -> None:
    if not settings.SDK_ADDRESS_BOOK_URL:
        return
    try:
        copying.synchronise(settings.SDK_ADDRESS_BOOK_URL)
    except (
        copying.BookUnavailable,
        copying.CopyRefused,
        copying.CopyFailed,
        copying.AlreadyRunning,
    ) as error:
        logger.warning("address book not copied", extra={"fields": {"why": error}})
