"""Mail to several people, each in a mail of its own, so that a failing address does not stop the others."""

import logging
from collections.abc import Iterable

from django.core.mail import EmailMessage, get_connection

from .names import as_one_line

logger = logging.getLogger(__name__)


class NothingSent(Exception):
    """None of the mails could be sent, perhaps since the mail server is unavailable."""


def send_each(addresses: Iterable[str], subject: str, text: str) -> int:
    """Send everybody a mail of their own; returns how many could be sent. The subject is made one line."""
    count = 0
    for address in addresses:
        # A connection for each: a refused mail may leave it unusable.
        message = EmailMessage(as_one_line(subject), text, to=[address], connection=get_connection())
        try:
            message.send()
        except (OSError, ValueError) as error:
            logger.warning("mail_not_sent", extra={"fields": {"error": type(error).__name__}})
        else:
            count += 1
    return count
