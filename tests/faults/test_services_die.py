"""kill -9 of what a node stands on: its database, its broker, its web processes. Nothing is lost, nothing
is delivered twice.

One node of its own, since its database is killed: it writes to itself, which goes the whole way out and in
again. The moments are chosen by locks, as in `test_kill`.
"""

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import requests

from testbed import sample
from testbed.federation import Federation
from testbed.node import Node, Role
from testbed.services import Postgres
from tests.faults.test_kill import state_of, wait_until_blocked
from tests.nodes import NodeUnderTest, eventually, running_node

pytestmark = pytest.mark.xdist_group("own-node")
HERE = "sdk:socialtjanst-mottagning:0203:habo.se"
THERE = "sdk:elevhalsa:0203:habo.se"
_WAITS_FOR_STANDBY = (
    "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE '%emit_message(true%'"
)
KARIN = sample.HABO.people[0].subject


@dataclass(frozen=True)
class OwnNode:
    """A node with a database server that nothing else uses."""

    one: NodeUnderTest
    postgres: Postgres
    federation: Federation

    @property
    def node(self) -> Node:
        return self.one.node

    def send(self) -> str:
        return self.one.send(HERE, THERE, "Fel")

    @contextlib.contextmanager
    def frozen(self, *roles: Role) -> Generator[None, None, None]:
        """Let the processes of these roles stand still while the body runs."""
        for role in roles:
            self.node.freeze(role)
        try:
            yield
        finally:
            for role in roles:
                self.node.thaw(role)

    @contextlib.contextmanager
    def killed(self, role: Role) -> Generator[None, None, None]:
        """Kill a role's processes, and start them again when the body has run."""
        self.node.kill(role)
        try:
            yield
        finally:
            self.node.start(role)

    @contextlib.contextmanager
    def stuck_at(self, table: str) -> Generator[None, None, None]:
        """Hold a table while the body runs: whatever comes to need it waits."""
        connection = psycopg.connect(self.one.database_url)
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        try:
            yield
        finally:
            # The server may have been killed meanwhile, and the lock with it.
            with contextlib.suppress(psycopg.OperationalError):
                connection.rollback()
            connection.close()

    @contextlib.contextmanager
    def committing_for_ever(self) -> Generator[None, None, None]:
        """Let whoever commits wait while the body runs, with the commit on disk: for a standby that is not
        there."""
        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            connection.execute("SELECT pg_reload_conf()")
            probes: list[threading.Thread] = []

            def is_in_force() -> bool:
                """The server takes it up in its own time: until then a commit does not wait."""
                if not probes or not probes[-1].is_alive():
                    probes.append(threading.Thread(target=self._commit_something, daemon=True))
                    probes[-1].start()
                return connection.execute(_WAITS_FOR_STANDBY).fetchone() is not None

            try:
                eventually(is_in_force, what="commits to wait")
                yield
            finally:
                connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
                connection.execute("SELECT pg_reload_conf()")
                for probe in probes:
                    probe.join(30)

    def _commit_something(self) -> None:
        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as connection:
            connection.execute("SELECT pg_logical_emit_message(true, 'probe', '')")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Generator[OwnNode, None, None]:
    directory = tmp_path_factory.mktemp("own-node")
    federation = Federation(directory / "federation")
    federation.prepare()
    federation.start()
    postgres = Postgres(directory / "postgres")
    postgres.start()
    postgres.ensure_database("own_node")
    try:
        with running_node(directory / "habo", sample.HABO, federation, postgres.url("own_node")) as one:
            one.node.manage("sync_address_book")
            one.node.manage("set_routing", sample.HABO.participant_id, "--way", "out-and-back")
            yield OwnNode(one, postgres, federation)
    finally:
        postgres.stop()
        federation.stop()


def assert_delivered_once(own: OwnNode, message_id: str) -> None:
    one = own.one

    def is_accepted() -> bool:
        # As systemd does with what deploy/ has: a worker may end when its broker is gone.
        own.node.restart_ended()
        return state_of(one, message_id) == "ACCEPTED"

    eventually(is_accepted, what="the message to be accepted")
    for table, condition in (
        ("mailbox_message", "direction = 'in'"),
        ("message_service_incomingmessage", "is_accepted"),
        ("message_service_outgoingmessage", "kind = 'message'"),
    ):
        counted = one.query(f"SELECT count(*) FROM {table} WHERE message_id = %s AND {condition}", message_id)
        assert counted == [(1,)], table
    names = [
        name
        for (name,) in one.query(
            "SELECT e.name FROM message_service_event e JOIN message_service_outgoingmessage m "
            "ON m.id = e.outgoing_id WHERE m.message_id = %s",
            message_id,
        )
    ]
    for once in ("SCHEDULED", "SUBMITTED", "ACCEPTED"):
        assert names.count(once) == 1, names


