"""A node on several machines, whose machines and services are lost one after another; `make test-cluster`."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from testbed.node import PROJECT

from .faults import Faults
from .hosts import NotAlone
from .run import Run
from .world import running_cluster

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    # `make test` has its short form (test_promotion.py): without root, and in a minute.
    pytest.mark.skipif(
        "SDK_TEST_CLUSTER" not in os.environ,
        reason="takes a quarter of an hour, and root for network namespaces: make test-cluster",
    ),
]


@pytest.fixture
def directory() -> Path:
    """Below a path that PostgreSQL's user can reach."""
    made = Path(os.environ["SDK_TEST_SERVICES"]) / "cluster"
    made.mkdir()
    made.parent.chmod(0o755)
    return made


def test_nothing_is_lost_doubled_or_stuck_while_machines_and_services_are_lost(directory, capsys):
    target = PROJECT / "var" / "cluster"
    target.mkdir(parents=True, exist_ok=True)

    def say(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    chosen = os.environ.get("SDK_TEST_CLUSTER", "")
    faults = [fault for fault in Faults().planned if chosen in {"1", ""} or chosen in fault.name]
    try:
        with running_cluster(directory) as cluster:
            figures = Run(cluster, say).run(faults)
    except NotAlone as error:
        pytest.fail(str(error))
    finally:
        for log in directory.rglob("log/*.log"):
            kept = target / "logs" / log.parent.parent.name
            kept.mkdir(parents=True, exist_ok=True)
            shutil.copy(log, kept)
    (target / "figures.json").write_text(figures.as_json() + "\n")
    say("\n" + "\n".join(figures.lines()))
    assert json.loads(figures.as_json())["findings"] == []
    assert sum(figures.outcomes.values()) == figures.orders > 0
