"""Messages through one whole node of ours, both roles.

Sealed, out and in by AS4 over HTTPS, opened, delivered to a mailbox, and answered by a message receipt that
goes the same way back: Celery workers, PostgreSQL, Valkey, and an access point with its own TLS and as many
processes as in deploy/.

What has become of messages is looked up by their ids, and never by reading a table through: that would cost
more the more messages there are, and be counted with the node's own work.
"""

# ruff: noqa: S101, S603

import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psutil
import psycopg

from benchmarks.gauge import Cost, Gauge
from testbed import sample
from testbed.federation import Federation
from testbed.node import PROJECT, Node, NodePorts, Role
from testbed.sample_node import prepare_node
from testbed.services import Postgres, Valkey, free_port

_PATIENCE_SECONDS = 600
# As in deploy/.
_RECEIVERS = 2
_WORKERS = 2
_LOOK_SECONDS, _LOOK_CLOSELY_SECONDS = 0.02, 0.002
_ACCEPTED = (
    "SELECT message_id FROM message_service_outgoingmessage "
    "WHERE organisation_id = %s AND message_id = ANY(%s) AND state = 'ACCEPTED'"
)
_RECEIPTS_DELIVERED = (
    "SELECT count(*) FROM message_service_incomingmessage i "
    "JOIN message_service_outgoingmessage r ON r.answers_id = i.id "
    "WHERE i.organisation_id = %s AND i.message_id = ANY(%s) AND r.state = 'ACKNOWLEDGE'"
)
_LATENCIES = (
    "SELECT 1000 * extract(epoch FROM message_receipt_at - created_at) "
    "FROM message_service_outgoingmessage WHERE organisation_id = %s AND message_id = ANY(%s)"
)
_COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"


@dataclass(frozen=True)
class Throughput:
    """How many messages, in what time from the first order to the last message receipt, and what each part of
    the node cost. `latencies` are each message's milliseconds from its order to its message receipt."""

    count: int
    seconds: float
    parts: dict[str, Cost]
    latencies: list[float]

    @property
    def messages_a_second(self) -> float:
        return self.count / self.seconds

    @property
    def envelopes_a_second(self) -> float:
        """A message and its receipt are an envelope each."""
        return 2 * self.count / self.seconds

    @property
    def cpu_ms_per_message(self) -> float:
        return 1000 * sum(cost.cpu for cost in self.parts.values()) / self.count


def throughput(directory: Path, federation: Federation, postgres: Postgres, count: int) -> Throughput:
    """Let so many messages of 2 KB, ordered as fast as they can be, go through a node of its own."""
    with whole_node(directory, federation, postgres) as node:
        node.run(max(1, min(20, count)))
        return node.run(count)


@contextmanager
def whole_node(
    directory: Path, federation: Federation, postgres: Postgres, *roles: Role, workers: int = _WORKERS
) -> Iterator["WholeNode"]:
    """A node that sends to itself, with these roles besides those that messages need, and so many processes
    that seal, open and deliver."""
    broker = Valkey(directory / "valkey", free_port())
    broker.start()
    postgres.ensure_database("bench_node")
    url = postgres.url("bench_node")
    prepared = prepare_node(
        directory / "node",
        NodePorts(web=free_port(), access_point=free_port()),
        sample.HABO,
        federation,
        database_url=url,
        broker_url=broker.url,
        settings={"SDK_LOG_LEVEL": "WARNING"},
    )
    environment = prepared.environment
    node = Node(
        prepared.name,
        prepared.directory,
        prepared.ports,
        environment,
        tls_key=Path(environment["SDK_TLS_CLIENT_KEY"]),
        tls_certificate=Path(environment["SDK_TLS_CLIENT_CERTIFICATE"]),
        workers=workers,
        receivers=_RECEIVERS,
    )
    node.manage("set_routing", sample.HABO.participant_id, "--way", "out-and-back")
    try:
        node.start(Role.ACCESS_POINT, Role.WORKER, Role.TRANSPORT, Role.BEAT, *roles)
        with _Orders(node) as orders, psycopg.connect(url) as connection:
            yield WholeNode(node, postgres, broker, orders, connection)
    finally:
        node.stop()
        broker.stop()


