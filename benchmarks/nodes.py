"""AS4 of ours beside phase4, and messages through a whole node of ours: in one run, as a table and as JSON.

    python -m benchmarks.nodes [--sizes 2K,30M,100M] [--counts 600,6,3] [--node 300] [--json FILE]

`benchmarks.access_points` and `benchmarks.whole_node` tell what is measured, and how. Memory is the peak of a
side's processes while it worked, by the kernel's count. Compare within one run only.
"""

# ruff: noqa: T201

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.access_points import AccessPoints, Exchange
from benchmarks.gauge import MEGABYTE, Cost
from benchmarks.services import started
from benchmarks.whole_node import Throughput, throughput
from testbed.node import PROJECT

_UNITS = {"K": 1000, "M": 1_000_000}
_SMALL, _LARGE, _LARGEST = 2_000, 30_000_000, 100_000_000
_HEADING = (
    f"{'from':8}{'to':8}{'size':>6}{'n':>5}{'msg/s':>9}{'MB/s':>8}"
    f"{'CPU out':>10}{'CPU in':>10}{'CPU db':>10}{'MB out':>8}{'MB in':>8}"
)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", default="2K,30M,100M", help="sizes of envelopes")
    parser.add_argument("--counts", default="600,6,3", help="messages of each size")
    parser.add_argument(
        "--node", type=int, default=300, help="messages through a whole node; 0 leaves it out"
    )
    parser.add_argument("--json", type=Path, default=PROJECT / "var" / "bench" / "nodes.json")
    given = parser.parse_args(arguments)
    # Whoever ends it ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    orders = [
        (_bytes(size), int(count))
        for size, count in zip(given.sizes.split(","), given.counts.split(","), strict=True)
    ]
    exchanges: list[Exchange] = []
    node: Throughput | None = None
    with (
        tempfile.TemporaryDirectory(prefix="sdkportal-bench-") as name,
        started(Path(name)) as (federation, postgres),
    ):
        print("CPU: seconds a message, of the sending side, the receiving side, and our PostgreSQL.")
        print("MB: peak memory of the sending and of the receiving side.")
        print(_HEADING)
        points = AccessPoints(Path(name), federation, postgres)
        with points.running():
            for size, count in orders:
                for exchange in points.exchanges(size, count):
                    exchanges.append(exchange)
                    print(_line(exchange), flush=True)
        if given.node:
            node = throughput(Path(name), federation, postgres, given.node)
            print(_told(node), flush=True)
    goals = _goals(exchanges, node)
    for goal in goals:
        print(f"{goal['what']}: {goal['is']:.2f} (goal: at least {goal['goal']:g})")
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(_as_json(exchanges, node, goals), indent=1) + "\n")
    print(f"The same as JSON: {given.json}")


def _bytes(text: str) -> int:
    return int(text[:-1]) * _UNITS[text[-1].upper()]


def _size(size: int) -> str:
    return f"{size // 1_000_000}M" if size >= 1_000_000 else f"{size // 1000}K"


def _line(row: Exchange) -> str:
    costs = [row.sending.cpu, row.receiving.cpu, row.database.cpu if row.database else None]
    cpu = "".join(f"{cost / row.count:>10.4f}" if cost is not None else f"{'-':>10}" for cost in costs)
    memory = "".join(f"{cost.memory / MEGABYTE:>8.0f}" for cost in (row.sending, row.receiving))
    rate = row.messages_a_second
    return (
        f"{row.sender:8}{row.receiver:8}{_size(row.size):>6}{row.count:>5}{rate:>9.2f}"
        f"{rate * row.size / MEGABYTE:>8.1f}{cpu}{memory}"
    )


def _told(node: Throughput) -> str:
    lines = [
        f"a whole node, 2K: {node.messages_a_second:.1f} messages/s with their receipts "
        f"({node.envelopes_a_second:.1f} envelopes/s, both roles), {node.count} messages"
    ]
    for part, cost in node.parts.items():
        lines.append(
            f"  {part:14}{cost.cpu / node.count:>9.4f} CPU s a message{cost.memory / MEGABYTE:>7.0f} MB"
        )
    return "\n".join(lines)


def _goals(exchanges: Sequence[Exchange], node: Throughput | None) -> list[dict[str, Any]]:
    """What is asked for, and what this run has; only of what was measured."""
    found = {(row.sender, row.receiver, row.size): row for row in exchanges}

    def pairs(size: int) -> tuple[Exchange, Exchange] | None:
        ours, theirs = found.get(("ours", "ours", size)), found.get(("phase4", "phase4", size))
        return (ours, theirs) if ours and theirs else None

    goals: list[dict[str, Any]] = []
    if both := pairs(_LARGE):
        ours, theirs = both
        told = "30M: throughput for the same CPU, ours to phase4's"
        goals.append({"what": told, "is": theirs.cpu_a_message / ours.cpu_a_message, "goal": 2})
    if both := pairs(_SMALL):
        ours, theirs = both
        told = "2K: rate on the same cores, ours to phase4's"
        goals.append({"what": told, "is": ours.messages_a_second / theirs.messages_a_second, "goal": 1})
        # Where others use the machine the rate says little, and this does.
        told = "2K: throughput for the same CPU, ours to phase4's"
        goals.append({"what": told, "is": theirs.cpu_a_message / ours.cpu_a_message, "goal": 1})
    if both := pairs(_LARGEST):
        ours, theirs = both
        for side, own, other in (
            ("sending", ours.sending, theirs.sending),
            ("receiving", ours.receiving, theirs.receiving),
        ):
            told = f"100M: memory of the {side} side, phase4's to ours"
            goals.append({"what": told, "is": other.memory / own.memory, "goal": 4})
    if node:
        told = "2K: envelopes a second through a node, both roles, receipts counted"
        goals.append({"what": told, "is": node.envelopes_a_second, "goal": 200})
    return goals


def _as_json(
    exchanges: Sequence[Exchange], node: Throughput | None, goals: list[dict[str, Any]]
) -> dict[str, Any]:
    def side(cost: Cost | None, count: int) -> dict[str, float] | None:
        if cost is None:
            return None
        return {"cpu_seconds_a_message": cost.cpu / count, "peak_memory_bytes": cost.memory}

    return {
        "exchanges": [
            {
                **{name: value for name, value in asdict(row).items() if not isinstance(value, dict)},
                "messages_a_second": row.messages_a_second,
                "bytes_a_second": row.messages_a_second * row.size,
                "sending": side(row.sending, row.count),
                "receiving": side(row.receiving, row.count),
                "database": side(row.database, row.count),
            }
            for row in exchanges
        ],
        "node": node
        and {
            "count": node.count,
            "seconds": node.seconds,
            "messages_a_second": node.messages_a_second,
            "envelopes_a_second": node.envelopes_a_second,
            "parts": {name: side(cost, node.count) for name, cost in node.parts.items()},
        },
        "goals": goals,
    }


if __name__ == "__main__":
    main()
