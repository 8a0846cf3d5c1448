"""Messages through one whole node of ours, which is both sender and recipient.

A message is sealed, goes out and comes in by AS4 over HTTPS, is opened and delivered to a mailbox, and its
message receipt goes the same way back. The node has Celery workers, PostgreSQL, Valkey, and an access point
with TLS of its own.
"""

# ruff: noqa: S101, S603

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.gauge import Cost, Gauge
from testbed import sample
from testbed.federation import Federation
from testbed.node import PROJECT, Node, NodePorts, Role
from testbed.sample_node import prepare_node
from testbed.services import Postgres, Valkey, free_port

_LIMIT_SECONDS = 600
_SETTLED = (
    "SELECT count(*) FROM message_service_outgoingmessage WHERE kind = 'message' AND state = 'ACCEPTED'"
)
_RECEIPTS_DELIVERED = (
    "SELECT count(*) FROM message_service_outgoingmessage WHERE kind = 'receipt' AND state = 'ACKNOWLEDGE'"
)


@dataclass(frozen=True)
class Throughput:
    """How many messages went through, the seconds from the first order to the last message receipt, and the
    cost of each part of the node."""

    count: int
    seconds: float
    parts: dict[str, Cost]

    @property
    def messages_a_second(self) -> float:
        return self.count / self.seconds

    @property
    def envelopes_a_second(self) -> float:
        """Envelopes a second: a message and its receipt are one each."""
        return 2 * self.count / self.seconds


def throughput(directory: Path, federation: Federation, postgres: Postgres, count: int) -> Throughput:
    """Send so many messages of 2 KB through a node that is started for it."""
    broker = Valkey(directory / "valkey", free_port())
    broker.start()
    postgres.ensure_database("bench_node")
    url = postgres.url("bench_node")
    node = prepare_node(
        directory / "node",
        NodePorts(web=free_port(), access_point=free_port()),
        sample.HABO,
        federation,
        database_url=url,
        broker_url=broker.url,
        settings={"SDK_LOG_LEVEL": "WARNING"},
    )
    node.manage("set_routing", sample.HABO.participant_id, "--way", "out-and-back")
    try:
        node.start(Role.ACCESS_POINT, Role.WORKER, Role.TRANSPORT, Role.BEAT)
        with _Orders(node) as orders, psycopg.connect(url, autocommit=True) as connection:
            _run(orders, connection, max(1, min(20, count)))
            gauges = {
                "ordering": Gauge(orders.pid),
                "workers": Gauge(node.pid(Role.WORKER)),
                "access point": Gauge(node.pid(Role.ACCESS_POINT)),
                "database": Gauge(postgres.pid),
                "broker": Gauge(broker.pid or 0),
            }
            seconds = _run(orders, connection, count)
            return Throughput(count, seconds, {name: gauge.cost() for name, gauge in gauges.items()})
    finally:
        node.stop()
        broker.stop()


class _Orders:
    """A process that orders messages, as the pages do."""

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
        """The id of the process."""
        return self._process.pid

    def make(self, count: int) -> None:
        """Order so many messages, and return when they are ordered."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        self._expect("ordered")

    def _expect(self, word: str) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line == word, f"the process that orders messages printed {line!r}"


def _run(orders: _Orders, connection: psycopg.Connection, count: int) -> float:
    """Order messages, and wait for all of their receipts; returns the seconds it took."""

    def counted(query: str) -> int:
        found = connection.execute(query).fetchone()
        return int(found[0]) if found else 0

    goals = {query: counted(query) + count for query in (_SETTLED, _RECEIPTS_DELIVERED)}
    begun = time.perf_counter()
    orders.make(count)
    for query, goal in goals.items():
        while counted(query) < goal:
            assert time.perf_counter() - begun < _LIMIT_SECONDS, "receipts are missing after the time limit"
            time.sleep(0.05)
    return time.perf_counter() - begun
