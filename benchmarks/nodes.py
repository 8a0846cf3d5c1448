"""AS4 between two access points: ours beside phase4, and messages through a whole node of ours.

    python -m benchmarks.nodes [--sizes 2K,30M,100M] [--counts 200,8,4] [--json FILE]

Every pair exchanges the same payloads over HTTPS on loopback, two at a time, in one run on this machine:
ours to ours, ours to phase4, phase4 to ours, phase4 to phase4. For each side: CPU seconds a message, and the
peak of its memory while it did so (the kernel's VmHWM, summed over a side's processes). `a node` is messages
from one mailbox to another through everything: sealing, AS4 out and in, opening, delivery, and the message
receipt the same way back, by Celery workers on PostgreSQL.
"""

# ruff: noqa: S101, S603, T201, S311

import argparse
import contextlib
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

PARALLEL = 2
NODE_MESSAGES = 400


@dataclass
class Side:
    """What one side of an exchange cost: CPU seconds a message, peak memory in MB."""

    cpu: float
    memory: float


@dataclass
class Row:
    """One pair at one size."""

    pair: str
    size: str
    count: int
    seconds: float
    sender: Side
    receiver: Side

    @property
    def rate(self) -> float:
        return self.count / self.seconds


class Gauge:
    """CPU and peak memory of a process and its children, from a moment on."""

    def __init__(self, pid: int) -> None:
        process = psutil.Process(pid)
        self._family = [process, *process.children(recursive=True)]
        for each in self._family:
            with contextlib.suppress(OSError):
                Path(f"/proc/{each.pid}/clear_refs").write_text("5")
        self._cpu = self._used()

    def side(self, count: int) -> Side:
        peak = sum(self._peak(each.pid) for each in self._family)
        return Side((self._used() - self._cpu) / count, peak / 1e6)

    def _used(self) -> float:
        times = [each.cpu_times() for each in self._family]
        return sum(item.user + item.system for item in times)

    @staticmethod
    def _peak(pid: int) -> int:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0


