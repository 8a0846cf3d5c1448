"""`make test-cluster` in small: a node with two database servers goes on when the standby is promoted."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import requests

from testbed import sample
from testbed.federation import Federation
from testbed.node import NodePorts, Role
from testbed.sample_node import prepare_node
from testbed.services import Valkey, free_port
from tests.faults.test_kill import state_of
from tests.faults.test_services_die import HERE, OwnNode, assert_delivered_once
from tests.nodes import IMPATIENT, NodeUnderTest, eventually

from .faults import follow_again
from .people import Answer, OpenStream, Visitor, steady_since
from .postgresql import DatabaseServer
from .units import command_of
from .world import proxy_site

pytestmark = [pytest.mark.xdist_group("promotion"), pytest.mark.timeout(600)]


@dataclass(frozen=True)
class TwoServers:
    """A primary with a synchronous standby, and a node that knows both."""

    primary: DatabaseServer
    standby: DatabaseServer
    own: OwnNode

    def visitor(self) -> Visitor:
        node = self.own.node
        session = node.run_module("tests.faults.chaos.login", HERE)
        authority = node.environment["SDK_TLS_CA_FILE"]
        return Visitor(node.url, {f"{node.name}_session": session}, authority)


@pytest.fixture
def two_servers(tmp_path) -> Iterator[TwoServers]:
    primary, standby = (
        DatabaseServer(tmp_path / name, "127.0.0.1", free_port()) for name in ("primary", "standby")
    )
    url = f"postgresql://postgres@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/node"
    federation = Federation(tmp_path / "federation")
    federation.prepare()
    broker = Valkey(tmp_path / "valkey", free_port())
    with contextlib.ExitStack() as cleanup:
        for start, stop in (
            (federation.start, federation.stop),
            (broker.start, broker.stop),
            (primary.create, lambda: None),
            (primary.start, primary.stop),
        ):
            start()
            cleanup.callback(stop)
        primary.create_database("node")
        node = prepare_node(
            tmp_path / "habo",
            NodePorts(web=free_port(), access_point=free_port()),
            sample.HABO,
            federation,
            database_url=url,
            broker_url=broker.url,
            settings={**IMPATIENT, "SDK_WORK_DIR": str(tmp_path / "habo" / "data" / "work")},
        )
        cleanup.callback(node.stop)
        standby.follow(primary)
        standby.start()
        cleanup.callback(standby.stop)
        primary.require_standby()
        node.start()
        node.manage("sync_address_book")
        node.manage("set_routing", sample.HABO.participant_id, "--way", "out-and-back")
        one = NodeUnderTest(node, sample.HABO, f"{url}?target_session_attrs=read-write", broker)
        yield TwoServers(primary, standby, OwnNode(one, None, federation))


@pytest.mark.slow
def test_a_node_goes_on_when_the_standby_is_promoted(two_servers):
    """Pages, an open stream, workers and beat find the new primary; nothing is lost or doubled."""
    own = two_servers.own
    stream = OpenStream(two_servers.visitor())
    stream.start()
    eventually(lambda: stream.heard, what="the stream to say something")
    messages = [own.send() for _ in range(3)]
    two_servers.primary.kill()
    pages = f"{own.node.url}/halsa/klar"
    assert requests.get(pages, timeout=20).status_code == 503

    two_servers.standby.promote()
    heard = len(stream.heard)
    eventually(lambda: requests.get(pages, timeout=20).ok, what="the pages to answer", seconds=15)
    for message_id in messages:
        assert_delivered_once(own, message_id)
    assert_delivered_once(own, own.send())
    eventually(lambda: len(stream.heard) > heard, what="the stream to go on")
    assert len(stream.opened) == 1, "the browser's stream was not broken"
    led = own.node.log(Role.BEAT).read_text().count("beat_leads")
    assert led >= 2, "beat leads anew on the new primary"

    # The old one is a standby now: it is named first, and takes no writes.
    follow_again(two_servers.standby, two_servers.primary)
    assert two_servers.primary.query("SELECT pg_is_in_recovery()") == [(True,)]
    message_id = own.send()
    eventually(lambda: state_of(own.one, message_id) == "ACCEPTED", what="a message by the new primary")
    stream.end()


def test_a_commit_that_a_person_was_told_of_is_on_the_standby(tmp_path):
    primary, standby = (
        DatabaseServer(tmp_path / name, "127.0.0.1", free_port()) for name in ("primary", "standby")
    )
    with contextlib.ExitStack() as cleanup:
        primary.create()
        primary.start()
        cleanup.callback(primary.stop)
        standby.follow(primary)
        standby.start()
        cleanup.callback(standby.stop)
        primary.require_standby()
        primary.query("CREATE TABLE told (id int); INSERT INTO told VALUES (1)")
        primary.kill()
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            standby.query("INSERT INTO told VALUES (2) RETURNING id")
        standby.promote()
        assert standby.query("SELECT id FROM told") == [(1,)]
        assert standby.query("INSERT INTO told VALUES (2) RETURNING id") == [(2,)]


def test_the_shipped_proxy_s_file_fits_the_machines_of_the_cluster(tmp_path):
    federation = Federation(tmp_path)
    federation.prepare()
    site = proxy_site(federation)
    assert "kommun.example" not in site
    assert "/etc/sdkportal/" not in site


def test_what_a_unit_starts_is_started_on_the_host_s_address():
    given = {"SDK_ACCESS_POINT_PROCESSES": "1", "SDK_TRANSPORT_PROCESSES": "3"}
    command = command_of("access-point", address="10.77.0.11", data=Path("/data"), environment=given)
    assert command[1:4] == ["-m", "gunicorn", "sdkportal.wsgi_access_point:application"]
    assert "10.77.0.11:8441" in command
    assert command[command.index("--workers") + 1] == "1"
    command = command_of("transport", address="10.77.0.21", data=Path("/data"), environment=given)
    assert command[command.index("--hostname") + 1] == "transport@%h"
    command = command_of("beat", address="10.77.0.21", data=Path("/data"), environment={})
    assert command[command.index("--schedule") + 1] == "/data/beat-schedule"


def answers(*statuses: int) -> list[Answer]:
    """One a second, each of which takes half a second."""
    return [Answer(float(at), at + 0.5, status) for at, status in enumerate(statuses)]


@pytest.mark.parametrize(
    ("given", "moment", "expected"),
    [
        (answers(200, 200, 200, 200, 200), 0.0, 0.5),
        (answers(200, 200, 200, 200), 0.0, None),
        (answers(503, 0, 200, 200, 200, 200, 200), 0.0, 2.5),
        # A failure in between: it had not come back.
        (answers(200, 200, 200, 503, 200, 200, 200, 200, 200), 0.0, 4.5),
        # Asked for before the moment, and failed after it.
        (answers(200, 503, 200, 200, 200, 200, 200), 1.2, 2.5),
        # Asked for before the moment: it says nothing of what is after it.
        (answers(200, 200, 200, 200, 200, 200, 200), 1.2, 2.5),
    ],
)
def test_a_page_has_come_back_when_it_comes_again_and_again(given, moment, expected):
    assert steady_since(given, moment) == expected
