"""Two nodes exchange orders while faults are injected, and every order is reconciled.

    python -m tests.faults.chaos [--seed N] [--minutes 30] [--faults 1000] [--every 0.5] [--only KIND ...]

Prints a report, writes it to `var/chaos/<seed>.json`, and ends with status 1 on any finding; then the nodes'
logs are in `var/chaos/<seed>-logs`.
"""

# ruff: noqa: T201

import argparse
import os
import random
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from testbed.node import PROJECT

from .faults import all_faults
from .run import ChaosOrder, run


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, help="of the schedule; without it, one that is drawn")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--every", type=float, default=0.5, help="seconds between a node's messages")
    parser.add_argument("--only", nargs="+", default=[], choices=list(all_faults()), metavar="KIND")
    parser.add_argument("--directory", type=Path, default=PROJECT / "var" / "chaos")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    os.environ["SDK_DEMO"] = "1"
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    print(f"seed {seed}: {given.faults} faults in {given.minutes:g} minutes", flush=True)
    order = ChaosOrder(seed, given.minutes, given.faults, tuple(given.only), given.every)
    report = run(order, logs=given.directory / f"{seed}-logs")
    given.directory.mkdir(parents=True, exist_ok=True)
    target = given.directory / f"{seed}.json"
    target.write_text(report.as_json() + "\n")
    for line in report.lines():
        print(line)
    print(f"The same as JSON: {target}")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
