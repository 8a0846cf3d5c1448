"""Says in the log how a process draws files of strangers."""

import logging

from mailbox import rendering

logger = logging.getLogger(__name__)


def log_confinement() -> None:
    """Log how files of strangers are drawn by this process; a warning where that is not fully confined."""
    used = rendering.strongest()
    level = logging.INFO if used.is_full else logging.WARNING
    event = "rendering_confined" if used.is_full else "rendering_not_confined"
    logger.log(level, event, extra={"fields": used.description()})
