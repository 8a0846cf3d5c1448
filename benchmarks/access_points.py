"""AS4 between two access points: ours, and phase4 as Java programs of its own (tests/interop/peer).

Every pair exchanges the same payloads over HTTPS on loopback, with as many messages at once on either side.
Ours sends from processes of its own, as Celery's workers are, and receives as a node does, with PostgreSQL
behind it.

phase4 gets what makes it fast: no question about revocation for each message (ours asks, and keeps the
answers), no payload written to disk, answers that TCP does not hold back, and Bouncy Castle's AES-GCM, since
the JDK's keeps what it decrypts in memory and grows it in small steps, which for 30 MB takes many seconds and
more than a gigabyte.
"""

# ruff: noqa: S101, S311

import contextlib
import io
import os
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks.gauge import Cost, Gauge, listening_at
from testbed.federation import Federation
from testbed.node import PROJECT
from testbed.services import Postgres

if TYPE_CHECKING:
    from tests.world import Party

_SMALL = 1_000_000
# So many small messages at once as keep two cores busy while disks are waited for; large ones do with fewer.
_PARALLEL_SMALL, _PARALLEL_LARGE = 4, 2
# As many processes of the access point as in deploy/.
_RECEIVERS = 2
_BOUNCY_CASTLE = (
    "security.provider.13=org.bouncycastle.jce.provider.BouncyCastleProvider\n"
    "jdk.security.provider.preferred=AES/GCM/NoPadding:BC\n"
)


@dataclass(frozen=True)
class Exchange:
    """Messages of one size from one access point to another, and what it cost each side in all.

    `database` is PostgreSQL's CPU, which serves our side or sides; phase4 keeps nothing.
    """

    sender: str
    receiver: str
    size: int
    count: int
    seconds: float
    sending: Cost
    receiving: Cost
    database: Cost | None

    @property
    def cpu_a_message(self) -> float:
        """CPU seconds of both sides, our database among them."""
        used = self.sending.cpu + self.receiving.cpu + (self.database.cpu if self.database else 0)
        return used / self.count

    @property
    def messages_a_second(self) -> float:
        return self.count / self.seconds