@pytest.mark.parametrize(
    "table",
    [
        "access_point_outboundtransfer",  # handing over
        "access_point_inboundtransfer",  # taking the transfer
        "mailbox_message",  # delivering, or settling
    ],
)
def test_the_database_dies(own, table):
    """The page that sent has answered; whatever a process was doing, it is done again."""
    with own.stuck_at(table):
        message_id = own.send() if table != "mailbox_message" else _sent_by_the_api(own)
        wait_until_blocked(own.one)
        own.postgres.kill()
    own.postgres.revive()
    assert_delivered_once(own, message_id)


def _sent_by_the_api(own: OwnNode) -> str:
    """Ordered without the mailbox, whose table is held."""
    return own.node.run_module("tests.faults.order", sample.HABO.participant_id, HERE, THERE).strip()


def test_the_database_dies_before_the_first_step(own):
    with own.frozen(Role.WORKER):
        message_id = own.send()
        own.postgres.kill()
    own.postgres.revive()
    assert_delivered_once(own, message_id)


def test_the_broker_dies_before_a_message_is_sent(own):
    own.one.broker.kill()
    message_id = own.send()
    own.one.broker.start()
    assert_delivered_once(own, message_id)


@pytest.mark.parametrize("table", ["access_point_outboundtransfer", "access_point_inboundtransfer"])
def test_the_broker_dies_on_the_way(own, table):
    """What it held is gone with it: the sweeper finds the work in the database."""
    with own.stuck_at(table):
        message_id = own.send()
        wait_until_blocked(own.one)
        own.one.broker.kill()
    own.one.broker.start()
    assert_delivered_once(own, message_id)


def test_the_access_point_dies_when_it_has_committed_and_its_receipt_is_not_out(own):
    """Committed and never receipted: the resend is a duplicate, and gets the receipt."""
    own.node.freeze(Role.ACCESS_POINT)
    try:
        message_id = own.send()
        posted = (
            "SELECT 1 FROM access_point_outboundtransfer "
            "WHERE conversation_id = %s AND sent_references <> '[]'"
        )
        eventually(lambda: own.one.query(posted, message_id), what="the message to be posted")
        with own.committing_for_ever():
            own.node.thaw(Role.ACCESS_POINT)
            committing = (
                "SELECT 1 FROM pg_stat_activity AS waiting JOIN pg_locks AS held USING (pid) "
                "WHERE waiting.wait_event = 'SyncRep' AND held.mode = 'RowExclusiveLock' "
                "AND held.relation = 'access_point_inboundtransfer'::regclass"
            )
            eventually(lambda: own.one.query(committing), what="the access point to commit")
            own.node.kill(Role.ACCESS_POINT)
    finally:
        own.node.start(Role.ACCESS_POINT)
    assert_delivered_once(own, message_id)
    logged = "SELECT kind FROM access_point_transferevent WHERE conversation_id = %s ORDER BY id"

    def received() -> list[str]:
        kinds = [kind for (kind,) in own.one.query(logged, message_id)]
        return [kind for kind in kinds if kind in {"RECEIVED", "DUPLICATE"}][:2]

    # The message receipt may come before the resend.
    eventually(lambda: received() == ["RECEIVED", "DUPLICATE"], what="the resend to be a duplicate")


def test_the_access_point_dies_while_it_reads(own):
    """What had come of a message is in the work directory when the process dies; its start sweeps it away."""
    work = Path(own.node.environment["SDK_DATA_DIR"]) / "work"

    def half() -> list[Path]:
        return [path for path in work.glob("receiving.*/*") if path.stat().st_size > 100_000]

    context = ssl.create_default_context(cafile=own.node.environment["SDK_TLS_CA_FILE"])
    with (
        socket.create_connection(("localhost", own.node.ports.access_point), timeout=20) as line,
        context.wrap_socket(line, server_hostname="localhost") as secured,
    ):
        secured.sendall(
            b"POST /as4 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n"
            b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\n"
            b"Content-Type: application/soap+xml\r\n\r\n" + b"x" * 300_000
        )
        eventually(half, what="half a message to be on disk")
        # A worker's sweep would remove it too.
        with own.frozen(Role.WORKER, Role.TRANSPORT), own.killed(Role.ACCESS_POINT):
            assert half()
        assert not half()
    assert_delivered_once(own, own.send())
    eventually(lambda: not any(work.iterdir()), what="the work directory to be empty")


def test_the_access_point_dies_before_it_reads(own):
    own.node.freeze(Role.ACCESS_POINT)
    try:
        message_id = own.send()
        eventually(lambda: state_of(own.one, message_id) == "SUBMITTED", what="the hand-over")
    finally:
        with own.killed(Role.ACCESS_POINT):
            pass
    assert_delivered_once(own, message_id)


