"""The last release's processes go on against this version's schema, while messages and pages do.

A node of the last release works with a node of this version. Its database is migrated beneath it, it works
on, this version's processes start beside its own, and in the end take over.
"""

import os
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from scripts import last_release
from testbed import sample
from testbed.federation import Federation
from testbed.node import PROJECT
from testbed.sample_node import add_organisation, configure_node, start_federation_process
from testbed.services import Postgres, free_port
from tests.nodes import NodeUnderTest, eventually, node_and_broker
from tests.upgrade.people import Person
from tests.upgrade.processes import Processes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    # `make test` has its short form: what migrations since the last release do (tests/test_migrations.py).
    pytest.mark.skipif("SDK_TEST_UPGRADE" not in os.environ, reason="takes ten minutes: make test-upgrade"),
]
_START_SECONDS = 90
_SETTLED_SECONDS = 300
HABO_MAILBOX = "sdk:socialtjanst-mottagning:0203:habo.se"
HABO_PERSON = "199001012385"
AF_PERSON = "199212122397"
AF_MAILBOX = "sdk:arbetstraning:0203:arbetsformedlingen.se"


@pytest.fixture
def checkout(tmp_path) -> Path:
    """The last release's code."""
    release = last_release.read()
    directory = tmp_path / f"release-{release.version}"
    try:
        last_release.unpack(release, directory)
    except last_release.NotInThisCheckout as error:
        pytest.skip(
            f"the commit of release {release.version} is not in this checkout (a shallow clone?), so its "
            f"processes cannot run: git fetch --unshallow. {error}"
        )
    return directory


@dataclass(frozen=True)
class World:
    """A node of the last release, and one of this version that it writes to."""

    old: NodeUnderTest
    other: NodeUnderTest


@pytest.fixture
def world(checkout: Path, tmp_path: Path) -> Generator[World, None, None]:
    with ExitStack() as cleanup:
        postgres = Postgres(Path(os.environ["SDK_TEST_SERVICES"]) / "postgres")
        postgres.start()
        federation = Federation(tmp_path / "federation")
        federation.prepare()
        sample.populate(federation)
        process, log = start_federation_process(federation, tmp_path)
        cleanup.callback(process.wait, 15)
        cleanup.callback(process.terminate)
        federation.wait_until_ready(process, log)
        old = _node(tmp_path, sample.HABO, federation, postgres, cleanup)
        old.node.checkout = checkout
        old.node.manage("migrate", "--verbosity", "0")
        add_organisation(old.node, sample.HABO, federation)
        other = _node(tmp_path, sample.ARBETSFORMEDLINGEN, federation, postgres, cleanup)
        other.node.manage("migrate", "--verbosity", "0")
        add_organisation(other.node, sample.ARBETSFORMEDLINGEN, federation)
        for node in (old.node, other.node):
            node.manage("sync_address_book")
        yield World(old, other)


def _node(
    directory: Path,
    organisation: sample.NodeSample,
    federation: Federation,
    postgres: Postgres,
    cleanup: ExitStack,
) -> NodeUnderTest:
    name = f"upgrade_{organisation.slug}"
    postgres.ensure_database(name)
    one = node_and_broker(
        configure_node, directory / organisation.slug, organisation, federation, postgres.url(name)
    )
    return cleanup.enter_context(one)


def _person(node: NodeUnderTest, subject: str, mailbox: str, recipient: str, url: str) -> Person:
    ((mailbox_id,),) = node.query("SELECT id FROM mailbox_functionmailbox WHERE address = %s", mailbox)
    ((function,),) = node.query("SELECT id FROM addressbook_functionaddress WHERE identifier = %s", recipient)
    return Person(subject, mailbox_id, function, [url])