class WholeNode:
    """A running node, and what lets messages through it and measures that."""

    def __init__(
        self,
        node: Node,
        postgres: Postgres,
        broker: Valkey,
        orders: "_Orders",
        connection: psycopg.Connection,
    ) -> None:
        self.node = node
        self._postgres = postgres
        self._broker = broker
        self._orders = orders
        self._connection = connection
        # The tables are small at first, and read through for that.
        connection.execute("SET enable_seqscan = off")
        connection.commit()
        found = connection.execute("SELECT id FROM message_service_organisation").fetchone()
        assert found is not None
        (self._organisation,) = found
        connection.commit()

    def run(self, count: int, in_flight: int | None = None) -> Throughput:
        """Let messages through, at most `in_flight` of them at a time, and wait for every receipt."""
        gauges = self._gauges()
        ordered: list[UUID] = []
        outstanding: set[UUID] = set()
        begun = time.perf_counter()
        while len(ordered) < count or outstanding:
            room = min(count - len(ordered), (in_flight or count) - len(outstanding))
            if room:
                new = self._orders.make(room)
                ordered += new
                outstanding |= set(new)
            settled = self._accepted(outstanding)
            outstanding -= settled
            if not settled:
                self._wait(begun)
        while self._one(_RECEIPTS_DELIVERED, ordered) < count:
            self._wait(begun)
        seconds = time.perf_counter() - begun
        rows = self._connection.execute(_LATENCIES, [self._organisation, ordered]).fetchall()
        self._connection.commit()
        parts = {name: gauge.cost() for name, gauge in gauges.items()}
        # What looking cost is not the node's.
        looking = parts.pop("looking")
        parts["database"] = Cost(max(0.0, parts["database"].cpu - looking.cpu), parts["database"].memory)
        return Throughput(count, seconds, parts, sorted(float(value) for (value,) in rows))

    def latencies(self, count: int) -> list[float]:
        """Milliseconds from each order to its message receipt, one message after another; sorted."""
        taken = []
        for _ in range(count):
            begun = time.perf_counter()
            new = self._orders.make(1)
            while not self._accepted(new):
                self._wait(begun, _LOOK_CLOSELY_SECONDS)
            taken.append(1000 * (time.perf_counter() - begun))
            while not self._one(_RECEIPTS_DELIVERED, new):
                self._wait(begun)
        self._connection.commit()
        return sorted(taken)

    def commits(self) -> int:
        """Transactions that were committed in the node's database, as far as its servers have told."""
        self._connection.execute("SELECT pg_stat_clear_snapshot()")
        found = self._connection.execute(_COMMITS).fetchone()
        self._connection.commit()
        return int(found[0]) if found else 0

    def _gauges(self) -> dict[str, Gauge]:
        """Of each kind of process. PostgreSQL's server that answers us is counted apart."""
        pid, node = psutil.Process().pid, self.node
        scanners = [
            child.pid for child in psutil.Process(pid).children(recursive=True) if child.name() == "clamd"
        ]
        return {
            "ordering": Gauge(self._orders.pid),
            "workers": Gauge(node.pid(Role.WORKER), node.pid(Role.TRANSPORT)),
            "access point": Gauge(node.pid(Role.ACCESS_POINT)),
            "database": Gauge(self._postgres.pid),
            "broker": Gauge(self._broker.pid or 0),
            "clamd": Gauge(*scanners),
            "beat": Gauge(node.pid(Role.BEAT)),
            "looking": Gauge(self._connection.info.backend_pid),
        }

    def _accepted(self, ids: Collection[UUID]) -> set[UUID]:
        rows = self._connection.execute(_ACCEPTED, [self._organisation, list(ids)]).fetchall()
        return {message_id for (message_id,) in rows}

    def _one(self, query: str, ids: Collection[UUID]) -> int:
        found = self._connection.execute(query, [self._organisation, list(ids)]).fetchone()
        return int(found[0]) if found else 0

    def _wait(self, begun: float, seconds: float = _LOOK_SECONDS) -> None:
        assert time.perf_counter() - begun < _PATIENCE_SECONDS, "the node does not come to an end"
        time.sleep(seconds)


class _Orders:
    """A process that orders messages, as pages do."""

    def __init__(self, node: Node) -> None:
        functions = (function.identifier for function in sample.HABO.functions[:2])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.order", sample.HABO.participant_id, *functions],
            cwd=PROJECT,
            env=node.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._expect("ready")

    def __enter__(self) -> "_Orders":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    def make(self, count: int) -> list[UUID]:
        """Order so many messages; their message ids."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        return [UUID(word) for word in self._expect("ordered")]

    def _expect(self, word: str) -> list[str]:
        assert self._process.stdout is not None
        said, *rest = self._process.stdout.readline().split() or [""]
        assert said == word, f"the process that orders messages said {said!r}"
        return rest