def test_the_web_process_dies_before_it_takes_an_order(own):
    """Killed before anything is written: the draft is as it was, nothing is sent, and Send works again."""
    browser, draft, check = _looked_through(own)
    before = _sent(own)
    with _pressed_at(own, browser, check, "mailbox_draft", 'SELECT "mailbox_draft"."id", "%'):
        own.node.kill(Role.WEB)
    own.node.start(Role.WEB)
    assert own.one.query("SELECT send_at FROM mailbox_draft WHERE id = %s", draft) == [(None,)]
    assert _sent(own) == before
    page = browser.get(check, timeout=10)
    assert SUBJECT in page.text
    assert browser.post(check, data=_hidden(page.text, *LOOKED_THROUGH), timeout=30).status_code == 200
    _assert_sent_once(own, draft, before)


@pytest.mark.parametrize(
    "table",
    [
        "message_service_outgoingmessage",  # the payload's file is there
        "message_service_event",  # the message is written, and not committed
    ],
)
def test_the_web_process_dies_while_it_sends(own, table):
    """Killed in the transaction that would have sent: nothing of it is there, and a worker sends it once."""
    browser, draft, check = _looked_through(own)
    before = _sent(own)
    with _pressed_at(own, browser, check, table, f'INSERT%"{table}"%'):
        own.node.kill(Role.WEB)
        ordered = own.one.query("SELECT send_at IS NOT NULL FROM mailbox_draft WHERE id = %s", draft)
        assert ordered == [(True,)]
    own.node.start(Role.WEB)
    _assert_sent_once(own, draft, before)


SUBJECT = "Till elevhälsan"
LOOKED_THROUGH = ("csrfmiddlewaretoken", "version", "attachments", "seen")


def _looked_through(own: OwnNode) -> tuple[requests.Session, int, str]:
    """A draft shown as it would be sent: the browser, the draft's number, and the page's address."""
    base = own.node.url
    browser = _logged_in(own)
    mailbox = own.one.query("SELECT id FROM mailbox_functionmailbox WHERE address = %s", HERE)[0][0]
    function = own.one.query("SELECT id FROM addressbook_functionaddress WHERE identifier = %s", THERE)[0][0]
    token = _token(browser.get(f"{base}/", timeout=10).text)
    draft = browser.post(f"{base}/brevlada/{mailbox}/skriv", data={"csrfmiddlewaretoken": token}, timeout=10)
    form = {
        **_hidden(draft.text, "csrfmiddlewaretoken", "version"),
        "subject": SUBJECT,
        "text": "Hej",
        "recipient": str(function),
        "action": "check",
    }
    check = browser.post(draft.url, data=form, timeout=10)
    (number,) = re.findall(r"/utkast/(\d+)/", draft.url)
    return browser, int(number), check.url


@contextlib.contextmanager
def _pressed_at(
    own: OwnNode, browser: requests.Session, check: str, table: str, statement: str
) -> Generator[None, None, None]:
    """Press Send, and run the body when the web process waits for the table with such a statement."""
    looked_through = _hidden(browser.get(check, timeout=10).text, *LOOKED_THROUGH)

    def press() -> None:
        with contextlib.suppress(requests.RequestException):
            browser.post(check, data=looked_through, timeout=30)

    pressing = threading.Thread(target=press)
    with own.stuck_at(table):
        pressing.start()
        wait_until_blocked(own.one, statement)
        yield
    pressing.join(30)


def _assert_sent_once(own: OwnNode, draft: int, before: set[str]) -> None:
    (message_id,) = eventually(lambda: _sent(own) - before, what="the message to be sent")
    assert_delivered_once(own, message_id)
    assert own.one.query("SELECT 1 FROM mailbox_draft WHERE id = %s", draft) == []
    assert len(_sent(own) - before) == 1


def _sent(own: OwnNode) -> set[str]:
    rows = own.one.query("SELECT message_id FROM message_service_outgoingmessage WHERE kind = 'message'")
    return {str(message_id) for (message_id,) in rows}


def _hidden(page: str, *names: str) -> dict[str, str]:
    """What a page's form carries unseen."""
    return {name: re.search(rf'name="{name}" value="([^"]*)"', page)[1] for name in names}


def _logged_in(own: OwnNode) -> requests.Session:
    browser = requests.Session()
    there = browser.get(f"{own.node.url}/logga-in/borja", allow_redirects=False, timeout=10)
    browser.post(there.headers["Location"], data={"subject": KARIN}, timeout=10)
    return browser


def _token(page: str) -> str:
    return re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
