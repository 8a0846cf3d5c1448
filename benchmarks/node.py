"""A whole node of ours under load: what a message costs, how fast it is, and how far above the floor.

    python -m benchmarks.node [--messages 300] [--idle 40] [--in-flight 64] [--workers 2] [--people 50]
                              [--requests 10]

Messages of 2 KB go from a function of the node to another, out and in by AS4, and are answered the same way:

    idle     one after another, each from its order to its message receipt, without the time for undoing
    load     at most `--in-flight` of them on their way at a time
    pages    the same load, a third as many messages, while people have pages open and ask for others

The floor is the cryptography of a message and its receipt alone, measured in the same run
(`benchmarks.floor`). Compare within one run, or runs of the same hour on the same machine.
"""

# ruff: noqa: S101, S603, T201

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.figures import percentile
from benchmarks.floor import floor_ms_per_message
from benchmarks.gauge import Gauge
from benchmarks.services import started
from benchmarks.whole_node import Throughput, WholeNode, whole_node
from testbed import sample
from testbed.node import PROJECT, Role

_WARMING = 60
# A server of PostgreSQL that has nothing to do tells within ten seconds what it has done.
_STATISTICS_SECONDS = 11.0
_AT_REST_SECONDS = 6.0
_KINDS = {
    "workers": "workers",
    "access point": "access_point",
    "database": "postgresql",
    "broker": "broker",
    "clamd": "clamd",
}
_GOALS = {
    "cpu_over_floor": 8,
    "commits_per_message": 5,
    "latency_ms_p95": 100,
    "load_latency_ms_p95": 1000,
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--messages", type=int, default=300, help="under load")
    parser.add_argument("--idle", type=int, default=40, help="messages one after another")
    parser.add_argument("--in-flight", type=int, default=64, help="most messages on their way at a time")
    parser.add_argument("--workers", type=int, default=2, help="processes that seal, open and deliver")
    parser.add_argument("--people", type=int, default=50, help="with a page open each")
    parser.add_argument("--requests", type=float, default=10, help="pages a second, all people together")
    parser.add_argument("--json", type=Path, default=PROJECT / "var" / "bench" / "node.json")
    given = parser.parse_args(arguments)
    # Whoever ends it ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    with (
        tempfile.TemporaryDirectory(prefix="sdkportal-bench-") as name,
        started(Path(name)) as (federation, postgres),
        whole_node(Path(name), federation, postgres, Role.WEB, workers=given.workers) as node,
    ):
        figures = measure(node, Path(name), given)
    for line in _table(figures):
        print(line)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"The same as JSON: {given.json}")