def content_of(size: int) -> bytes:
    """What a sealed envelope looks like to gzip: base64 of noise."""
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return bytes(random.Random(1).choices(letters, k=min(size, 1_000_000))) * max(1, size // 1_000_000)


class Bench:
    """Two access points of ours and two of phase4's, in one federation."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.rows: list[Row] = []

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        import django
        from django.core.management import call_command

        from testbed.clamav import ClamAV
        from testbed.federation import Federation
        from testbed.services import Postgres

        postgres = Postgres(self.directory / "postgres")
        postgres.start()
        postgres.ensure_database("bench")
        self.postgres = postgres
        scanner = ClamAV(self.directory / "clamav")
        scanner.start()
        self.federation = Federation(self.directory / "federation")
        self.federation.prepare()
        self.federation.start()
        os.environ |= {
            **self.federation.environment(),
            "SDK_DEMO": "1",
            "SDK_LOG_LEVEL": "WARNING",
            "SDK_DATABASE_URL": postgres.url("bench"),
            "SDK_CLAMD": scanner.address,
            "SDK_DATA_DIR": str(self.directory / "served" / "data"),
            "SDK_WORK_DIR": str(self.directory / "served" / "work"),
            "DJANGO_SETTINGS_MODULE": "sdkportal.settings",
        }
        django.setup()
        call_command("migrate", verbosity=0)
        from django.conf import settings

        from tests.interop.build import serving
        from tests.interop.phase4 import Phase4
        from tests.world import World

        with (
            serving(self.federation, self.directory / "served") as self.served,
            Phase4(self.federation, "AP9001-PHASE4-TEST", self.directory / "p1") as self.near,
            Phase4(self.federation, "AP9002-PHASE4-TEST", self.directory / "p2") as self.far,
        ):
            settings.SDK_ACCESS_POINT_KEY = str(self.served.files.key)
            settings.SDK_ACCESS_POINT_CERTIFICATE = str(self.served.files.certificate)
            os.environ["SDK_ACCESS_POINT_KEY"] = settings.SDK_ACCESS_POINT_KEY
            os.environ["SDK_ACCESS_POINT_CERTIFICATE"] = settings.SDK_ACCESS_POINT_CERTIFICATE
            self.world = World(self.federation, self.served.url, self.served.name)
            self.neighbour = self.world.party("granne", is_here=False)
            self.federation.change_participant(self.neighbour.participant.value, access_point=self.near.name)
            for peer in (self.near, self.far):
                peer.ask("serve", served=[], keep=False)
            yield
        self.federation.stop()
        scanner.stop()

    def measure(self, size: str, count: int) -> None:
        content = content_of(_bytes(size))
        for run in (self._ours_to_ours, self._ours_to_phase4, self._phase4_to_ours, self._phase4_to_phase4):
            run(size, content, 4 if len(content) < 1_000_000 else 1)  # warm
            self.rows.append(run(size, content, count))
            print(_line(self.rows[-1]), flush=True)

    def _ours_to_ours(self, size: str, content: bytes, count: int) -> Row:
        return self._from_ours("ours to ours", size, content, count, self.world.recipient, self._own_pid)

    def _ours_to_phase4(self, size: str, content: bytes, count: int) -> Row:
        return self._from_ours("ours to phase4", size, content, count, self.neighbour, self.near.pid)

    def _phase4_to_ours(self, size: str, content: bytes, count: int) -> Row:
        target = (self.served.url, self.served.name, self.served.files.certificate)
        row = self._from_phase4("phase4 to ours", size, content, count, target, self._own_pid)
        self._forget()
        return row

    def _phase4_to_phase4(self, size: str, content: bytes, count: int) -> Row:
        target = (self.far.url, self.far.name, self.far.files.certificate)
        return self._from_phase4("phase4 to phase4", size, content, count, target, self.far.pid)

    def _from_ours(self, pair: str, size: str, content: bytes, count: int, to: object, receiver: int) -> Row:
        keys = [self._transfer(content, to) for _ in range(count)]
        sender = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.send", *keys],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert sender.stdin is not None
        assert sender.stdout is not None
        sender.stdout.readline()
        taking, sending = Gauge(receiver), Gauge(sender.pid)
        begun = time.perf_counter()
        sender.stdin.write("go\n")
        sender.stdin.flush()
        told = sender.stdout.readline().strip()
        seconds = time.perf_counter() - begun
        row = Row(pair, size, count, seconds, sending.side(count), taking.side(count))
        sender.communicate()
        assert told == f"{count} delivered", told
        self._forget()
        return row

    def _from_phase4(
        self, pair: str, size: str, content: bytes, count: int, target: tuple[str, str, Path], receiver: int
    ) -> Row:
        from tests.interop.phase4 import Payload

        path = self.directory / "payload"
        path.write_bytes(content)
        url, to, certificate = target
        taking, sending = Gauge(receiver), Gauge(self.near.pid)
        told = self.near.send_many(
            count,
            PARALLEL,
            url=url,
            to=to,
            certificate=certificate,
            sender=self.neighbour.participant,
            recipient=self.world.recipient.participant,
            payloads=[Payload(path)],
        )
        assert all(result["outcome"] == "SUCCESS" for result in told["results"]), told["results"][:1]
        return Row(pair, size, count, told["seconds"], sending.side(count), taking.side(count))

    @property
    def _own_pid(self) -> int:
        port = int(self.served.url.rsplit(":", 1)[1].partition("/")[0])
        listening = [
            line.pid
            for line in psutil.net_connections("tcp")
            if line.status == psutil.CONN_LISTEN and line.laddr.port == port and line.pid
        ]
        return min(listening)

    def _transfer(self, content: bytes, to: object) -> str:
        from django.utils import timezone

        from transport import payloads
        from transport.access_point.models import OutboundTransfer
        from transport.payloads import Place
        from transport.protocol.identifiers import SDK_MESSAGE

        reference = uuid.uuid4()
        row = OutboundTransfer.objects.create(
            reference=reference,
            as4_message_id=f"{uuid.uuid4()}@{self.served.name}",
            conversation_id=str(uuid.uuid4()),
            sender=self.world.sender.participant.value,
            recipient=to.participant.value,  # type: ignore[attr-defined]
            document_id=SDK_MESSAGE.identifier,
            document_scheme=SDK_MESSAGE.scheme,
            envelope_name=payloads.store(
                f"bench/{reference}",
                io.BytesIO(content),
                Place(self.world.sender.participant.value, "envelope", reference),
            ),
            envelope_id=str(uuid.uuid4()),
            due_at=timezone.now(),
        )
        return str(row.pk)

    @staticmethod
    def _forget() -> None:
        """Take away what was stored, so that the disk does not fill."""
        from django.core.files.storage import default_storage

        from transport.access_point.models import InboundTransfer, OutboundTransfer
        from transport.message_service.models import IncomingMessage

        for model in (OutboundTransfer, InboundTransfer):
            for name in model.objects.values_list("envelope_name", flat=True):
                default_storage.delete(name)
        IncomingMessage.objects.all().delete()
        OutboundTransfer.objects.all().delete()
        InboundTransfer.objects.all().delete()


def whole_node(directory: Path, federation: object, postgres: object) -> Row:
    """Messages through one node, both roles, with their receipts."""
    import psycopg

    from testbed import sample
    from testbed.demo import prepare_node
    from testbed.node import NodePorts, Role
    from testbed.services import Valkey, free_port

    broker = Valkey(directory / "valkey", free_port())
    broker.start()
    postgres.ensure_database("bench_node")  # type: ignore[attr-defined]
    url = postgres.url("bench_node")  # type: ignore[attr-defined]
    node = prepare_node(
        directory / "node",
        NodePorts(web=free_port(), access_point=free_port()),
        sample.HABO,
        federation,  # type: ignore[arg-type]
        database_url=url,
        broker_url=broker.url,
        settings={"SDK_LOG_LEVEL": "WARNING"},
    )
    node.start(Role.ACCESS_POINT, Role.WORKER, Role.BEAT)
    settled = (
        "SELECT count(*) FROM message_service_outgoingmessage WHERE kind = 'message' AND state = 'ACCEPTED'"
    )
    try:
        with psycopg.connect(url, autocommit=True) as connection:

            def accepted() -> int:
                found = connection.execute(settled).fetchone()
                return int(found[0]) if found else 0

            def run(count: int) -> float:
                before, begun = accepted(), time.perf_counter()
                node.run_module(
                    "benchmarks.order",
                    sample.HABO.participant_id,
                    *(function.identifier for function in sample.HABO.functions[:2]),
                    str(count),
                )
                while accepted() < before + count:
                    assert time.perf_counter() - begun < 600, "the node does not come to an end"
                    time.sleep(0.05)
                return time.perf_counter() - begun

            run(20)
            worker, access_point = Gauge(node.pid(Role.WORKER)), Gauge(node.pid(Role.ACCESS_POINT))
            seconds = run(NODE_MESSAGES)
            return Row(
                "a node",
                "2K",
                NODE_MESSAGES,
                seconds,
                worker.side(NODE_MESSAGES),
                access_point.side(NODE_MESSAGES),
            )
    finally:
        node.stop()
        broker.stop()


def _bytes(text: str) -> int:
    return int(text[:-1]) * {"K": 1000, "M": 1_000_000}[text[-1].upper()]


_HEADING = (
    f"{'':18}{'size':>6}{'n':>5}{'msg/s':>9}{'MB/s':>8}{'CPU out':>10}{'CPU in':>10}{'MB out':>8}{'MB in':>8}"
)


def _line(row: Row) -> str:
    rate = row.rate
    return (
        f"{row.pair:18}{row.size:>6}{row.count:>5}{rate:>9.2f}{rate * _bytes(row.size) / 1e6:>8.1f}"
        f"{row.sender.cpu:>10.4f}{row.receiver.cpu:>10.4f}{row.sender.memory:>8.0f}{row.receiver.memory:>8.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", default="2K,30M,100M")
    parser.add_argument("--counts", default="200,8,4", help="messages of each size")
    parser.add_argument("--json", type=Path, help="write the same as JSON")
    parser.add_argument("--no-node", action="store_true", help="leave the whole node out")
    given = parser.parse_args()
    print("CPU: seconds a message; MB: peak memory. out: the sending side, in: the receiving side.")
    print(_HEADING)
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name))
        with bench.running():
            for size, count in zip(given.sizes.split(","), given.counts.split(","), strict=True):
                bench.measure(size, int(count))
            if not given.no_node:
                bench.rows.append(whole_node(Path(name), bench.federation, bench.postgres))
                print(_line(bench.rows[-1]))
        bench.postgres.stop()
    if given.json:
        told = [{**asdict(row), "messages_a_second": row.rate} for row in bench.rows]
        given.json.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
