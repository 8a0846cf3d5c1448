"""Machines of a cluster: network namespaces on one bridge, and the processes in them.

Only in namespaces that nothing else is in (`make test-cluster` makes them): a bridge, names in /etc/hosts and
whatever is mounted end with the last process there.
"""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import psutil

from testbed.node import PROJECT

HERE: Final = "10.77.0.1"
_BRIDGE: Final = "cluster"
_NAMES: Final = Path("/run/netns")
_COMMAND_SECONDS: Final = 60
_STOP_SECONDS: Final = 15
_RESTART_SECONDS: Final = 2.0
_FAKETIME: Final = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


class NotAlone(Exception):
    """This process shares its network with the rest of the machine, or may not make one of its own."""


def prepare_network(names: Mapping[str, str], directory: Path) -> None:
    """Make the bridge that all hosts are on, with this process's own address, and let names be known.

    Raises `NotAlone` where this is not a network of its own.
    """
    if os.geteuid() != 0:
        raise NotAlone("network namespaces need root")
    links = {line.split()[1].rstrip(":") for line in run("ip", "-o", "link").splitlines()}
    if links != {"lo"}:
        raise NotAlone("this is the machine's own network; run `make test-cluster`, which makes another")
    run("mount", "-t", "tmpfs", "names", "/run/netns" if _NAMES.is_dir() else str(_made(_NAMES)))
    hosts = directory / "etc-hosts"
    lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in names.items())]
    hosts.write_text("\n".join(lines) + "\n")
    run("mount", "--bind", str(hosts), "/etc/hosts")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", _BRIDGE, "type", "bridge")
    run("ip", "addr", "add", f"{HERE}/24", "dev", _BRIDGE)
    run("ip", "link", "set", _BRIDGE, "up")


class Service:
    """A process of a host, as systemd runs it: started again two seconds after it has ended."""

    def __init__(
        self, host: "Host", name: str, command: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self._host = host
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self._host.directory / "log" / f"{self.name}.log"

    def start(self, **more: str) -> None:
        """Start it, with more environment variables than it has otherwise."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._host.within(*self._command),
                cwd=PROJECT,
                env={**self._environment, **more},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and its children."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(_STOP_SECONDS)

    def stop(self) -> None:
        """Ask it to end; kill it if it has not ended after fifteen seconds."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        self.kill()
        self._process = None

    def memory(self) -> int:
        """Bytes of the process and its children."""
        if self._process is None:
            return 0
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._process.pid)
            return sum(each.memory_info().rss for each in [process, *process.children(recursive=True)])
        return 0


class Host:
    """A machine: its network, its disk for work files, and the services on it."""

    def __init__(self, name: str, address: str, directory: Path) -> None:
        self.name = name
        self.address = address
        self.directory = directory / name
        self.directory.mkdir(parents=True)
        self.services: list[Service] = []
        self._ended = threading.Event()
        self._supervisor: threading.Thread | None = None
        self._clock: dict[str, str] = {}
        self._make_network()

    def _make_network(self) -> None:
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "link", "set", self._link, "master", _BRIDGE, "up")
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "link", "set", "eth0", "up")
        self.add_address(self.address)

    @property
    def _link(self) -> str:
        return f"v-{self.name}"

    def within(self, *command: str) -> list[str]:
        """The command as it is run on this host, under its name."""
        named = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', self.name]
        return ["nsenter", f"--net={_NAMES / self.name}", *named, *command]

    def run(self, *command: str) -> str:
        return run(*self.within(*command))

    def add_address(self, address: str) -> None:
        """Let the host have one more address, and the others know: as what moves addresses does."""
        self.run("ip", "addr", "add", f"{address}/24", "dev", "eth0")
        self.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/arp_notify")
        # The kernel announces a host's addresses when its link comes up.
        self.run("ip", "link", "set", "eth0", "down")
        self.run("ip", "link", "set", "eth0", "up")

    def remove_address(self, address: str) -> None:
        self.run("ip", "addr", "del", f"{address}/24", "dev", "eth0")

    def cut_network(self) -> None:
        """Pull the cable: nothing comes or goes, and nobody is told."""
        run("ip", "link", "set", self._link, "down")

    def mend_network(self) -> None:
        run("ip", "link", "set", self._link, "up")

    def small_disk(self, megabytes: int) -> Path:
        """A disk of its own for the host's work files."""
        disk = _made(self.directory / "work")
        run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "disk", str(disk))
        return disk

    def add_service(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Service:
        service = Service(self, name, command, environment)
        self.services.append(service)
        return service

    def start(self) -> None:
        """Start all services, and start those again that end."""
        for service in self.services:
            service.start(**self._clock)
        self._ended.clear()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self._supervisor.start()

    def stop(self) -> None:
        self._stop_supervisor()
        for service in self.services:
            service.signal(signal.SIGCONT)
            service.signal(signal.SIGTERM)
        for service in self.services:
            service.stop()

    def set_clock(self, seconds: int) -> None:
        """Start the host's services again with a clock that is so many seconds wrong."""
        if _FAKETIME is None:
            raise NotAlone("libfaketime is needed: scripts/install faketime")
        self._stop_supervisor()
        for service in self.services:
            service.kill()
        self._clock = (
            {
                "LD_PRELOAD": str(_FAKETIME),
                "FAKETIME": f"{seconds:+d}s",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
            if seconds
            else {}
        )
        self.start()

    def _stop_supervisor(self) -> None:
        self._ended.set()
        if self._supervisor is not None:
            self._supervisor.join(_STOP_SECONDS)

    def _supervise(self) -> None:
        while not self._ended.wait(_RESTART_SECONDS):
            for service in self.services:
                if service.has_ended():
                    service.kill()
                    service.start(**self._clock)


def run(*command: str) -> str:
    """What a command prints. Raises `NotAlone` with what it says where it fails."""
    done = subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=_COMMAND_SECONDS
    )
    if done.returncode:
        raise NotAlone(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory
