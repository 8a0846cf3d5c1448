"""A run: faults by the schedule while people write, then quiet, then the reconciliation and its report."""

import json
import re
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from subprocess import SubprocessError
from typing import Protocol

import psutil
import psycopg

from testbed.services import ServiceNotStarted

from .faults import Fault, all_faults
from .reconciliation import Finding, Reconciled, reconcile
from .schedule import PlannedFault, schedule
from .senders import Sender
from .world import ChaosNode, running_world

_RECEPTION = "sdk:socialtjanst-mottagning:0203:habo.se"
_TRAINING = "sdk:arbetstraning:0203:arbetsformedlingen.se"
_LOOK_SECONDS = 1.0
# What is postponed is due at once when everything works again, as if the time had passed.
_PASS_TIME = (
    *(
        f"UPDATE {table} SET due_at = now() "
        "WHERE due_at > now() AND (lease_until IS NULL OR lease_until < now()) RETURNING 1"
        for table in (
            "message_service_outgoingmessage",
            "message_service_incomingmessage",
            "access_point_outboundtransfer",
        )
    ),
    "UPDATE mailbox_draft SET send_at = now() WHERE send_at > now() RETURNING 1",
)
_UNSETTLED = """
    SELECT (
        SELECT count(*) FROM message_service_outgoingmessage
        WHERE due_at IS NOT NULL OR lease IS NOT NULL
            OR state IN ('SCHEDULED', 'SUBMITTED', 'SCHEDULED_FOR_RESEND')
            OR (kind = 'message' AND state = 'WAITING_FOR_RECEIPT' AND receipt_missing_at IS NULL)
    ) + (
        SELECT count(*) FROM message_service_incomingmessage
        WHERE due_at IS NOT NULL OR lease IS NOT NULL OR (state = 'RETRIEVED' AND is_accepted)
    ) + (
        SELECT count(*) FROM access_point_outboundtransfer WHERE state = 'PENDING' OR lease IS NOT NULL
    ) + (
        SELECT count(*) FROM mailbox_draft WHERE send_at IS NOT NULL
    )
"""
# The receipt of a message is known to be lost: its sender need not wait as long as in production to be told.
_DEADLINE_COMES = (
    "UPDATE message_service_outgoingmessage SET receipt_due_at = now() "
    "WHERE state = 'WAITING_FOR_RECEIPT' AND receipt_due_at > now() RETURNING 1"
)
# A line of a log is `time level logger event key=value ...`.
_ERROR = re.compile(r"^\S+ (?:ERROR|CRITICAL) \S+ (.*?)((?: \w+=.*)?)$", re.MULTILINE)
_WHICH_ERROR = re.compile(r"\b(?:error|because|where)=(?:\"[^\"]*\"|\S+)")


@dataclass(frozen=True, slots=True)
class ChaosOrder:
    """What a run is asked for."""

    seed: int
    minutes: float
    faults: int
    kinds: tuple[str, ...] = ()
    every_seconds: float = 0.5
    settle_seconds: float = 300.0


@dataclass
class Report:
    """What happened, as the JSON has it. A run is clean without a finding."""

    seed: int
    minutes: float
    planned: int
    kinds: list[str]
    injected: dict[str, int] = field(default_factory=dict)
    not_injected: dict[str, int] = field(default_factory=dict)
    seconds_late: float = 0.0
    orders: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    causes: dict[str, int] = field(default_factory=dict)
    pages_broken: dict[str, int] = field(default_factory=dict)
    died_by_themselves: dict[str, int] = field(default_factory=dict)
    settled_after_seconds: float = 0.0
    errors: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    def lines(self) -> list[str]:
        """For people."""
        told = [
            f"seed {self.seed}: {sum(self.injected.values())} faults of {len(self.injected)} kinds in "
            f"{self.minutes:g} minutes, the last one {self.seconds_late:.0f} s late",
            f"{self.orders} orders; settled {self.settled_after_seconds:.0f} s after the last fault; "
            f"{sum(self.pages_broken.values())} pages did not come",
        ]
        told += [f"  {count:6} {outcome}" for outcome, count in sorted(self.outcomes.items())]
        told += lines_of_counts(
            (
                ("why", self.causes),
                ("pages that did not come", self.pages_broken),
                ("faults", self.injected),
                ("faults of what had just ended by itself", self.not_injected),
                ("processes that ended by themselves and were started again", self.died_by_themselves),
                ("errors in the logs", self.errors),
            )
        )
        told.append(
            f"{len(self.findings)} findings" if self.findings else "nothing lost, doubled, stuck or left"
        )
        told += [f"  {finding.node}: {finding.what} ({finding.which})" for finding in self.findings]
        return told


