"""A node is destroyed and restored from its last backup: what is missing is named, nothing comes twice.

With 10 messages; with 500, and the times of each step, by `make test-disaster`.
"""

import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Collection, Generator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from sdkportal.backup.keys import make_key
from testbed.node import CommandFailed, Role
from tests.faults.test_kill import state_of
from tests.nodes import NodeUnderTest, TwoNodes, eventually

MESSAGES = int(os.environ.get("SDK_TEST_DISASTER_MESSAGES", "10"))
# Of ten, four go out and four come in before the backup, one each way after it.
BEFORE, AFTER = MESSAGES * 4 // 10, MESSAGES // 10
# As many as can be sent, and the node started, within the window of their senders' resends.
MEANWHILE = max(1, MESSAGES // 100)
PATIENCE_SECONDS = 90 + 3 * MESSAGES
pytestmark = [pytest.mark.xdist_group("nodes"), pytest.mark.timeout(900 + 20 * MESSAGES)]
HABO = "sdk:socialtjanst-mottagning:0203:habo.se"
AF = "sdk:arbetstraning:0203:arbetsformedlingen.se"


def copies(node: NodeUnderTest, message_ids: Collection[str], direction: str) -> Counter[str]:
    """How often each of these messages is in the node's conversations; none of what is not there."""
    rows = node.query(
        "SELECT message_id::text, count(*) FROM mailbox_message"
        " WHERE message_id::text = ANY(%s) AND direction = %s GROUP BY 1",
        list(message_ids),
        direction,
    )
    return Counter(dict(rows))


def once(message_ids: Collection[str]) -> Counter[str]:
    return Counter(dict.fromkeys(message_ids, 1))


def transfers_of(node: NodeUnderTest) -> set[str]:
    return {key for (key,) in node.query("SELECT as4_message_id FROM access_point_transferevent")}


def wait_until_accepted(node: NodeUnderTest, message_ids: Collection[str], *, what: str) -> None:
    """Return when the node has a receipt for each of these messages, which it has sent."""

    def accepted() -> bool:
        ((number,),) = node.query(
            "SELECT count(*) FROM message_service_outgoingmessage"
            " WHERE message_id::text = ANY(%s) AND state = 'ACCEPTED'",
            list(message_ids),
        )
        return number == len(message_ids)

    eventually(accepted, what=what, seconds=PATIENCE_SECONDS)


def destroy(node: NodeUnderTest) -> None:
    """Its database and all that it has stored; its keys are kept elsewhere."""
    name = urlsplit(node.database_url).path.lstrip("/")
    with psycopg.connect(
        urlsplit(node.database_url)._replace(path="/postgres").geturl(), autocommit=True
    ) as line:
        line.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        line.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template1").format(sql.Identifier(name)))
    shutil.rmtree(node.node.directory / "data")


def tell(text: str) -> None:
    sys.stdout.write(f"disaster: {text}\n")
    sys.stdout.flush()


@contextmanager
def timed(step: str) -> Generator[None, None, None]:
    """Tell how long a step took."""
    began = time.monotonic()
    yield
    tell(f"{step}: {time.monotonic() - began:.1f} s")


def test_a_destroyed_node_is_restored_and_what_is_missing_is_named(two_nodes: TwoNodes, tmp_path):
    habo, af = two_nodes.habo, two_nodes.arbetsformedlingen
    place, key = tmp_path / "backups", tmp_path / "backup.key"
    habo.node.environment["SDK_BACKUP_RECIPIENTS"] = make_key(key)
    with timed(f"{BEFORE} messages out and {BEFORE} in, with their receipts"):
        out = habo.send_several(HABO, AF, "Före", BEFORE)
        back = af.send_several(AF, HABO, "Före", BEFORE)
        for node, sent in ((habo, out), (af, back)):
            wait_until_accepted(node, sent, what="the messages before the backup")

    # Ordered before the backup, sent after it: the restored node does not know that it was sent.
    habo.node.stop(Role.WORKER, Role.TRANSPORT)
    waiting = habo.send(HABO, AF, "Väntar")
    with timed("the backup"):
        assert "digest" in habo.node.manage("backup", str(place))
    known = transfers_of(habo)
    habo.node.start(Role.WORKER, Role.TRANSPORT)
    with timed(f"{AFTER} messages in and {AFTER} out after the backup, with their receipts"):
        lost_in = af.send_several(AF, HABO, "Efter", AFTER)
        lost_out = habo.send_several(HABO, AF, "Efter", AFTER)
        for node, sent in ((habo, [waiting]), (af, lost_in), (habo, lost_out)):
            wait_until_accepted(node, sent, what="the messages after the backup")

    habo.node.stop()
    lost = transfers_of(habo) - known
    destroy(habo)
    make_key(tmp_path / "another.key")
    with pytest.raises(CommandFailed, match="not encrypted to any of these keys"):
        habo.node.manage("restore", str(place), "--identity", str(tmp_path / "another.key"))
    shutil.rmtree(habo.node.directory / "data", ignore_errors=True)
    with timed("restore"):
        habo.node.manage("restore", str(place), "--identity", str(key))
    with timed("migrate"):
        habo.node.manage("migrate", "--verbosity", "0")
    with timed("check_stored, which opens everything"):
        habo.node.manage("check_stored")
    assert (copies(habo, lost_in, "in"), copies(habo, lost_out, "out")) == (Counter(), Counter())
    logs = [str(path) for path in (habo.node.directory / "log").glob("*.log")]
    with pytest.raises(CommandFailed) as missing, timed("find_missing_transfers"):
        habo.node.manage("find_missing_transfers", *logs)
    named = {word for word in str(missing.value).split() if word in lost}
    assert named == lost, "each transfer since the backup is named by its id"
    assert f"{len(lost)} transfers are not in the database." in str(missing.value)
    tell(f"{len(lost)} transfers since the backup, each named")

    meanwhile = af.send_several(AF, HABO, "Under tiden", MEANWHILE)
    with timed(f"start, until {MEANWHILE} sent meanwhile have come by resends"):
        habo.node.start()
        wait_until_accepted(af, meanwhile, what="what was sent to the node while it was away")

    def is_known_there() -> bool:
        # It was sealed anew, as a message that is sent again by hand: the recipient says that it has it.
        (row,) = habo.query(
            "SELECT state, cause FROM message_service_outgoingmessage WHERE message_id = %s", waiting
        )
        return row == ("REJECTED", "BV/duplicate")

    eventually(is_known_there, what="an answer to what the backup had as not sent yet")
    assert copies(af, [*out, waiting, *lost_out], "in") == once([*out, waiting, *lost_out]), "nothing twice"
    assert copies(habo, [*back, *meanwhile], "in") == once([*back, *meanwhile]), "nothing twice"
    assert copies(habo, out, "out") == once(out)
    later = habo.send(HABO, AF, "Sedan")
    eventually(lambda: state_of(habo, later) == "ACCEPTED", what="a message of the restored node")
