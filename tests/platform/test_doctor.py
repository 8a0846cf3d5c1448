"""The doctor at a whole node: processes, federation and TLS, as they are and when something is away."""

import json
import subprocess
import sys

import pytest

from testbed.node import PROJECT, Role
from tests.nodes import TwoNodes, eventually

pytestmark = pytest.mark.xdist_group("nodes")


def examined(nodes: TwoNodes, *only: str, **changes: str) -> tuple[int, dict[str, dict]]:
    """Exit status, and what each check says."""
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--json", *(("--only", *only) if only else ())],
        cwd=PROJECT,
        env={**nodes.habo.node.environment, **changes},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.stdout, done.stderr
    return done.returncode, {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def test_a_node_that_runs_is_well_in_all_that_a_test_node_has(two_nodes):
    status, told = examined(two_nodes)
    assert status == 2
    not_well = {name for name, check in told.items() if check["level"] != "ok"}
    # A demo's settings, a superuser's role, no mail, no backup, signatures of the tests' own.
    assert not_well <= {
        "settings",
        "rights",
        "scanner",
        "mail",
        "pages",
        "backup",
        "access-point-key",
        "certificates",
    }
    assert {
        "workers",
        "beat",
        "round-trip",
        "sml",
        "smp",
        "certpub",
        "revocation",
        "eid",
        "address-book",
    } <= {*told} - not_well
    assert told["round-trip"]["findings"][0]["detail"] == "DNS, SMP, certificate, TLS, AS4"


def test_a_process_that_has_ended_is_told(two_nodes):
    node = two_nodes.habo.node
    node.stop(Role.TRANSPORT, Role.ACCESS_POINT)
    try:
        status, told = examined(two_nodes, "workers", "round-trip")
    finally:
        node.start(Role.TRANSPORT, Role.ACCESS_POINT)
    assert status == 2
    assert told["workers"]["findings"][0]["detail"].endswith("nobody serves transport, notices")
    assert told["round-trip"]["findings"][0]["detail"].startswith("TLS: ")
    eventually(lambda: examined(two_nodes, "workers", "round-trip")[0] == 0, what="the processes")


def test_without_a_database_the_other_checks_go_on(two_nodes):
    status, told = examined(
        two_nodes, "database", "queues", "broker", "disks", SDK_DATABASE_URL="postgresql://localhost:1/none"
    )
    assert status == 2
    codes = {name: [finding["code"] for finding in check["findings"]] for name, check in told.items()}
    assert codes["database"] == codes["queues"] == ["database-unavailable"]
    assert told["broker"]["level"] == "ok"