def run(order: ChaosOrder, *, logs: Path | None = None) -> Report:
    """Run it. `logs`: where the nodes' logs are copied to if there are findings."""
    faults = all_faults()
    kinds = order.kinds or tuple(faults)
    planned = schedule(order.seed, kinds, count=order.faults, seconds=order.minutes * 60)
    report = Report(order.seed, order.minutes, len(planned), list(kinds))
    with (
        tempfile.TemporaryDirectory(prefix="sdkportal-chaos-") as name,
        running_world(Path(name)) as nodes,
    ):
        _run(order, report, nodes, planned, faults)
        report.errors = errors_in(
            log for node in nodes for log in (node.running.directory / "log").glob("*.log")
        )
        if logs is not None and report.findings:
            _keep_logs(nodes, logs)
    return report


def _run(
    order: ChaosOrder,
    report: Report,
    nodes: tuple[ChaosNode, ChaosNode],
    planned: Sequence[PlannedFault],
    faults: dict[str, Fault],
) -> None:
    habo, other = nodes
    senders = (
        Sender(habo, _RECEPTION, _TRAINING, every=order.every_seconds),
        Sender(other, _TRAINING, _RECEPTION, every=order.every_seconds),
    )
    lanes = [
        _Lane(node, [one for one in planned if one.node == number], faults)
        for number, node in enumerate(nodes)
    ]
    for sender in senders:
        sender.start()
    begun = time.monotonic()
    with ThreadPoolExecutor(len(lanes)) as pool:
        for done in [pool.submit(lane.run, begun) for lane in lanes]:
            done.result()
    for sender in senders:
        sender.end()
    report.injected = dict(sum((lane.injected for lane in lanes), Counter()))
    report.not_injected = dict(sum((lane.not_injected for lane in lanes), Counter()))
    report.seconds_late = max(lane.seconds_late for lane in lanes)
    report.pages_broken = dict(sum((sender.pages_broken for sender in senders), Counter()))
    report.findings += [finding for lane in lanes for finding in lane.findings]
    report.findings += [
        Finding(sender.node.name, "a page answered with an error that nobody foresaw", why)
        for sender in senders
        for why in sender.pages_broken
        if why.startswith("status 500")
    ]
    report.settled_after_seconds = settle(nodes, lambda: _restart_what_died(lanes), order.settle_seconds)
    report.died_by_themselves = dict(sum((lane.died for lane in lanes), Counter()))
    for node in nodes:
        # What runs on would leave something behind for a moment.
        node.running.stop()
    reconcile_all(report, senders, nodes)


class Reconciliation(Protocol):
    """The part of a report that `reconcile_all` fills in."""

    orders: int
    outcomes: dict[str, int]
    causes: dict[str, int]
    findings: list[Finding]


def reconcile_all(
    report: Reconciliation, senders: Sequence[Sender], nodes: tuple[ChaosNode, ChaosNode]
) -> None:
    """Add to the report what became of every order, and what the nodes have left behind.

    The first sender is the first node's, the second the second's.
    """
    outcomes: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    for sender, (here, there) in zip(senders, (nodes, nodes[::-1]), strict=True):
        report.orders += len(sender.orders)
        result: Reconciled = reconcile(here, there, list(sender.orders.values()))
        outcomes.update({outcome.value: count for outcome, count in result.outcomes.items()})
        causes.update(result.causes)
        report.findings += result.findings
    report.outcomes, report.causes = dict(outcomes), dict(causes)
    for node in nodes:
        left = json.loads(node.running.run_module("tests.faults.chaos.inventory"))
        report.findings += [Finding(node.name, one["what"], one["which"]) for one in left]


