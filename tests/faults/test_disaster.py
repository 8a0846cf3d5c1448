"""A node is destroyed and restored from its last backup: what is missing is named, nothing comes twice."""

import shutil
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from sdkportal.backup.keys import make_key
from testbed.node import CommandFailed, Role
from tests.faults.test_kill import state_of
from tests.nodes import NodeUnderTest, TwoNodes, eventually

pytestmark = pytest.mark.xdist_group("nodes")
HABO = "sdk:socialtjanst-mottagning:0203:habo.se"
AF = "sdk:arbetstraning:0203:arbetsformedlingen.se"


def copies(node: NodeUnderTest, message_id: str, direction: str) -> int:
    ((number,),) = node.query(
        "SELECT count(*) FROM mailbox_message WHERE message_id = %s AND direction = %s", message_id, direction
    )
    return number


def transfers_of(node: NodeUnderTest) -> set[str]:
    return {key for (key,) in node.query("SELECT as4_message_id FROM access_point_transferevent")}


def is_accepted(node: NodeUnderTest, message_id: str):
    return lambda: state_of(node, message_id) == "ACCEPTED"


def destroy(node: NodeUnderTest) -> None:
    """Its database and all that it has stored; its keys are kept elsewhere."""
    name = urlsplit(node.database_url).path.lstrip("/")
    with psycopg.connect(
        urlsplit(node.database_url)._replace(path="/postgres").geturl(), autocommit=True
    ) as line:
        line.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        line.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template1").format(sql.Identifier(name)))
    shutil.rmtree(node.node.directory / "data")


def test_a_destroyed_node_is_restored_and_what_is_missing_is_named(two_nodes: TwoNodes, tmp_path):
    habo, af = two_nodes.habo, two_nodes.arbetsformedlingen
    place, key = tmp_path / "backups", tmp_path / "backup.key"
    habo.node.environment["SDK_BACKUP_RECIPIENTS"] = make_key(key)
    out = [habo.send(HABO, AF, "Före") for _ in range(3)]
    back = [af.send(AF, HABO, "Före") for _ in range(3)]
    for node, sent in ((habo, out), (af, back)):
        for message_id in sent:
            eventually(is_accepted(node, message_id), what="the messages before the backup")

    # Ordered before the backup, sent after it: the restored node does not know that it was sent.
    habo.node.stop(Role.WORKER, Role.TRANSPORT)
    waiting = habo.send(HABO, AF, "Väntar")
    assert "digest" in habo.node.manage("backup", str(place))
    known = transfers_of(habo)
    habo.node.start(Role.WORKER, Role.TRANSPORT)
    lost_in, lost_out = af.send(AF, HABO, "Efter"), habo.send(HABO, AF, "Efter")
    for node, message_id in ((habo, waiting), (af, lost_in), (habo, lost_out)):
        eventually(is_accepted(node, message_id), what="the messages after the backup")

    habo.node.stop()
    lost = transfers_of(habo) - known
    destroy(habo)
    make_key(tmp_path / "another.key")
    with pytest.raises(CommandFailed, match="not encrypted to any of these keys"):
        habo.node.manage("restore", str(place), "--identity", str(tmp_path / "another.key"))
    shutil.rmtree(habo.node.directory / "data", ignore_errors=True)
    habo.node.manage("restore", str(place), "--identity", str(key))
    habo.node.manage("migrate", "--verbosity", "0")
    habo.node.manage("check_stored")
    assert (copies(habo, lost_in, "in"), copies(habo, lost_out, "out")) == (0, 0)
    logs = [str(path) for path in (habo.node.directory / "log").glob("*.log")]
    with pytest.raises(CommandFailed) as missing:
        habo.node.manage("find_missing_transfers", *logs)
    named = {word for word in str(missing.value).split() if word in lost}
    assert named == lost, "each transfer since the backup is named by its id"
    assert f"{len(lost)} transfers are not in the database." in str(missing.value)

    meanwhile = af.send(AF, HABO, "Under tiden")
    habo.node.start()
    eventually(is_accepted(af, meanwhile), what="what was sent to the node while it was away")

    def is_known_there() -> bool:
        # It was sealed anew, as a message that is sent again by hand: the recipient says that it has it.
        (row,) = habo.query(
            "SELECT state, cause FROM message_service_outgoingmessage WHERE message_id = %s", waiting
        )
        return row == ("REJECTED", "BV/duplicate")

    eventually(is_known_there, what="an answer to what the backup had as not sent yet")
    for message_id in (*out, waiting, lost_out):
        assert copies(af, message_id, "in") == 1, "nothing is delivered twice"
    for message_id in (*back, meanwhile):
        assert copies(habo, message_id, "in") == 1
    later = habo.send(HABO, AF, "Sedan")
    eventually(is_accepted(habo, later), what="a message of the restored node")
