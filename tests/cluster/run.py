"""A run: faults one after another while people write and read, each with the time that recovery took."""

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

import psycopg

from tests.faults.chaos.reconciliation import Finding
from tests.faults.chaos.run import errors_in, lines_of_counts, reconcile_all, settle
from tests.faults.chaos.senders import Sender

from .faults import Fault
from .people import OpenStream, Reader
from .world import Cluster

_RECEPTION: Final = "sdk:socialtjanst-mottagning:0203:habo.se"
_TRAINING: Final = "sdk:arbetstraning:0203:arbetsformedlingen.se"
_EVERY_SECONDS: Final = 1.0
_RECOVERY_SECONDS: Final = 120.0
_SETTLE_SECONDS: Final = 300.0
_LOOK_SECONDS: Final = 0.2
_PROMOTION_SECONDS: Final = 15.0


@dataclass
class Recovery:
    """A fault, and seconds until things went on.

    `pages_while_broken`: from the fault, where they did before it was mended. The others: from the mending.
    None: not in time.
    """

    fault: str
    mended_by: str
    lasted: float
    pages_while_broken: float | None = None
    pages: float | None = None
    files: float | None = None
    streams: float | None = None
    messages_out: float | None = None
    messages_in: float | None = None


@dataclass
class Figures:
    """What a run found, as the JSON has it."""

    recoveries: list[Recovery] = field(default_factory=list)
    orders: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    causes: dict[str, int] = field(default_factory=dict)
    settled_after_seconds: float = 0.0
    pages_read: int = 0
    pages_failed: dict[str, int] = field(default_factory=dict)
    sending_failed: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    def lines(self) -> list[str]:
        """The table, for people."""
        titles = ("while broken", "pages", "files", "streams", "out", "in")
        width = max(len(recovery.fault) + len(recovery.mended_by) for recovery in self.recoveries) + 2
        told = [
            "Seconds from the mending until they went on (while broken: from the fault, without mending)",
            f"{'':{width}} {'lasted':>7}" + "".join(f"{title:>13}" for title in titles),
        ]
        for each in self.recoveries:
            values = (
                each.pages_while_broken,
                each.pages,
                each.files,
                each.streams,
                each.messages_out,
                each.messages_in,
            )
            cells = "".join(f"{'-' if value is None else f'{value:.1f}':>13}" for value in values)
            told.append(f"{f'{each.fault}: {each.mended_by}':{width}} {each.lasted:>7.0f}{cells}")
        told.append(
            f"{self.orders} orders, settled {self.settled_after_seconds:.0f} s after the last fault; "
            f"{self.pages_read} pages read"
        )
        told += [f"  {count:6} {outcome}" for outcome, count in sorted(self.outcomes.items())]
        told += lines_of_counts(
            (
                ("why", self.causes),
                ("pages that did not come, by status (0: no answer)", self.pages_failed),
                ("orders that a page stopped", self.sending_failed),
                ("errors in the logs", self.errors),
            )
        )
        told += [f"  {finding.node}: {finding.what} ({finding.which})" for finding in self.findings]
        return [
            *told,
            f"{len(self.findings)} findings" if self.findings else "nothing lost, doubled or stuck",
        ]


class Run:
    """People at work in a cluster, while faults happen to it."""

    def __init__(self, cluster: Cluster, say: Callable[[str], None]) -> None:
        self.figures = Figures()
        self._cluster = cluster
        self._say = say
        visitor = cluster.visitor(_RECEPTION)
        mailbox = cluster.habo.query("SELECT id FROM mailbox_functionmailbox WHERE address = %s", _RECEPTION)[
            0
        ][0]
        attachment = self._received_attachment()
        self._pages = [Reader(visitor, "/", f"/brevlada/{mailbox}/") for _ in range(2)]
        self._files = [Reader(visitor, f"/bilaga/{attachment}")]
        self._streams = [OpenStream(visitor) for _ in range(4)]
        self._senders = (
            Sender(cluster.habo, _RECEPTION, _TRAINING, every=_EVERY_SECONDS),
            Sender(cluster.outside, _TRAINING, _RECEPTION, every=_EVERY_SECONDS),
        )
        self._pause = threading.Event()

    def _received_attachment(self) -> int:
        """A file that came with a message from outside."""
        outside = self._cluster.outside.running
        outside.run_module(
            "testbed.send_message", "0203:arbetsformedlingen.se", _TRAINING, _RECEPTION, "Bilaga"
        )
        found = _within(
            lambda: self._cluster.habo.query(
                "SELECT a.id FROM mailbox_attachment a JOIN mailbox_document d ON d.id = a.document_id "
                "JOIN mailbox_message m ON m.id = d.message_id WHERE m.direction = 'in' LIMIT 1"
            ),
            _RECOVERY_SECONDS,
        )
        if not found:
            raise TimeoutError("the first message from outside did not arrive")
        return int(found[0][0])

    def run(self, faults: Sequence[Fault]) -> Figures:
        threads = [*self._pages, *self._files, *self._streams, *self._senders]
        for thread in threads:
            thread.start()
        try:
            self._wait_until_steady()
            for fault in faults:
                self.figures.recoveries.append(self._happen(fault))
        finally:
            for thread in threads:
                thread.end()
        self._reconcile()
        return self.figures

    def _wait_until_steady(self) -> None:
        begun = time.monotonic()
        first = Recovery("before any fault", "", 0.0)
        self._measure(first, begun)
        if first.pages is None or first.messages_in is None or first.messages_out is None:
            raise TimeoutError(f"the cluster does not work: {first}")

    def _happen(self, fault: Fault) -> Recovery:
        recovery = Recovery(fault.name, fault.mended_by, fault.lasts)
        broken_at = time.monotonic()
        fault.inject(self._cluster)
        self._pause.wait(max(0.0, broken_at + fault.lasts - time.monotonic()))
        recovery.pages_while_broken = _latest(
            [reader.steady_since(broken_at) for reader in self._pages], broken_at
        )
        fault.mend(self._cluster)
        self._measure(recovery, time.monotonic())
        fault.restore(self._cluster)
        self._say(f"{recovery}")
        late = recovery.pages is None or (fault.is_promotion and recovery.pages > _PROMOTION_SECONDS)
        lost = [
            name
            for name in ("files", "streams", "messages_out", "messages_in")
            if getattr(recovery, name) is None
        ]
        if late or lost:
            which = ", ".join([*(["pages"] if late else []), *lost])
            self.figures.findings.append(Finding("habo", f"after {fault.name}: not in time", which))
        return recovery

    def _measure(self, recovery: Recovery, moment: float) -> None:
        """Wait until pages, files, streams and messages go on, and fill in how long each took."""
        cluster = self._cluster
        newest = {node.name: _newest(node) for node in (cluster.habo, cluster.outside)}

        def look() -> bool:
            recovery.pages = _latest([reader.steady_since(moment) for reader in self._pages], moment)
            recovery.files = _latest([reader.steady_since(moment) for reader in self._files], moment)
            recovery.streams = _latest([stream.heard_since(moment) for stream in self._streams], moment)
            for node, name in ((cluster.habo, "messages_out"), (cluster.outside, "messages_in")):
                if getattr(recovery, name) is None and _is_one_accepted(node, newest[node.name]):
                    setattr(recovery, name, time.monotonic() - moment)
            values = (
                recovery.pages,
                recovery.files,
                recovery.streams,
                recovery.messages_out,
                recovery.messages_in,
            )
            return None not in values

        _within(look, _RECOVERY_SECONDS)

    def _reconcile(self) -> None:
        cluster, figures = self._cluster, self.figures
        nodes = (cluster.habo, cluster.outside)
        figures.settled_after_seconds = settle(nodes, cluster.outside.running.restart_ended, _SETTLE_SECONDS)
        cluster.stop()
        reconcile_all(figures, self._senders, nodes)
        answers = [answer for reader in (*self._pages, *self._files) for answer in reader.answers]
        figures.pages_read = len(answers)
        figures.pages_failed = dict(Counter(str(answer.status) for answer in answers if answer.status != 200))
        broken = sum((sender.pages_broken for sender in self._senders), Counter())
        figures.sending_failed = dict(broken)
        if "500" in figures.pages_failed or any(why.startswith("status 500") for why in broken):
            figures.findings.append(
                Finding("habo", "a page answered with an error that nobody foresaw", "status 500")
            )
        figures.errors = errors_in(cluster.logs())


def _latest(moments: Sequence[float | None], since: float) -> float | None:
    """Seconds until the last of them; None if one has not come."""
    come = [moment for moment in moments if moment is not None]
    return round(max(come) - since, 2) if len(come) == len(moments) else None


def _newest(node: object) -> int:
    """The number of the last message that the node has sent."""
    return int(node.query("SELECT coalesce(max(id), 0) FROM mailbox_message WHERE direction = 'out'")[0][0])


def _is_one_accepted(node: object, after: int) -> bool:
    """Whether a message that was sent after that one has been delivered, and its receipt has come."""
    with contextlib.suppress(psycopg.Error):
        return bool(
            node.query(
                "SELECT 1 FROM mailbox_message "
                "WHERE direction = 'out' AND id > %s AND delivery_state = 'ACCEPTED' LIMIT 1",
                after,
            )
        )
    return False


def _within(question: Callable[[], object], seconds: float) -> object:
    """The first true answer, or the last one when the time is up."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (answer := question()) and time.monotonic() < deadline:
        pause.wait(_LOOK_SECONDS)
    return answer