def lines_of_counts(titled: Iterable[tuple[str, Mapping[str, int]]]) -> Iterator[str]:
    """Counts by their names, under their titles; what was not counted is left out."""
    for title, counts in titled:
        if counts:
            yield f"{title}:"
            yield from (f"  {count:6} {name}" for name, count in sorted(counts.items()))


class _Lane:
    """One node's faults, one after another, and what was seen of its processes meanwhile."""

    def __init__(self, node: ChaosNode, planned: Sequence[PlannedFault], faults: dict[str, Fault]) -> None:
        self.node = node
        self.injected: Counter[str] = Counter()
        self.not_injected: Counter[str] = Counter()
        self.died: Counter[str] = Counter()
        self.findings: list[Finding] = []
        self.seconds_late = 0.0
        self._planned = planned
        self._faults = faults
        # Nobody sets it: it is waited on for as long as something lasts.
        self._never = threading.Event()

    def run(self, begun: float) -> None:
        for planned in self._planned:
            fault = self._faults[planned.fault]
            self._never.wait(max(0.0, begun + planned.at - time.monotonic()))
            self.seconds_late = max(0.0, time.monotonic() - begun - planned.at)
            self.restart_what_died()
            try:
                fault.inject(self.node)
                self.injected[fault.name] += 1
                self._never.wait(planned.lasts)
            except (OSError, KeyError, psutil.Error, ServiceNotStarted) as error:
                # The process has just ended by itself: there is nothing to break.
                self.not_injected[f"{fault.name}: {type(error).__name__}"] += 1
            finally:
                self._heal(fault)
        self.restart_what_died()

    def restart_what_died(self) -> None:
        """As systemd does with what deploy/ has: a worker may end when its broker is gone."""
        with suppress(ServiceNotStarted):
            self.died.update(str(role) for role in self.node.running.restart_ended())

    def _heal(self, fault: Fault) -> None:
        try:
            fault.heal(self.node)
        except ProcessLookupError:
            """What was stopped has ended meanwhile."""
        except (ServiceNotStarted, SubprocessError, OSError, KeyError) as error:
            self.findings.append(Finding(self.node.name, f"{fault.name}: it could not be mended", str(error)))


def _restart_what_died(lanes: Sequence[_Lane]) -> None:
    for lane in lanes:
        lane.restart_what_died()


def settle(nodes: Sequence[ChaosNode], restart_what_died: Callable[[], None], longest: float) -> float:
    """Wait until nothing is under way any more, and say how long that took; at most so many seconds.

    What is postponed until later is made due at once. When only lost receipts are waited for, so are they.
    """
    begun = time.monotonic()
    waiting = threading.Event()
    before, same = -1, 0
    while time.monotonic() - begun < longest:
        restart_what_died()
        with suppress(psycopg.Error):
            left = sum(node.query(_UNSETTLED)[0][0] for node in nodes)
            if not left:
                break
            same = same + 1 if left == before else 0
            before = left
            for node in nodes:
                for statement in _PASS_TIME:
                    node.query(statement)
                if same > 10:
                    node.query(_DEADLINE_COMES)
        waiting.wait(_LOOK_SECONDS)
    return time.monotonic() - begun


def errors_in(logs: Iterable[Path]) -> dict[str, int]:
    """How often each error stands in the logs, without what tells one message from another."""
    counted: Counter[str] = Counter()
    for log in logs:
        for event, fields in _ERROR.findall(log.read_text(errors="replace")):
            counted[" ".join([event, *_WHICH_ERROR.findall(fields)])] += 1
    return dict(counted)


def _keep_logs(nodes: Sequence[ChaosNode], target: Path) -> None:
    for node in nodes:
        with suppress(OSError):
            shutil.copytree(node.running.directory / "log", target / node.name, dirs_exist_ok=True)
