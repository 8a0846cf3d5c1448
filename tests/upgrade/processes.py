"""The processes of a node of any release, as its own units in deploy/systemd start them."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from testbed.node import Node

_EXEC_START = re.compile(r"^ExecStart=/opt/sdkportal/\.venv/bin/(.+)$", re.M)
_ENVIRONMENT = re.compile(r"^Environment=(\w+)=(.*)$", re.M)
_ENDS_SECONDS = 30
# One of each kind, for the machine's sake; releases before these settings have their own number.
_FEW = {
    "SDK_PAGES_PROCESSES": "1",
    "SDK_ACCESS_POINT_PROCESSES": "1",
    "SDK_WORKER_PROCESSES": "2",
    "SDK_TRANSPORT_PROCESSES": "2",
    "SDK_NOTICE_PROCESSES": "1",
}


class Processes:
    """The processes of one release on one machine; `checkout` has its code, `node` its settings."""

    def __init__(self, checkout: Path, node: Node, *, web_port: int) -> None:
        self.url = f"http://localhost:{web_port}"
        self.log = node.directory / "log" / checkout.name
        self._checkout = checkout
        self._node = node
        self._web_port = web_port
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.log.mkdir(parents=True, exist_ok=True)

    @property
    def roles(self) -> list[str]:
        """The roles that this release has a unit for."""
        names = (path.stem.removeprefix("sdkportal-") for path in self._units().glob("sdkportal-*.service"))
        return sorted(name for name in names if name != "backup")

    def start(self, *roles: str) -> None:
        for role in roles or self.roles:
            with (self.log / f"{role}.log").open("ab") as output:
                self._running[role] = subprocess.Popen(
                    self._command(role),
                    cwd=self._checkout,
                    env={**self._node.environment, **_FEW},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )

    def stop(self, *roles: str) -> None:
        """Ask the processes to end, as systemd does; what does not is killed."""
        chosen = [self._running.pop(role) for role in roles or self.roles if role in self._running]
        for process in chosen:
            process.terminate()
        for process in chosen:
            try:
                process.wait(_ENDS_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def ended(self) -> list[str]:
        """The roles whose process has ended by itself."""
        return [role for role, process in self._running.items() if process.poll() is not None]

    def _units(self) -> Path:
        return self._checkout / "deploy" / "systemd"

    def _command(self, role: str) -> list[str]:
        unit = (self._units() / f"sdkportal-{role}.service").read_text()
        (command,) = _EXEC_START.findall(unit)
        for name, value in {**dict(_ENVIRONMENT.findall(unit)), **_FEW}.items():
            command = command.replace(f"${{{name}}}", value)
        command = command.replace("/var/lib/sdkportal", str(self.log)).replace("%%", "%")
        words = [sys.executable, "-m", *shlex.split(command)]
        if role == "web":
            words[words.index("--port") + 1] = str(self._web_port)
        if role == "access-point":
            words[words.index("--bind") + 1] = f"127.0.0.1:{self._node.ports.access_point}"
            # In front of it there is a proxy; here it speaks TLS itself.
            words += ["--keyfile", str(self._node.tls_key), "--certfile", str(self._node.tls_certificate)]
        return words
