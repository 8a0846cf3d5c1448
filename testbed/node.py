"""A node as an operator would run it: its own database, broker, web process, access point and workers.

Used by the demo, the browser tests and the fault tests.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from socket import gethostbyname

import requests

from .services import ServiceNotStarted, port_is_taken

PROJECT = Path(__file__).resolve().parent.parent
_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_SENDERS = 3


class Role(StrEnum):
    """What a process of a node does."""

    WEB = "web"
    ACCESS_POINT = "access-point"
    WORKER = "worker"
    TRANSPORT = "transport"
    BEAT = "beat"


@dataclass(frozen=True)
class NodePorts:
    """Loopback ports: pages (HTTP) and AS4 (HTTPS)."""

    web: int
    access_point: int


class CommandFailed(Exception):
    """A management command ended with an error; carries its output."""


class Node:
    """The processes of one node.

    `environment` holds the SDK_* variables; `tls_key` and `tls_certificate` are PEM files for the
    access point's own HTTPS. `host` is the name by which other machines reach the access point.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        ports: NodePorts,
        environment: Mapping[str, str],
        *,
        tls_key: Path,
        tls_certificate: Path,
        workers: int = 2,
        receivers: int = 1,
        host: str = "localhost",
    ) -> None:
        self.name = name
        self.ports = ports
        self.host = host
        self.directory = directory
        self.tls_key = tls_key
        self.tls_certificate = tls_certificate
        # Where the code is that runs: another release's, in the test of upgrades.
        self.checkout = PROJECT
        self._workers = workers
        self._receivers = receivers
        self._processes: dict[Role, subprocess.Popen[bytes]] = {}
        self.environment = {
            **os.environ,
            "SDK_DEMO": "1",
            "SDK_DATA_DIR": str(directory / "data"),
            "SDK_COOKIE_PREFIX": name,
            "DJANGO_SETTINGS_MODULE": "sdkportal.settings",
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        (directory / "log").mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """The address of the start page."""
        return f"http://localhost:{self.ports.web}"

    def manage(self, *arguments: str) -> str:
        """Run a management command and return its output; raises `CommandFailed` with the output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.checkout,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandFailed(f"{self.name}: manage.py {arguments[0]}\n{done.stdout}{done.stderr}")
        return done.stdout

    def run_module(self, module: str, *arguments: str) -> str:
        """Run one of the testbed's modules in this node's environment, and return its output."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.checkout,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandFailed(f"{self.name}: {module}\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self, *roles: Role) -> None:
        """Start the processes and return when they answer."""
        chosen = roles or tuple(Role)
        for role in chosen:
            self._spawn(role)
        self.wait_until_ready(*chosen)

    def wait_until_ready(self, *roles: Role) -> None:
        """Return when web and access point answer; raises `ServiceNotStarted` naming the log."""
        for role in roles:
            if role is Role.WEB:
                self._wait_for(role, f"http://127.0.0.1:{self.ports.web}/halsa/klar")
            elif role is Role.ACCESS_POINT:
                self._wait_for(role, f"https://{self.host}:{self.ports.access_point}/halsa/")

    def stop(self, *roles: Role) -> None:
        """Ask the processes to end, and kill those that have not ended after fifteen seconds."""
        chosen = [self._processes.pop(role) for role in roles or tuple(Role) if role in self._processes]
        for process in chosen:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for process in chosen:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _kill_group(process)

    def kill(self, role: Role) -> None:
        """kill -9 the process and its children, as a crash would; return when its port is free."""
        _kill_group(self._processes.pop(role))
        port = self._port_of(role)
        deadline = time.monotonic() + _STOP_SECONDS
        while port is not None and port_is_taken(port) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _port_of(self, role: Role) -> int | None:
        return {Role.WEB: self.ports.web, Role.ACCESS_POINT: self.ports.access_point}.get(role)

    def freeze(self, role: Role) -> None:
        """Suspend the process and its children (SIGSTOP), until `thaw`."""
        os.killpg(self._processes[role].pid, signal.SIGSTOP)

    def thaw(self, role: Role) -> None:
        """Let a process that `freeze` has suspended go on."""
        os.killpg(self._processes[role].pid, signal.SIGCONT)

    def restart_ended(self) -> list[Role]:
        """Start the processes again that have ended by themselves; returns their roles."""
        ended = self.ended()
        for role in ended:
            _kill_group(self._processes[role])
            self._spawn(role)
        return ended

    def ended(self) -> list[Role]:
        """The roles whose process has ended by itself."""
        return [role for role, process in self._processes.items() if process.poll() is not None]

    def pid(self, role: Role) -> int:
        """The process id of a role's first process."""
        return self._processes[role].pid

    def log(self, role: Role) -> Path:
        """The log file of a role's process."""
        return self.directory / "log" / f"{role}.log"

    def _command(self, role: Role) -> Sequence[str]:
        celery = [sys.executable, "-m", "celery", "-A", "sdkportal"]
        match role:
            case Role.WEB:
                return [
                    *(sys.executable, "-m", "uvicorn", "sdkportal.asgi:application"),
                    *("--host", "127.0.0.1", "--port", str(self.ports.web)),
                    *("--timeout-graceful-shutdown", "2", "--no-access-log", "--log-level", "warning"),
                ]
            case Role.ACCESS_POINT:
                return [
                    *(sys.executable, "-m", "gunicorn", "sdkportal.wsgi_access_point:application"),
                    *("--bind", f"{gethostbyname(self.host)}:{self.ports.access_point}", "--worker-class"),
                    "sdkportal.gunicorn_worker.RequestHeadTimeoutWorker",
                    *("--workers", str(self._receivers), "--threads", "64"),
                    *("--graceful-timeout", "5", "--no-control-socket"),
                    *(
                        "--keyfile",
                        str(self.tls_key),
                        "--certfile",
                        str(self.tls_certificate),
                        "--log-level",
                        "warning",
                    ),
                ]
            case Role.WORKER:
                return self._worker(role, self._workers, "celery")
            case Role.TRANSPORT:
                # These tasks wait for servers of others: more of them than one counterpart may occupy.
                return self._worker(role, _SENDERS, "transport,notices")
            case Role.BEAT:
                schedule = self.directory / "beat-schedule"
                return [
                    *celery,
                    "beat",
                    "--schedule",
                    str(schedule),
                    "--pidfile",
                    "",
                    "--loglevel",
                    "warning",
                ]

    def _worker(self, role: Role, concurrency: int, queues: str) -> Sequence[str]:
        return [
            *(sys.executable, "-m", "celery", "-A", "sdkportal", "worker", "--queues", queues),
            *("--concurrency", str(concurrency), "--hostname", f"{self.name}-{role}@%h"),
            *("--loglevel", "info", "--without-gossip", "--without-mingle"),
        ]

    def _spawn(self, role: Role) -> None:
        port = self._port_of(role)
        if port is not None and port_is_taken(port):
            raise ServiceNotStarted(f"port {port} for {self.name}'s {role} is taken")
        with self.log(role).open("ab") as output:
            self._processes[role] = subprocess.Popen(
                self._command(role),
                cwd=self.checkout,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _wait_for(self, role: Role, url: str) -> None:
        process = self._processes[role]
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if requests.get(url, timeout=2, verify=self.environment["SDK_TLS_CA_FILE"]).ok:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.1)
        raise ServiceNotStarted(f"{self.name}'s {role} did not start; see {self.log(role)}")


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
