"""Two whole nodes in a federation of their own, for browser and fault tests.

Tests that use `two_nodes` carry `pytest.mark.xdist_group("nodes")`, so that one pair serves them all.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest

from testbed import sample
from testbed.federation import Federation
from testbed.node import PROJECT, Node, NodePorts
from testbed.sample_node import prepare_node
from testbed.services import Postgres, Valkey, free_port

_PATIENCE_SECONDS = 90.0
T = TypeVar("T")
# What takes minutes in production takes seconds here: the same steps, the same order.
IMPATIENT = {
    "SDK_RESEND_WINDOW_SECONDS": "24",
    "SDK_LEASE_SECONDS": "4",
    "SDK_SWEEP_SECONDS": "1",
    "SDK_REMOTE_POLL_SECONDS": "1",
    # At once, but from mailboxes that have chosen otherwise.
    "SDK_UNDO_SEND_SECONDS": "0",
    "SDK_AS4_TIMEOUT_SECONDS": "30",
    # Where clients' servers of the tests' own listen.
    "SDK_WEBHOOK_HOSTS": "localhost,127.0.0.1",
}


@dataclass(frozen=True)
class NodeUnderTest:
    """A running node, with a way into its database."""

    node: Node
    organisation: sample.NodeSample
    database_url: str
    broker: Valkey

    def send(self, address: str, recipient: str, subject: str) -> str:
        """Send a message as the first member of the mailbox would; its message id."""
        (message_id,) = self.send_several(address, recipient, subject, 1)
        return message_id

    def send_several(self, address: str, recipient: str, subject: str, count: int) -> list[str]:
        """Send so many messages, one after the other; their message ids."""
        words = [self.organisation.participant_id, address, recipient, subject, "--count", str(count)]
        return self.node.run_module("testbed.send_message", *words).split()

    def query(self, statement: str, *parameters: object) -> list[tuple]:
        """Rows of one statement, in a connection of its own."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(statement, parameters).fetchall()


@dataclass(frozen=True)
class TwoNodes:
    """Håbo kommun and Arbetsförmedlingen, and the federation they are in."""

    habo: NodeUnderTest
    arbetsformedlingen: NodeUnderTest
    federation: Federation


def eventually(question: Callable[[], T], *, what: str, seconds: float = _PATIENCE_SECONDS) -> T:
    """The first true answer; an error that says what was waited for in vain."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = question()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")


_running: list[TwoNodes] = []


@pytest.fixture(scope="session")
def two_nodes(tmp_path_factory: pytest.TempPathFactory) -> Generator[TwoNodes, None, None]:
    if _running:
        # Several folders' conftest offer this fixture; the pair is started once.
        yield _running[0]
        return
    directory = Path(os.environ["SDK_TEST_SERVICES"]) / "nodes"
    directory.mkdir()
    postgres = Postgres(directory.parent / "postgres")
    postgres.start()
    federation = Federation(directory / "federation")
    federation.prepare()
    sample.populate(federation)
    log = directory / "federation.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "testbed.federation", str(directory / "federation")],
            cwd=PROJECT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        federation.wait_until_ready(process, log)
        with contextlib.ExitStack() as stack:
            started = []
            for organisation in sample.NODES:
                url = database_for_node(postgres, f"node_{organisation.slug}")
                one = running_node(directory / organisation.slug, organisation, federation, url)
                started.append(stack.enter_context(one))
            for each in started:
                each.node.manage("sync_address_book")
            _running.append(TwoNodes(*started, federation))
            yield _running[0]
    finally:
        process.terminate()
        process.wait(15)


@contextlib.contextmanager
def running_node(
    directory: Path, organisation: sample.NodeSample, federation: Federation, database_url: str
) -> Generator[NodeUnderTest, None, None]:
    """A node with a broker of its own, while the body runs; its steps take seconds, as `IMPATIENT` says."""
    with node_and_broker(prepare_node, directory, organisation, federation, database_url) as one:
        try:
            one.node.start()
            yield one
        finally:
            one.node.stop()


@contextlib.contextmanager
def node_and_broker(
    prepare: Callable[..., Node],
    directory: Path,
    organisation: sample.NodeSample,
    federation: Federation,
    database_url: str,
) -> Generator[NodeUnderTest, None, None]:
    """A node that is not started, made by a function of `testbed.sample_node`; its broker runs while the body
    does."""
    broker = Valkey(directory / "valkey", free_port())
    broker.start()
    try:
        node = prepare(
            directory,
            NodePorts(web=free_port(), access_point=free_port()),
            organisation,
            federation,
            database_url=database_url,
            broker_url=broker.url,
            settings=IMPATIENT,
        )
        yield NodeUnderTest(node, organisation, database_url, broker)
    finally:
        broker.stop()


def database_for_node(postgres: Postgres, name: str) -> str:
    """The URL of a database of the tests' server, which has the tables already where it has a template."""
    postgres.ensure_database(name, os.environ.get("SDK_TEST_TEMPLATE", "template1"))
    return postgres.url(name)
