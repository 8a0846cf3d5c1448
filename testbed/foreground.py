"""What `make demo` and `make run` share: programs that run in the foreground until Ctrl-C.

A `Program` reads the arguments, clears what was stored with `--reset`, and otherwise runs what it is given.
"""

import argparse
import io
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .services import ServiceNotStarted, port_is_taken

_STEP_WIDTH = 58


@dataclass(frozen=True)
class Program:
    """One of the programs: its command, where it stores what, and which ports it uses.

    `port_variable` is the environment variable with its first port.
    """

    command: str
    description: str
    directory: Path
    port_variable: str
    default_port: int

    def main(self, run: Callable[[Path, int], int], arguments: Sequence[str] | None = None) -> int:
        """Run with the directory and the first port, or clear the directory; returns the exit code."""
        # Lines are written at once also where a pipe or a file takes them.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)
        parser = argparse.ArgumentParser(prog=self.command, description=self.description)
        parser.add_argument("--reset", action="store_true", help="clear what has been stored, and end")
        if parser.parse_args(arguments).reset:
            return self._reset()
        try:
            first_port = int(os.environ.get(self.port_variable) or self.default_port)
        except ValueError:
            print(f"sdkportal: {self.port_variable} must be a port number", file=sys.stderr)
            return 1
        self.directory.mkdir(parents=True, exist_ok=True)
        return run(self.directory, first_port)

    def check_ports(self, purposes: Mapping[int, str], first_port: int) -> None:
        """Raise `ServiceNotStarted` if one of the ports is taken; `purposes` tells what each is for."""
        for port, purpose in purposes.items():
            if port_is_taken(port):
                raise ServiceNotStarted(
                    f"port {port} ({purpose}) is taken. Does `{self.command}` run already? "
                    f"Else choose others: {self.command} {self.port_variable}={first_port + 1000}"
                )

    def _reset(self) -> int:
        if (self.directory / "postgres" / "postmaster.pid").exists():
            print(
                f"sdkportal: `{self.command}` seems to be running; stop it with Ctrl-C first", file=sys.stderr
            )
            return 1
        shutil.rmtree(self.directory, ignore_errors=True)
        print(f"Cleared {self.directory}.")
        return 0


def set_on_interrupt(stopping: threading.Event) -> None:
    """Set the event when the program is asked to end, by Ctrl-C or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())


class step:
    """One line of progress: what is being done, then how long it took."""

    def __init__(self, description: str) -> None:
        self._description = description

    def __enter__(self) -> None:
        self._began = time.monotonic()
        print(f"  {self._description + ' ':.<{_STEP_WIDTH}}", end=" ", flush=True)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        print(f"{time.monotonic() - self._began:.1f} s" if kind is None else "failed", flush=True)