def content_of(size: int) -> bytes:
    """What a sealed envelope looks like to gzip: base64 of noise."""
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return bytes(random.Random(1).choices(letters, k=min(size, 1_000_000))) * max(1, size // 1_000_000)


class AccessPoints:
    """Ours and two of phase4's, running in one federation."""

    def __init__(self, directory: Path, federation: Federation, postgres: Postgres) -> None:
        from django.conf import settings

        self.directory = directory
        self.federation = federation
        self.postgres = postgres
        self._settings = settings

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        from tests.interop.build import serving
        from tests.interop.phase4 import Phase4
        from tests.world import World

        security = self.directory / "bouncy-castle.security"
        security.write_text(_BOUNCY_CASTLE)
        options = [f"-Djava.security.properties={security}", "-Dsun.net.httpserver.nodelay=true"]
        with (
            serving(self.federation, self.directory / "served", receivers=_RECEIVERS) as self.served,
            Phase4(
                self.federation, "AP9001-BENCH", self.directory / "p1", options, False, False
            ) as self.near,
            Phase4(self.federation, "AP9002-BENCH", self.directory / "p2", options, False, False) as self.far,
        ):
            for name, path in (
                ("SDK_ACCESS_POINT_KEY", self.served.files.key),
                ("SDK_ACCESS_POINT_CERTIFICATE", self.served.files.certificate),
            ):
                setattr(self._settings, name, str(path))
                os.environ[name] = str(path)
            self.world = World(self.federation, self.served.url, self.served.name)
            self.neighbour = self.world.party("granne", is_here=False)
            self.federation.change_participant(self.neighbour.participant.value, access_point=self.near.name)
            for peer in (self.near, self.far):
                peer.ask("serve", served=[], keep=False)
            self._own_pid = listening_at(self.served.url)
            yield

    def exchanges(self, size: int, count: int) -> Iterator[Exchange]:
        """The four pairs. Before each is measured, messages go that way to warm caches and compilers: a JVM
        needs many, so as many small ones as are measured."""
        content = content_of(size)
        self._parallel = _PARALLEL_SMALL if size < _SMALL else _PARALLEL_LARGE
        warming = max(self._parallel, count if size < _SMALL else count // 2)
        with _Senders(self._parallel) as self._senders:
            for exchange in (
                self._ours_to_ours,
                self._ours_to_phase4,
                self._phase4_to_ours,
                self._phase4_to_phase4,
            ):
                exchange(content, warming)
                yield exchange(content, count)

    def _ours_to_ours(self, content: bytes, count: int) -> Exchange:
        return self._from_ours("ours", content, count, self.world.recipient, self._own_pid)

    def _ours_to_phase4(self, content: bytes, count: int) -> Exchange:
        return self._from_ours("phase4", content, count, self.neighbour, self.near.pid)

    def _phase4_to_ours(self, content: bytes, count: int) -> Exchange:
        target = (self.served.url, self.served.name, self.served.files.certificate)
        return self._from_phase4("ours", content, count, target, self._own_pid)

    def _phase4_to_phase4(self, content: bytes, count: int) -> Exchange:
        target = (self.far.url, self.far.name, self.far.files.certificate)
        return self._from_phase4("phase4", content, count, target, self.far.pid)

    def _from_ours(self, to: str, content: bytes, count: int, recipient: "Party", receiver: int) -> Exchange:
        keys = [self._transfer(content, recipient) for _ in range(count)]
        taking, sending, database = Gauge(receiver), Gauge(*self._senders.pids), Gauge(self.postgres.pid)
        seconds, delivered = self._senders.send(keys)
        done = Exchange(
            "ours", to, len(content), count, seconds, sending.cost(), taking.cost(), database.cost()
        )
        assert delivered == count, f"{delivered} of {count} were delivered"
        self._forget()
        return done

    def _from_phase4(
        self, to: str, content: bytes, count: int, target: tuple[str, str, Path], receiver: int
    ) -> Exchange:
        from tests.interop.phase4 import Payload

        path = self.directory / "payload"
        path.write_bytes(content)
        url, party, certificate = target
        taking, sending, database = Gauge(receiver), Gauge(self.near.pid), Gauge(self.postgres.pid)
        told = self.near.send_many(
            count,
            self._parallel,
            url=url,
            to=party,
            certificate=certificate,
            sender=self.neighbour.participant,
            recipient=self.world.recipient.participant,
            payloads=[Payload(path)],
        )
        done = Exchange(
            "phase4",
            to,
            len(content),
            count,
            told["seconds"],
            sending.cost(),
            taking.cost(),
            database.cost() if to == "ours" else None,
        )
        assert all(result["outcome"] == "SUCCESS" for result in told["results"]), told["results"][:1]
        self._forget()
        return done

    def _transfer(self, content: bytes, to: "Party") -> str:
        from django.utils import timezone

        from transport.access_point.models import OutboundTransfer
        from transport.protocol.identifiers import SDK_MESSAGE
        from transport.storage import blobs
        from transport.storage.blobs import BlobBinding

        reference = uuid.uuid4()
        row = OutboundTransfer.objects.create(
            reference=reference,
            as4_message_id=f"{uuid.uuid4()}@{self.served.name}",
            conversation_id=str(uuid.uuid4()),
            sender=self.world.sender.participant.value,
            recipient=to.participant.value,
            document_id=SDK_MESSAGE.identifier,
            document_scheme=SDK_MESSAGE.scheme,
            envelope_name=blobs.store(
                f"bench/{reference}",
                io.BytesIO(content),
                BlobBinding(self.world.sender.participant.value, "envelope", reference),
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


class _Senders:
    """Processes that send transfers of ours, each its share.

    All of them send to one counterpart at the same time: none of them may find the counterpart's share of the
    workers in use, since a transfer without a free slot is left to a sweeper, and none runs here.
    """

    def __init__(self, count: int) -> None:
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.send"],
                cwd=PROJECT,
                env={**os.environ, "SDK_COUNTERPART_SHARE": str(count)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(count)
        ]

    def __enter__(self) -> "_Senders":
        for process in self._processes:
            assert self._answer(process) == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.communicate()

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    def send(self, keys: Sequence[str]) -> tuple[float, int]:
        """(seconds, how many were delivered)."""
        begun = perf_counter()
        asked = self._processes[: len(keys)]
        for number, process in enumerate(asked):
            assert process.stdin is not None
            process.stdin.write("\n".join(keys[number :: len(asked)]) + "\n\n")
            process.stdin.flush()
        delivered = sum(int(self._answer(process)) for process in asked)
        return perf_counter() - begun, delivered

    @staticmethod
    def _answer(process: "subprocess.Popen[str]") -> str:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line, "a sender has ended"
        return line
