"""`make demo` as a new user runs it: up, Ctrl-C, up again, reset."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from testbed.node import PROJECT
from testbed.services import free_port, port_is_taken

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("demo"), pytest.mark.timeout(1500)]
_READY_SECONDS = 500


class Demo:
    def __init__(self, directory: Path) -> None:
        self.port = self._free_range()
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SDK_", "DJANGO_", "PYTHON"))
        }
        self.environment |= {"SDK_DEMO_PORT": str(self.port), "SDK_DEMO_DIRECTORY": str(directory)}

    def _free_range(self) -> int:
        while True:
            first = free_port()
            if not any(port_is_taken(first + n) for n in (0, 1, 10, 11, 20, 21)):
                return first

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "testbed.demo"],
            cwd=PROJECT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "testbed.demo", *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


def _until_ready(process: subprocess.Popen[str]) -> str:
    lines = []
    # A demo that tells nothing is ended, so that waiting for its next line comes to an end.
    patience = threading.Timer(_READY_SECONDS, process.terminate)
    patience.start()
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C stops it" in line:
            break
    patience.cancel()
    return "".join(lines)


def test_the_demo_starts_stops_carries_on_and_is_cleared(tmp_path):
    demo = Demo(tmp_path / "demo")
    process = demo.start()
    told = _until_ready(process)
    assert "Ready." in told, told
    assert "sample conversations, sent for real" in told
    assert "Karin Svensson" in told
    for number in (0, 1):
        assert requests.get(f"http://localhost:{demo.port + number}/halsa/klar", timeout=10).json()[
            "database"
        ]

    second = demo.run()
    assert second.returncode == 1
    assert f"port {demo.port}" in second.stderr
    assert "make demo SDK_DEMO_PORT=" in second.stderr
    assert demo.run("--reset").returncode == 1, "a running demo is not cleared"

    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert "Stopped." in process.stdout.read()
    assert not any(port_is_taken(demo.port + n) for n in (0, 1, 10, 11, 20, 21))

    process = demo.start()
    told = _until_ready(process)
    assert "Ready." in told, told
    assert "sample conversations" not in told, "it carries on with what is there"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0

    assert demo.run("--reset").returncode == 0
    assert not (tmp_path / "demo").exists()
