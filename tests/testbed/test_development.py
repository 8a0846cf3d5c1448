"""`make run` as somebody who works on the code meets it: a node that reloads when a file is saved."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path

import pytest
import requests

from testbed.development import changes_the_database, roles_to_restart
from testbed.node import PROJECT, Role
from testbed.services import free_port, port_is_taken

_SECONDS = 400
EVERYTHING = tuple(Role)


@pytest.mark.parametrize(
    ("changed", "roles"),
    [
        ("mailbox/search/views.py", EVERYTHING),
        ("transport/protocol/xhe/envelope.py", EVERYTHING),
        ("sdkportal/settings.py", EVERYTHING),
        ("templates/base.html", (Role.WEB, Role.WORKER)),
        ("locale/en/LC_MESSAGES/django.mo", (Role.WEB, Role.WORKER)),
        ("locale/en/LC_MESSAGES/django.po", ()),
        ("mailbox/__pycache__/tasks.cpython-311.pyc", ()),
        ("static/app.css", ()),
    ],
)
def test_only_what_has_read_a_file_starts_again_when_it_changes(changed, roles):
    assert roles_to_restart([Path(changed)]) == roles


def test_a_migration_changes_the_database():
    assert changes_the_database([Path("mailbox/migrations/0001_initial.py")])
    assert not changes_the_database([Path("mailbox/models/draft.py")])


class Run:
    """`make run` in a directory and on ports of its own; its lines are read with a time limit."""

    def __init__(self, directory: Path) -> None:
        self.port = self._free_range()
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SDK_", "DJANGO_", "PYTHON"))
        }
        self.environment = environment | {
            "SDK_RUN_PORT": str(self.port),
            "SDK_RUN_DIRECTORY": str(directory),
        }
        self.process: subprocess.Popen[str] | None = None

    @staticmethod
    def _free_range() -> int:
        while True:
            first = free_port()
            if not any(port_is_taken(first + n) for n in (0, 10, 20)):
                return first

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "testbed.development"],
            cwd=PROJECT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def until(self, words: str) -> str:
        """Its lines up to one with these words."""
        lines = []
        patience = threading.Timer(_SECONDS, self.process.kill)
        patience.start()
        try:
            for line in self.process.stdout:
                lines.append(line)
                if words in line:
                    return "".join(lines)
        finally:
            patience.cancel()
        raise AssertionError(f"never said {words!r}:\n{''.join(lines)}")

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            finally:
                self.process.kill()


@pytest.fixture
def run(tmp_path) -> Generator[Run, None, None]:
    one = Run(tmp_path / "run")
    yield one
    one.stop()


@pytest.mark.whole
@pytest.mark.xdist_group("demo")
def test_a_node_starts_with_data_reloads_on_save_and_carries_on(run):
    run.start()
    told = run.until("It reloads when you save")
    assert "sample conversations, sent for real" in told
    assert "Karin Svensson" in told
    assert "Sara Öst" in told, "the partner's people are there too"
    page = f"http://localhost:{run.port}/logga-in"
    assert requests.get(page, timeout=10).ok

    # Saved without a change: what it says stays the same for tests that run beside this one.
    (PROJECT / "templates" / "500.html").touch()
    assert "restarting web, worker ..." in run.until("templates/500.html")
    assert requests.get(page, timeout=30).ok

    run.process.send_signal(signal.SIGINT)
    assert "`make run` carries on" in run.until("Stopped.")
    assert run.process.wait(60) == 0
    assert not any(port_is_taken(run.port + n) for n in (0, 10, 20))

    run.start()
    assert "sample conversations" not in run.until("It reloads when you save")
    assert requests.get(page, timeout=10).ok
