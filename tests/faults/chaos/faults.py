"""The faults: each has a name, breaks something of a node, and mends it again."""

import contextlib
import os
import resource
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from testbed.node import Role

from .world import ChaosNode

_FAKETIME: Final = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


class Fault(ABC):
    """One kind of fault. `heal` undoes `inject`, and both may be called from one thread for each node."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Names it in schedules and reports."""

    @abstractmethod
    def inject(self, node: ChaosNode) -> None:
        """Break it."""

    @abstractmethod
    def heal(self, node: ChaosNode) -> None:
        """Mend it; the node may take a while to recover."""


@dataclass(frozen=True)
class ProcessKilled(Fault):
    """kill -9 of a process and its children; it is started again as systemd does."""

    role: Role

    @property
    def name(self) -> str:
        return f"kill {self.role}"

    def inject(self, node: ChaosNode) -> None:
        node.kill(self.role)

    def heal(self, node: ChaosNode) -> None:
        node.start(self.role)


@dataclass(frozen=True)
class ProcessStopped(Fault):
    """SIGSTOP, then SIGCONT: a process that is there and does nothing, and then goes on as if nothing was."""

    role: Role

    @property
    def name(self) -> str:
        return f"stop {self.role}"

    def inject(self, node: ChaosNode) -> None:
        node.running.freeze(self.role)

    def heal(self, node: ChaosNode) -> None:
        node.running.thaw(self.role)


class DatabaseKilled(Fault):
    """kill -9 of PostgreSQL, which recovers from its log."""

    name = "kill postgresql"

    def inject(self, node: ChaosNode) -> None:
        node.postgres.kill()

    def heal(self, node: ChaosNode) -> None:
        node.revive_database()


class PowerCut(Fault):
    """The machine's power goes: all of its processes end at once, and what was not synced is lost."""

    name = "power cut"

    def inject(self, node: ChaosNode) -> None:
        node.cut_power()

    def heal(self, node: ChaosNode) -> None:
        node.revive_database()
        node.broker.start()
        for role in Role:
            node.start(role)


class BrokerKilled(Fault):
    """kill -9 of the broker: all that it held is gone."""

    name = "kill broker"

    def inject(self, node: ChaosNode) -> None:
        node.broker.kill()

    def heal(self, node: ChaosNode) -> None:
        node.broker.start()


class ScannerAway(Fault):
    """No ClamAV."""

    name = "clamav away"

    def inject(self, node: ChaosNode) -> None:
        node.scanner.stop()

    def heal(self, node: ChaosNode) -> None:
        node.scanner.start()


class NameServersAway(Fault):
    """No name server answers, for both nodes, and what they answered is forgotten."""

    name = "dns away"

    def inject(self, node: ChaosNode) -> None:
        node.federation.take_away_name_servers()
        node.forget_federation()

    def heal(self, node: ChaosNode) -> None:
        node.federation.bring_back_name_servers()


class MetadataAway(Fault):
    """SMP and the CAs' lists refuse connections, for both nodes, and their answers are forgotten."""

    name = "smp away"

    def inject(self, node: ChaosNode) -> None:
        node.federation.take_away_web()
        node.forget_federation()

    def heal(self, node: ChaosNode) -> None:
        node.federation.bring_back_web()


@dataclass(frozen=True)
class DiskFull(Fault):
    """The kernel writes nothing of the node's files beyond so many bytes, as when a disk is full.

    By the limit of a file's size (RLIMIT_FSIZE), which needs no device of its own and no rights.
    """

    room: int

    @property
    def name(self) -> str:
        return f"disk full after {self.room} bytes"

    def inject(self, node: ChaosNode) -> None:
        _limit_files(node, self.room)

    def heal(self, node: ChaosNode) -> None:
        # Twice: a process that was forked meanwhile has its parent's limit.
        for _ in range(2):
            _limit_files(node, resource.RLIM_INFINITY)


@dataclass(frozen=True)
class ClockStep(Fault):
    """A process whose clock has stepped (libfaketime): it is started again with the wrong time, and after a
    while with the right one."""

    role: Role
    seconds: int

    @property
    def name(self) -> str:
        return f"clock of {self.role} {self.seconds:+d} s"

    def inject(self, node: ChaosNode) -> None:
        node.kill(self.role)
        with node.environment(
            LD_PRELOAD=str(_FAKETIME), FAKETIME=f"{self.seconds:+d}s", FAKETIME_DONT_FAKE_MONOTONIC="1"
        ):
            node.start(self.role)

    def heal(self, node: ChaosNode) -> None:
        node.kill(self.role)
        node.start(self.role)


def all_faults() -> dict[str, Fault]:
    """Every fault that this machine permits, by its name. Without libfaketime no clock steps."""
    faults: list[Fault] = [
        *(ProcessKilled(role) for role in Role),
        *(ProcessStopped(role) for role in Role),
        DatabaseKilled(),
        PowerCut(),
        BrokerKilled(),
        ScannerAway(),
        NameServersAway(),
        MetadataAway(),
        DiskFull(0),
        DiskFull(1500),
    ]
    if _FAKETIME is not None:
        faults += [ClockStep(Role.WORKER, 60), ClockStep(Role.TRANSPORT, -60)]
    return {fault.name: fault for fault in faults}


def _limit_files(node: ChaosNode, limit: int) -> None:
    for process in node.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            try:
                _, hard = process.rlimit(psutil.RLIMIT_FSIZE)
                process.rlimit(psutil.RLIMIT_FSIZE, (limit, hard))
            except psutil.AccessDenied:
                # What draws previews runs as a user of its own, and writes none of the node's files.
                if process.uids().real == os.getuid():
                    raise
