"""What happens to a cluster: each fault breaks something, and is mended as an operator does."""

import contextlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .postgresql import DatabaseServer
from .world import BROKER_ADDRESS, Cluster, freeze, thaw

_CHUNK: Final = 1024 * 1024


class Fault(ABC):
    """One fault. `mend` is what ends it; `restore` is what is done later, to be as before."""

    #: Seconds from the fault until it is mended.
    lasts: float = 30.0
    #: Whether `mend` is a promotion: the pages have fifteen seconds from there.
    is_promotion = False

    @property
    @abstractmethod
    def name(self) -> str:
        """Names it in the report."""

    @property
    @abstractmethod
    def mended_by(self) -> str:
        """What the operator does, or what happens, for the report."""

    @abstractmethod
    def inject(self, cluster: Cluster) -> None:
        """Break it."""

    @abstractmethod
    def mend(self, cluster: Cluster) -> None:
        """What the node has to recover from by itself."""

    def restore(self, cluster: Cluster) -> None:  # noqa: B027 - most faults need no more than being mended
        """What may wait until pages and messages go on again."""


@dataclass
class PrimaryLost(Fault):
    """PostgreSQL's primary dies, or its machine vanishes; the standby is promoted."""

    is_machine_lost: bool
    lasts = 20.0
    is_promotion = True

    @property
    def name(self) -> str:
        return "database: primary's machine vanishes" if self.is_machine_lost else "database: primary killed"

    @property
    def mended_by(self) -> str:
        return "standby promoted"

    def inject(self, cluster: Cluster) -> None:
        primary = cluster.databases[0]
        if self.is_machine_lost:
            cluster.host_of(primary).cut_network()
        else:
            primary.kill()

    def mend(self, cluster: Cluster) -> None:
        cluster.databases.reverse()
        cluster.databases[0].promote()

    def restore(self, cluster: Cluster) -> None:
        """The old primary never comes back as one: it is ended before its network is mended, and follows."""
        primary, old = cluster.databases
        if self.is_machine_lost:
            old.kill()
            cluster.host_of(old).mend_network()
        follow_again(primary, old)


def follow_again(primary: DatabaseServer, old: DatabaseServer) -> None:
    """Make the old primary the synchronous standby of the new one."""
    old.follow(primary)
    old.start()
    primary.require_standby()


@dataclass
class NetworkCut(Fault):
    """A host's cable is pulled for a minute."""

    host: str
    lasts = 60.0

    @property
    def name(self) -> str:
        return f"network of {self.host} cut"

    @property
    def mended_by(self) -> str:
        return "network mended after a minute"

    def inject(self, cluster: Cluster) -> None:
        cluster.hosts[self.host].cut_network()

    def mend(self, cluster: Cluster) -> None:
        cluster.hosts[self.host].mend_network()


class BrokerMoved(Fault):
    """The broker's primary dies; its replica is promoted and gets its address."""

    lasts = 15.0
    name = "broker: primary killed"
    mended_by = "replica promoted, address moved"

    def inject(self, cluster: Cluster) -> None:
        cluster.brokers[0].kill()

    def mend(self, cluster: Cluster) -> None:
        old, new = cluster.brokers
        new.promote()
        old.host.remove_address(BROKER_ADDRESS)
        new.host.add_address(BROKER_ADDRESS)
        cluster.brokers.reverse()

    def restore(self, cluster: Cluster) -> None:
        primary, old = cluster.brokers
        old.start()
        old.follow(primary)


class BrokerLost(Fault):
    """Broker and replica are gone for good, with all that they held."""

    lasts = 20.0
    name = "broker: primary and replica lost for good"
    mended_by = "empty one started at the address"

    def inject(self, cluster: Cluster) -> None:
        for broker in cluster.brokers:
            broker.kill()

    def mend(self, cluster: Cluster) -> None:
        cluster.brokers[0].start()

    def restore(self, cluster: Cluster) -> None:
        primary, replica = cluster.brokers
        replica.start()
        replica.follow(primary)


@dataclass
class DiskFull(Fault):
    """The disk of a host's work files is full to the last byte."""

    host: str
    lasts = 30.0

    @property
    def name(self) -> str:
        return f"disk of {self.host} full"

    @property
    def mended_by(self) -> str:
        return "room made"

    def inject(self, cluster: Cluster) -> None:
        with contextlib.suppress(OSError), self._filler(cluster).open("wb") as target:
            while True:
                target.write(b"\0" * _CHUNK)
                target.flush()

    def mend(self, cluster: Cluster) -> None:
        self._filler(cluster).unlink()

    def _filler(self, cluster: Cluster) -> Path:
        return cluster.hosts[self.host].directory / "work" / "filler"


class StorageSilent(Fault):
    """The object store accepts connections and answers nothing."""

    lasts = 30.0
    name = "object store silent"
    mended_by = "it answers again"

    def inject(self, cluster: Cluster) -> None:
        freeze(cluster.storage)

    def mend(self, cluster: Cluster) -> None:
        thaw(cluster.storage)


@dataclass
class ClockWrong(Fault):
    """A host's processes are started again with a clock that is wrong, and later with the right one."""

    host: str
    seconds: int
    lasts = 30.0

    @property
    def name(self) -> str:
        return f"clock of {self.host} {self.seconds:+d} s"

    @property
    def mended_by(self) -> str:
        return "clock set, processes started again"

    def inject(self, cluster: Cluster) -> None:
        cluster.hosts[self.host].set_clock(self.seconds)

    def mend(self, cluster: Cluster) -> None:
        cluster.hosts[self.host].set_clock(0)


@dataclass
class Faults:
    """All of them, in the order in which they come."""

    planned: list[Fault] = field(
        default_factory=lambda: [
            PrimaryLost(is_machine_lost=False),
            PrimaryLost(is_machine_lost=True),
            NetworkCut("pages-1"),
            NetworkCut("work-1"),
            BrokerMoved(),
            BrokerLost(),
            DiskFull("pages-2"),
            DiskFull("work-2"),
            StorageSilent(),
            ClockWrong("work-1", 60),
            ClockWrong("pages-2", -60),
        ]
    )
