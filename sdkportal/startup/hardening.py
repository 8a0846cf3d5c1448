"""Keeps other processes of the same user from reading the secrets of a server process."""

import ctypes
import os
from typing import Final

_PR_SET_DUMPABLE: Final = 4


def deny_reading_of_memory() -> None:
    """Close `/proc/PID/environ`, `/proc/PID/mem` and ptrace to others of the same user; no core is dumped.

    Children that are forked are closed too; a program that is started is open again until it does the same.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