def measure(node: WholeNode, directory: Path, given: argparse.Namespace) -> dict[str, Any]:
    """All figures, as the JSON has them."""
    node.run(min(_WARMING, given.messages), given.in_flight)
    idle = node.latencies(given.idle)
    floor = floor_ms_per_message(directory)
    load, commits = _load_and_commits(node, given.messages, given.in_flight)
    with _visitors(node, given.people, given.requests) as visits:
        gauge = Gauge(node.node.pid(Role.WEB))
        beside = node.run(max(1, given.messages // 3), given.in_flight)
        pages_cpu = gauge.cost().cpu
    return {
        "messages": load.count,
        "in_flight": given.in_flight,
        "workers": given.workers,
        "envelopes_per_second": load.envelopes_a_second,
        "cpu_ms_per_message": load.cpu_ms_per_message,
        "cpu_ms_by_kind": _by_kind(load),
        "floor_ms_per_message": floor,
        "cpu_over_floor": load.cpu_ms_per_message / floor,
        "commits_per_message": commits,
        "latency_ms_p50": percentile(idle, 50),
        "latency_ms_p95": percentile(idle, 95),
        "load_latency_ms_p50": percentile(load.latencies, 50),
        "load_latency_ms_p95": percentile(load.latencies, 95),
        "with_pages": {
            "people": given.people,
            "envelopes_per_second": beside.envelopes_a_second,
            "cpu_ms_per_message": beside.cpu_ms_per_message,
            "load_latency_ms_p50": percentile(beside.latencies, 50),
            "load_latency_ms_p95": percentile(beside.latencies, 95),
            "cpu_ms_per_second_of_pages": 1000 * pages_cpu / beside.seconds,
            "pages": visits,
        },
        "load_of_the_machine": os.getloadavg(),
    }


def _load_and_commits(node: WholeNode, count: int, in_flight: int) -> tuple[Throughput, float]:
    """Messages under load, and the transactions that were committed for each.

    What sweepers commit while PostgreSQL's servers come to tell what they have done is taken off.
    """
    time.sleep(_STATISTICS_SECONDS)
    before = node.commits()
    load = node.run(count, in_flight)
    time.sleep(_STATISTICS_SECONDS)
    told = node.commits()
    time.sleep(_AT_REST_SECONDS)
    at_rest = (node.commits() - told) / _AT_REST_SECONDS
    return load, (told - before - at_rest * _STATISTICS_SECONDS) / count


@contextmanager
def _visitors(node: WholeNode, people: int, rate: float) -> Iterator[dict[str, Any]]:
    """People who use the pages while the body runs; how they fared is in the result afterwards."""
    made = json.loads(
        node.node.run_module("tests.faults.visitors", str(people), sample.HABO.functions[1].identifier)
    )
    told = {
        "sessions": made["sessions"],
        "paths": ["/", f"/brevlada/{made['mailbox']}/", f"/konversation/{made['conversation']}/"],
        "stream": "/handelser",
    }
    cookie = f"{node.node.name}_session"
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.visitors", str(node.node.ports.web), cookie, str(rate)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    fared: dict[str, Any] = {}
    with process:
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.flush()
        assert process.stdout.readline().strip() == "ready", "the visitors have ended"
        yield fared
        process.stdin.write("end\n")
        process.stdin.flush()
        fared |= json.loads(process.stdout.readline())


def _by_kind(load: Throughput) -> dict[str, float]:
    """CPU milliseconds a message of each kind of process; what is not named is `other`."""
    kinds = dict.fromkeys([*_KINDS.values(), "other"], 0.0)
    for name, cost in load.parts.items():
        kinds[_KINDS.get(name, "other")] += 1000 * cost.cpu / load.count
    return kinds


def _table(figures: Mapping[str, Any]) -> Iterator[str]:
    def line(what: str, value: float, unit: str, goal: float | None = None) -> str:
        asked = f"   (goal: at most {goal:g})" if goal else ""
        return f"{what:44}{value:10.1f} {unit}{asked}"

    beside = figures["with_pages"]
    yield (
        f"{figures['messages']} messages of 2 KB, {figures['in_flight']} on their way at a time, "
        f"{figures['workers']} worker processes"
    )
    yield line("envelopes", figures["envelopes_per_second"], "a second")
    yield line("CPU", figures["cpu_ms_per_message"], "ms a message with its receipt")
    for kind, value in figures["cpu_ms_by_kind"].items():
        yield line(f"  {kind.replace('_', ' ')}", value, "ms")
    yield line("floor: cryptography alone", figures["floor_ms_per_message"], "ms")
    yield line("CPU over floor", figures["cpu_over_floor"], "", _GOALS["cpu_over_floor"])
    yield line("commits", figures["commits_per_message"], "a message", _GOALS["commits_per_message"])
    yield line("latency when idle, median", figures["latency_ms_p50"], "ms")
    yield line("latency when idle, 95 of 100", figures["latency_ms_p95"], "ms", _GOALS["latency_ms_p95"])
    yield line("latency under load, median", figures["load_latency_ms_p50"], "ms")
    yield line(
        "latency under load, 95 of 100",
        figures["load_latency_ms_p95"],
        "ms",
        _GOALS["load_latency_ms_p95"],
    )
    yield f"with the pages of {beside['people']} people beside it"
    yield line("envelopes", beside["envelopes_per_second"], "a second")
    yield line("CPU", beside["cpu_ms_per_message"], "ms a message, without the pages'")
    yield line("latency under load, 95 of 100", beside["load_latency_ms_p95"], "ms")
    yield line("pages asked for", beside["pages"]["requests"], f", {beside['pages']['failed']} failed")
    for why, count in beside["pages"]["failures"].items():
        yield line(f"  {why}", count, "")
    yield line("a page, median", beside["pages"]["latency_ms_p50"], "ms")
    yield line("a page, 95 of 100", beside["pages"]["latency_ms_p95"], "ms")
    yield line("CPU of pages", beside["cpu_ms_per_second_of_pages"], "ms a second")
    yield "load of the machine: " + ", ".join(f"{value:.1f}" for value in figures["load_of_the_machine"])


if __name__ == "__main__":
    main()
