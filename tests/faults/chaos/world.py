"""Two nodes and a federation whose parts can be taken away one by one."""

import contextlib
import logging
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from werkzeug.serving import make_server

from testbed import sample
from testbed.clamav import ClamAV
from testbed.federation import Federation
from testbed.node import Node, NodePorts, Role
from testbed.sample_node import prepare_node
from testbed.services import Postgres, ServiceNotStarted, Valkey, free_port
from testbed.sml import start_name_servers
from tests.nodes import IMPATIENT, NodeUnderTest

from . import power

_START_ATTEMPTS = 3
# The package that starts PostgreSQL has one lock for all of a process's servers, and not for its threads.
_one_server_at_a_time = threading.Lock()
# Time enough for resends while something is away: nothing should fail for that.
_SETTINGS = {
    **IMPATIENT,
    "SDK_RESEND_WINDOW_SECONDS": "120",
    # A process that is stopped for some seconds comes back to leases that have ended.
    "SDK_LEASE_SECONDS": "2",
    "SDK_AS4_TIMEOUT_SECONDS": "10",
    "SDK_HTTP_TIMEOUT_SECONDS": "4",
    "SDK_ANSWER_MEMORY_SECONDS": "0",
}
# A person of one node sends at once, in the page's process; of the other, a worker sends after a second.
_UNDO_SECONDS = {"habo": "0", "arbetsformedlingen": "1"}


class BreakableFederation(Federation):
    """A federation in this process, whose name servers and web server can be taken away and brought back."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._away = threading.Lock()
        self._names_away = self._web_away = 0

    def take_away_name_servers(self) -> None:
        """Answer no question of DNS until every one who asked for this has brought them back."""
        with self._away:
            self._names_away += 1
            if self._names_away == 1:
                for server in self._servers[1:-1]:
                    # Its own `stop` leaves the socket to the kernel, which would take questions in.
                    server.stop()
                    server.server.server_close()

    def bring_back_name_servers(self) -> None:
        with self._away:
            self._names_away -= 1
            if not self._names_away:
                port = self._register.read()["ports"]["dns"]
                self._servers[1:-1] = start_name_servers(self._register, f"{self.url}/smp", port)

    def take_away_web(self) -> None:
        """Refuse every connection until every one who asked for this has brought it back."""
        with self._away:
            self._web_away += 1
            if self._web_away == 1:
                self._servers[0].shutdown()

    def bring_back_web(self) -> None:
        with self._away:
            self._web_away -= 1
            if not self._web_away:
                port = self._register.read()["ports"]["http"]
                web = make_server("127.0.0.1", port, self._application(), threaded=True)
                threading.Thread(target=web.serve_forever, daemon=True).start()
                self._servers[0] = web


@dataclass(frozen=True)
class ChaosNode:
    """A node that faults happen to, and what it stands on; nothing else uses that."""

    under_test: NodeUnderTest
    postgres: Postgres
    scanner: ClamAV
    federation: BreakableFederation

    @property
    def name(self) -> str:
        return self.running.name

    @property
    def running(self) -> Node:
        return self.under_test.node

    @property
    def broker(self) -> Valkey:
        return self.under_test.broker

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        return self.under_test.query(statement, *parameters)

    def start(self, role: Role) -> None:
        """Start a process that was killed; one that does not answer is killed and started again."""
        for attempt in range(_START_ATTEMPTS):
            try:
                self.running.start(role)
                return
            except ServiceNotStarted:
                if attempt == _START_ATTEMPTS - 1:
                    raise
                self.kill(role)

    def kill(self, role: Role) -> None:
        with contextlib.suppress(KeyError):
            self.running.kill(role)

    def revive_database(self) -> None:
        """Start PostgreSQL again after it was killed; return when it has recovered."""
        with _one_server_at_a_time:
            self.postgres.revive()

    def cut_power(self) -> None:
        """End every process of the machine at once, and take away what was not synced."""
        for role in Role:
            with contextlib.suppress(KeyError, ProcessLookupError):
                self.running.freeze(role)
        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as connection:
            # Whoever was told of a commit was told before; nobody is told anything from here on.
            timeline, place = power.flushed(connection)
        self.postgres.kill()
        for role in Role:
            self.kill(role)
        self.broker.kill()
        power.lose_log(self.postgres.directory, timeline, place)
        power.lose_files(self.running.directory / "data" / "payloads", power.synced_by(self.synced))

    @property
    def synced(self) -> Path:
        """Where the node's processes record what they have synced."""
        return self.running.directory / "synced"

    def forget_federation(self) -> None:
        """Drop what the node keeps of the federation's answers, as time does."""
        with contextlib.suppress(psycopg.Error):
            self.query("DELETE FROM federation_cachedanswer RETURNING 1")

    def processes(self) -> list[psutil.Process]:
        """The node's own processes and their children."""
        found = []
        for role in Role:
            with contextlib.suppress(KeyError, psutil.NoSuchProcess):
                process = psutil.Process(self.running.pid(role))
                found += [process, *process.children(recursive=True)]
        return found

    @contextmanager
    def environment(self, **values: str) -> Generator[None, None, None]:
        """Processes that are started while the body runs have these variables."""
        self.running.environment.update(values)
        try:
            yield
        finally:
            for name in values:
                del self.running.environment[name]


@contextmanager
def running_world(directory: Path) -> Iterator[tuple[ChaosNode, ChaosNode]]:
    """Two nodes that know each other's functions."""
    # The federation answers in this process, and would write a line a request.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with ExitStack() as cleanup:
        federation = BreakableFederation(directory / "federation")
        federation.prepare()
        sample.populate(federation)
        federation.start()
        cleanup.callback(federation.stop)
        with ThreadPoolExecutor(len(sample.NODES)) as pool:
            prepared = [
                pool.submit(_prepared, directory / organisation.slug, organisation, federation, cleanup)
                for organisation in sample.NODES
            ]
            nodes = [future.result() for future in prepared]
            for future in [pool.submit(node.running.start) for node in nodes]:
                future.result()
            for future in [pool.submit(node.running.manage, "sync_address_book") for node in nodes]:
                future.result()
        yield nodes[0], nodes[1]


def _prepared(
    directory: Path, organisation: sample.NodeSample, federation: BreakableFederation, cleanup: ExitStack
) -> ChaosNode:
    postgres = Postgres(directory / "postgres")
    broker = Valkey(directory / "valkey", free_port())
    scanner = ClamAV(directory / "clamav")
    with _one_server_at_a_time:
        postgres.start()
    cleanup.callback(postgres.stop)
    for service in (broker, scanner):
        service.start()
        cleanup.callback(service.stop)
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        # Disks are not waited for. What they would not have had when the power went is taken away
        # (`ChaosNode.cut_power`), and commits that nobody waits for are left to be among it.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        connection.execute("SELECT pg_reload_conf()")
    postgres.ensure_database("node")
    settings = {
        **_SETTINGS,
        "SDK_CLAMD": scanner.address,
        "SDK_UNDO_SEND_SECONDS": _UNDO_SECONDS[organisation.slug],
        # Where this runs within other tests, their files are not the nodes'.
        "SDK_WORK_DIR": str(directory / "data" / "work"),
        **power.environment(directory / "synced"),
    }
    ports = NodePorts(web=free_port(), access_point=free_port())
    node = prepare_node(
        directory,
        ports,
        organisation,
        federation,
        database_url=postgres.url("node"),
        broker_url=broker.url,
        settings=settings,
    )
    cleanup.callback(node.stop)
    return ChaosNode(
        NodeUnderTest(node, organisation, postgres.url("node"), broker), postgres, scanner, federation
    )
