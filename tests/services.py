"""An early pytest plugin: starts the run's PostgreSQL, Valkey and ClamAV before Django reads its settings.

Run pytest as `python -m pytest`, which puts the checkout on the path.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest

from testbed.clamav import ClamAV
from testbed.node import PROJECT
from testbed.services import POSTGRESQL_PROGRAMS, Postgres, Valkey, free_port

TEMPLATE = "sdkportal_template"


class _Services:
    """Owned by the process that steers the run; xdist's workers inherit the addresses."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="sdkportal-tests-"))
        self.postgres = Postgres(self.directory / "postgres")
        self.valkey = Valkey(self.directory / "valkey", free_port())
        self.clamav = ClamAV(self.directory / "clamav")

    def start(self) -> None:
        self.postgres.start()
        self._spare_the_disk()
        self.postgres.ensure_database("sdkportal")
        self.valkey.start()
        self.clamav.start()
        os.environ["SDK_TEST_SERVICES"] = str(self.directory)
        os.environ["SDK_DEMO"] = "1"
        # Tests change what the federation says, and look at once.
        os.environ["SDK_ANSWER_MEMORY_SECONDS"] = "0"
        # A server in a test is no slower than the machine that runs all of them.
        os.environ["SDK_SLOW_SERVER_SECONDS"] = "30"
        os.environ["SDK_DATABASE_URL"] = self.postgres.url("sdkportal")
        os.environ["SDK_POSTGRESQL_PROGRAMS"] = str(POSTGRESQL_PROGRAMS)
        os.environ["SDK_BROKER_URL"] = self.valkey.url
        os.environ["SDK_CLAMD"] = self.clamav.address
        os.environ["SDK_DATA_DIR"] = str(self.directory / "data")

    def _spare_the_disk(self) -> None:
        """What is written has to outlive a process that is killed; of power lost no test tells."""
        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as connection:
            for setting in ("fsync", "full_page_writes"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")

    def prepare_template(self) -> None:
        """A database with all tables, which workers and nodes copy instead of migrating one each."""
        self.postgres.ensure_database(TEMPLATE)
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=PROJECT,
            env={**os.environ, "SDK_DATABASE_URL": self.postgres.url(TEMPLATE)},
            check=True,
        )
        os.environ["SDK_TEST_TEMPLATE"] = TEMPLATE

    def stop(self) -> None:
        self.clamav.stop()
        self.valkey.stop()
        self.postgres.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        os.environ.pop("SDK_TEST_SERVICES", None)
        os.environ.pop("SDK_TEST_TEMPLATE", None)


_running: list[_Services] = []


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    if "SDK_TEST_SERVICES" not in os.environ:
        services = _Services()
        services.start()
        _running.append(services)
        # One worker alone migrates its own as fast.
        if getattr(early_config.known_args_namespace, "numprocesses", None):
            services.prepare_template()
    return (yield)


def pytest_unconfigure() -> None:
    while _running:
        _running.pop().stop()