def _wait_until_they_answer(node: NodeUnderTest, processes: Processes, *, access_point: bool = True) -> None:
    def answers(url: str) -> Callable[[], bool]:
        def ask() -> bool:
            assert processes.ended() == [], f"see {processes.log}"
            try:
                return requests.get(url, timeout=5, verify=node.node.environment["SDK_TLS_CA_FILE"]).ok
            except requests.RequestException:
                return False

        return ask

    eventually(answers(f"{processes.url}/halsa/klar"), what="the pages", seconds=_START_SECONDS)
    if access_point:
        address = f"https://localhost:{node.node.ports.access_point}/halsa/"
        eventually(answers(address), what="the access point", seconds=_START_SECONDS)


def _work_on(*people: Person, rounds: int = 3) -> None:
    """Until each has sent so many more messages."""
    goals = [(person, len(person.sent) + rounds) for person in people]
    eventually(
        lambda: all(len(person.sent) >= goal or person.broken for person, goal in goals),
        what="people to send messages",
        seconds=_SETTLED_SECONDS,
    )
    assert [person.broken for person in people] == [[] for _ in people]


def _assert_nothing_is_lost(sender: NodeUnderTest, recipient: NodeUnderTest, person: Person) -> None:
    """What the pages said is sent is accepted, and with its recipient once."""

    def messages() -> dict[str, str]:
        return {
            str(message_id): state
            for message_id, state in sender.query(
                "SELECT message_id, state FROM message_service_outgoingmessage WHERE kind = 'message'"
            )
        }

    eventually(
        lambda: len(messages()) >= len(person.sent) and set(messages().values()) == {"ACCEPTED"},
        what=f"all of {len(person.sent)} messages to be accepted",
        seconds=_SETTLED_SECONDS,
    )
    arrived = recipient.query(
        "SELECT message_id::text, count(*) FROM mailbox_message WHERE direction = 'in' GROUP BY message_id"
    )
    assert dict(arrived) == dict.fromkeys(messages(), 1)
    # Whoever was logged out between sending and the next page has not read that it is sent.
    assert len(person.sent) <= len(messages()) <= len(person.sent) + person.logged_out


def test_a_node_is_upgraded_while_messages_and_pages_go_on(world: World, checkout: Path, tmp_path: Path):
    old, other = world.old, world.other
    with ExitStack() as cleanup:
        before = Processes(checkout, old.node, web_port=old.node.ports.web)
        after = Processes(PROJECT, old.node, web_port=free_port())
        counterpart = Processes(PROJECT, other.node, web_port=other.node.ports.web)
        for processes in (before, after, counterpart):
            cleanup.callback(processes.stop)
        before.start()
        counterpart.start()
        _wait_until_they_answer(old, before)
        _wait_until_they_answer(other, counterpart)
        people = (
            _person(old, HABO_PERSON, HABO_MAILBOX, AF_MAILBOX, before.url),
            _person(other, AF_PERSON, AF_MAILBOX, HABO_MAILBOX, counterpart.url),
        )
        for person in people:
            cleanup.callback(person.end)
            person.start()
        _work_on(*people)

        # The schema grows beneath the last release's processes, and they work on.
        old.node.checkout = PROJECT
        old.node.manage("migrate", "--verbosity", "0")
        _work_on(*people)

        # Another machine of the node has this version: both work side by side, and people meet either.
        after.start(*(role for role in after.roles if role != "access-point"))
        _wait_until_they_answer(old, after, access_point=False)
        people[0].use([before.url, after.url])
        _work_on(*people, rounds=4)

        people[0].use([after.url])
        _work_on(people[0], rounds=1)
        before.stop()
        after.start("access-point")
        _wait_until_they_answer(old, after)
        _work_on(*people)

        for person in people:
            person.end()
        assert [person.broken for person in people] == [[], []]
        assert sum(person.logged_out for person in people) <= 1
        _assert_nothing_is_lost(old, other, people[0])
        _assert_nothing_is_lost(other, old, people[1])
        for processes in (before, after, counterpart):
            assert "Internal Server Error" not in (processes.log / "access-point.log").read_text()
