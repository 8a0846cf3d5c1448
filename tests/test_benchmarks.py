"""`make bench`, `bench-node` and `bench-people` measure what they say: the smallest of each, by its code."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.figures import percentile
from benchmarks.people_at_work import CAUSED
from testbed.node import PROJECT
from tests.interop.phase4 import Phase4Missing, ensure_built

PAIRS = [("ours", "ours"), ("ours", "phase4"), ("phase4", "ours"), ("phase4", "phase4")]


def measured(tmp_path: Path, benchmark: str, *arguments: str) -> tuple[list[list[str]], dict[str, Any]]:
    """Run a benchmark: the words of the lines that it prints, and its JSON, which they name."""
    target = tmp_path / "bench" / f"{benchmark}.json"
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{benchmark}", *arguments, "--json", str(target)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert str(target) in done.stdout
    return [line.split() for line in done.stdout.splitlines()], json.loads(target.read_text())


@pytest.mark.slow
def test_ours_and_phase4_are_measured_side_by_side_and_told_as_a_table_and_as_json(tmp_path):
    try:
        ensure_built()
    except Phase4Missing as why:
        if os.environ.get("CI"):
            pytest.fail(f"phase4 is a must in CI: {why}")
        pytest.skip(f"phase4 is not here: {why}")
    table, told = measured(tmp_path, "nodes", "--sizes", "2K", "--counts", "2", "--node", "2")
    assert ["from", "to", "size", "n", "msg/s", "MB/s"] in [line[:6] for line in table]
    assert [tuple(line[:2]) for line in table if line[2:4] == ["2K", "2"]] == PAIRS
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
    parts = {"ordering", "workers", "access point", "database", "broker", "clamd", "beat"}
    assert set(told["node"]["parts"]) == parts
    assert [goal["goal"] for goal in told["goals"]] == [1, 1, 200]


@pytest.mark.slow
def test_a_whole_node_is_measured_beside_the_floor_and_told_as_a_table_and_as_json(tmp_path):
    _, told = measured(
        tmp_path,
        *("node", "--messages", "4", "--idle", "2", "--in-flight", "4", "--people", "2", "--requests", "2"),
    )
    kinds = told["cpu_ms_by_kind"]
    assert set(kinds) == {"workers", "access_point", "postgresql", "broker", "clamd", "other"}
    for name in (
        "envelopes_per_second",
        "cpu_ms_per_message",
        "floor_ms_per_message",
        "commits_per_message",
        "latency_ms_p50",
        "load_latency_ms_p50",
    ):
        assert told[name] > 0, name
    assert told["latency_ms_p95"] >= told["latency_ms_p50"]
    assert told["load_latency_ms_p95"] >= told["load_latency_ms_p50"]
    assert told["cpu_ms_per_message"] == pytest.approx(sum(kinds.values()))
    assert told["cpu_over_floor"] == pytest.approx(told["cpu_ms_per_message"] / told["floor_ms_per_message"])
    assert kinds["workers"] > 0
    assert told["with_pages"]["envelopes_per_second"] > 0
    pages = told["with_pages"]["pages"]
    assert (pages["streams"], pages["streams_ended"], pages["failed"]) == (2, 0, 0)
    assert pages["requests"] > 0


def test_a_percentile_is_the_value_that_so_many_of_a_hundred_do_not_exceed():
    assert [percentile(range(1, 101), of) for of in (0, 50, 95, 100)] == [1, 51, 96, 100]
    assert percentile([7.0], 95) == 7.0
    assert percentile([], 95) == 0


@pytest.mark.slow
def test_people_at_once_are_measured_and_told_as_a_table_and_as_json(tmp_path):
    _, told = measured(
        tmp_path,
        *("people", "--streams", "12", "--workers", "6", "--rate", "6", "--seconds", "8"),
        *("--messages", "400", "--mailboxes", "4"),
    )
    # Nothing was answered by another page than it should be. A busy machine may have said that it is busy.
    assert {why.rpartition(": ")[2] for why in told["work"]["failures"]} <= {"status 503"}
    kinds = told["work"]["kinds"]
    assert {"list", "conversation", "search", "start page", "answer: begin", "answer: save"} <= set(kinds)
    assert told["work"]["asked"]["requests"] == sum(
        figures["requests"] for kind, figures in kinds.items() if kind not in CAUSED
    )
    assert told["work"]["asked"]["ms_p99"] >= told["work"]["asked"]["ms_p50"] > 0
    assert 0 < told["connections_a_process"] <= 20
    assert told["cpu_seconds_a_second"]["pages"] > 0
    # After the database came back, every stream was heard, and those told to fetch again that had to.
    restart = told["restart"]
    assert restart["back"] == restart["streams"] == 12
    assert 0 < restart["concerned_told"] == restart["concerned"] < 12
    assert 0 < restart["seconds_until_back"] < 60
