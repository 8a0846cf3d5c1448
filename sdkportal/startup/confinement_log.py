"""Logs how a process is confined that renders untrusted files."""

import logging

from django.conf import settings

from mailbox import rendering

logger = logging.getLogger(__name__)


def log_confinement() -> None:
    """Log the confinement of rendering at the start of a process; as a warning where it is not complete."""
    if settings.SDK_RENDERER:
        logger.info("rendering_elsewhere", extra={"fields": {"renderer": settings.SDK_RENDERER}})
        return
    used = rendering.strongest()
    level = logging.INFO if used.is_full else logging.WARNING
    event = "rendering_confined" if used.is_full else "rendering_not_confined"
    logger.log(level, event, extra={"fields": used.description()})
