"""The pages' server alone, as a process, on a PostgreSQL of its own with few connections.

Tests that use `pages` carry `pytest.mark.xdist_group("many-pages")`, so that one server serves them all.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import requests

from mailbox import events
from testbed.node import PROJECT
from testbed.services import Postgres, free_port

CONNECTIONS = 50
PATIENCE = 60.0


@dataclass(frozen=True)
class Pages:
    """The pages' server, alone, and people who are logged in."""

    port: int
    postgres: Postgres
    sessions: list[str]
    rows: list[str]
    mailbox: int
    conversation: int
    work_directory: Path

    def query(self, statement: str, *parameters: object) -> list[tuple]:
        with psycopg.connect(self.postgres.url("pages"), autocommit=True) as connection:
            return connection.execute(statement, parameters).fetchall()

    def change(self) -> None:
        """Somebody does something in the mailbox."""
        self.query(events.ANNOUNCE, [str(self.mailbox)], events.CHANNEL)


@pytest.fixture(scope="session")
def pages() -> Generator[Pages, None, None]:
    directory = Path(os.environ["SDK_TEST_SERVICES"]) / "many-pages"
    directory.mkdir()
    postgres = Postgres(directory / "postgres")
    postgres.start()
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET max_connections = {CONNECTIONS}")
    postgres.kill()
    postgres.revive()
    postgres.ensure_database("pages")
    port = free_port()
    environment = {
        **os.environ,
        "SDK_DATABASE_URL": postgres.url("pages"),
        "SDK_DATA_DIR": str(directory / "data"),
        "SDK_COOKIE_PREFIX": "many",
        # Nothing else runs here, and a check at start asks whether all processes fit (sdkportal.E001).
        "SDK_PAGES_PROCESSES": "1",
        "SDK_ACCESS_POINT_PROCESSES": "1",
    }
    python = [sys.executable, "-W", "ignore"]
    subprocess.run([*python, "manage.py", "migrate", "-v", "0"], cwd=PROJECT, env=environment, check=True)
    made = subprocess.run(
        [*python, "-m", "tests.faults.visitors", "20"],
        cwd=PROJECT,
        env=environment,
        check=True,
        capture_output=True,
    )
    people = json.loads(made.stdout)
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(*python, "-m", "uvicorn", "sdkportal.asgi:application", "--port", str(port)),
                *("--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "2"),
            ],
            cwd=PROJECT,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(port)
        yield Pages(
            port,
            postgres,
            people["sessions"],
            people["rows"],
            people["mailbox"],
            people["conversation"],
            directory / "data" / "work",
        )
    finally:
        server.terminate()
        server.wait(15)
        postgres.stop()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"http://127.0.0.1:{port}/halsa/", timeout=2).ok:
                return
        time.sleep(0.1)
    raise AssertionError("the pages did not start")
