"""`make bench` measures what it says: the smallest of each, by the same code."""

import json
import os
import subprocess
import sys

import pytest

from testbed.node import PROJECT
from tests.interop.phase4 import Phase4Missing, ensure_built

PAIRS = [("ours", "ours"), ("ours", "phase4"), ("phase4", "ours"), ("phase4", "phase4")]


@pytest.mark.slow
def test_ours_and_phase4_are_measured_side_by_side_and_told_as_a_table_and_as_json(tmp_path):
    try:
        ensure_built()
    except Phase4Missing as why:
        if os.environ.get("CI"):
            pytest.fail(f"phase4 is a must in CI: {why}")
        pytest.skip(f"phase4 is not here: {why}")
    target = tmp_path / "bench" / "nodes.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.nodes", "--sizes", "2K", "--counts", "2"),
            *("--node", "2", "--json", str(target)),
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    table = [line.split() for line in done.stdout.splitlines()]
    assert ["from", "to", "size", "n", "msg/s", "MB/s"] in [line[:6] for line in table]
    assert [tuple(line[:2]) for line in table if line[2:4] == ["2K", "2"]] == PAIRS
    assert str(target) in done.stdout
    told = json.loads(target.read_text())
    assert [(row["sender"], row["receiver"]) for row in told["exchanges"]] == PAIRS
    for row in told["exchanges"]:
        assert row["count"] == 2
        assert row["messages_a_second"] > 0
        for side in ("sending", "receiving"):
            assert row[side]["cpu_seconds_a_message"] > 0
            assert row[side]["peak_memory_bytes"] > 10_000_000
    # phase4 keeps nothing: a database is no part of what it does.
    assert [row["database"] is None for row in told["exchanges"]] == [False, False, False, True]
    assert told["node"]["envelopes_a_second"] == pytest.approx(2 * told["node"]["messages_a_second"])
    assert set(told["node"]["parts"]) == {"ordering", "workers", "access point", "database", "broker"}
    assert [goal["goal"] for goal in told["goals"]] == [1, 1, 200]
