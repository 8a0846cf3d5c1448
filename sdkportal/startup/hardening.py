"""What a server process does at its start so that no other process of its user can read its secrets."""

import ctypes
import logging
import os
from typing import Final

_PR_SET_DUMPABLE: Final = 4

logger = logging.getLogger(__name__)


def deny_reading_of_memory() -> None:
    """Close `/proc/PID/environ`, `/proc/PID/mem` and ptrace to others of the same user; no core is dumped.

    Children that are forked are closed too; a program that is started is open again until it does the same.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def log_confinement() -> None:
    """Log how files of strangers are drawn by this process; a warning where that is not fully confined."""
    from mailbox import rendering

    used = rendering.strongest()
    level = logging.INFO if used.is_full else logging.WARNING
    event = "rendering_confined" if used.is_full else "rendering_not_confined"
    logger.log(level, event, extra={"fields": used.description()})
