"""The program of the confined process: it gives up its rights, and runs one job.

Started with `python -I -S`, with the job as JSON in its first argument, input and output as standard streams.
It may import the standard library only: nothing else is on its path before it is confined.
"""

import base64
import ctypes
import json
import resource
import runpy
import sys
from collections.abc import Callable

_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_INSTRUCTION_BYTES = 8
_OPEN_FILES = 64


class _Program(ctypes.Structure):
    """`struct sock_fprog` of linux/filter.h."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def limit(memory: int, seconds: int, output: int) -> None:
    """Set hard limits for memory, processor time and output."""
    for name, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, output),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        resource.setrlimit(name, (value, value))


def filter_system_calls(instructions: bytes) -> None:
    """Load the filter, for this process and whatever it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    _call(libc.prctl, _PR_SET_DUMPABLE, 0, 0, 0, 0)
    _call(libc.prctl, _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if instructions:
        program = _Program(len(instructions) // _INSTRUCTION_BYTES, instructions)
        _call(libc.prctl, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)


def _call(function: Callable[..., int], *arguments: object) -> None:
    if function(*arguments) != 0:
        raise OSError(ctypes.get_errno(), "the process could not be confined")


def main() -> None:
    asked = json.loads(sys.argv[1])
    sys.path.extend(asked["paths"])
    limit(asked["memory"], asked["seconds"], asked["output"])
    filter_system_calls(base64.b64decode(asked["filter"]))
    runpy.run_path(asked["program"])["run"](sys.stdin.buffer, sys.stdout.buffer)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
