"""Measures CPU seconds and peak memory of processes, from a moment on."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import psutil

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Cost:
    """CPU seconds, and the peak of memory in bytes: the kernel's VmHWM, summed over the processes."""

    cpu: float
    memory: int


class Gauge:
    """Measures processes and their descendants from when it is created.

    A descendant that starts and ends in the meantime counts for its CPU, not for its memory.
    """

    def __init__(self, *pids: int) -> None:
        self._roots = [psutil.Process(pid) for pid in pids]
        for each in self._family():
            # The kernel restarts the peak from what is in use now.
            with contextlib.suppress(OSError):
                Path(f"/proc/{each.pid}/clear_refs").write_text("5")
        self._cpu = self._used()

    def cost(self) -> Cost:
        """What the processes have used since the gauge was created."""
        return Cost(self._used() - self._cpu, sum(_peak(each.pid) for each in self._family()))

    def _family(self) -> list[psutil.Process]:
        return [*self._roots, *(child for root in self._roots for child in root.children(recursive=True))]

    def _used(self) -> float:
        used = 0.0
        for each in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = each.cpu_times()
                used += times.user + times.system + times.children_user + times.children_system
        return used


def _peak(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def listening_at(url: str) -> int:
    """The process id of the server that listens at a URL of this machine: that of its first process."""
    port = int(url.rsplit(":", 1)[1].partition("/")[0])
    server = next(
        psutil.Process(line.pid)
        for line in psutil.net_connections("tcp")
        if line.status == psutil.CONN_LISTEN and line.laddr and line.laddr.port == port and line.pid
    )
    while (parent := server.parent()) is not None and parent.cmdline() == server.cmdline():
        server = parent
    return server.pid
