"""The federation's test cases for access points, against a whole node; and the protocol of them."""

import json
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from testbed import sample
from testbed.node import PROJECT
from testbed.platform.bench import Bench, Target
from testbed.platform.cases import CASES, Case, Failed
from tests.nodes import TwoNodes
from transport.protocol.identifiers import ParticipantId

pytestmark = pytest.mark.xdist_group("nodes")
HABO = sample.NODES[0].participant_id
RECEPTION = "sdk:socialtjanst-mottagning:0203:habo.se"


class Node:
    """Håbo's node as the access point under test."""

    def __init__(self, nodes: TwoNodes) -> None:
        self._node = nodes.habo.node
        self._is_synchronised = False
        self._lock = threading.Lock()

    def send(self, recipient: ParticipantId, function: str) -> str:
        with self._lock:
            if not self._is_synchronised:
                self._node.manage("sync_address_book")
                self._is_synchronised = True
        letter = ("testbed.send_message", HABO, RECEPTION, function, "Testfall", "--wait", "120")
        return self._node.run_module(*letter).splitlines()[-1]

    def log(self) -> str:
        return self._node.manage("transfer_log")


@pytest.fixture(scope="module")
def bench(two_nodes) -> Iterator[Bench]:
    node = Node(two_nodes)
    with Bench(two_nodes.federation, Target(ParticipantId(HABO), RECEPTION), node, log=node.log) as one:
        yield one


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.number)
def test_the_case_passes(bench: Bench, case: Case):
    assert case.run(bench)


def test_every_case_of_the_specification_is_there_once():
    numbers = [case.number for case in CASES]
    assert len(set(numbers)) == len(numbers)
    assert {f"TF-{number:02d}" for number in range(1, 11)} <= set(numbers)


def test_a_node_that_takes_what_it_should_not_fails(bench, monkeypatch):
    """The cases can fail: a sender that claims delivery, and one that sends nothing."""
    by_number = {case.number: case for case in CASES}
    monkeypatch.setattr(bench, "ask_to_send", lambda recipient: "delivered")
    for number in ("TF-01", "TF-02", "TF-05", "K-02", "K-04"):
        with pytest.raises(Failed):
            by_number[number].run(bench)
    monkeypatch.setattr(bench, "log", lambda: "")
    with pytest.raises(Failed, match="saknas i loggen"):
        by_number["K-08"].run(bench)


def test_the_command_writes_the_protocol(two_nodes, tmp_path):
    node = two_nodes.habo.node
    send = tmp_path / "send"
    send.write_text(
        f"#!/bin/sh\n{shlex.quote(sys.executable)} manage.py sync_address_book >&2\n"
        f"exec {shlex.quote(sys.executable)} -m testbed.send_message "
        f'{HABO} {RECEPTION} "$2" Testfall --wait 120\n'
    )
    send.chmod(0o700)
    chosen = ["TF-01", "TF-02", "TF-04", "K-08"]
    done = subprocess.run(
        [
            *(
                sys.executable,
                "manage.py",
                "testbed_report",
                HABO,
                RECEPTION,
                "--supplier",
                "Leverantör <AB>",
            ),
            *("--federation", str(two_nodes.federation.directory), "--output", str(tmp_path / "out")),
            *("--send", str(send), "--log", f"{sys.executable} manage.py transfer_log", "--only", *chosen),
        ],
        cwd=PROJECT,
        env=node.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "out" / "testprotokoll.json").read_text())
    assert [outcome["number"] for outcome in told["outcomes"]] == chosen
    assert {outcome["verdict"] for outcome in told["outcomes"]} == {"Godkänt"}
    assert "access-point-untrusted" in told["outcomes"][1]["observed"]
    page = (tmp_path / "out" / "testprotokoll.html").read_text()
    assert "Leverantör &lt;AB&gt;" in page
    assert "4 av 4 testfall godkända" in " ".join(page.split())


def test_the_command_says_what_is_wrong(two_nodes, tmp_path):
    for arguments, text in (
        (["nobody", RECEPTION, "--federation", str(tmp_path)], "is no participant"),
        ([HABO, RECEPTION, "--federation", str(tmp_path)], "no test federation"),
    ):
        done = subprocess.run(
            [sys.executable, "manage.py", "testbed_report", *arguments],
            cwd=PROJECT,
            env=two_nodes.habo.node.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert text in done.stderr
