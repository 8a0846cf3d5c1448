"""One node's access point behind HTTPS, in a process of its own, with a peer beside it."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from django.db import connection
from django.utils import timezone

from testbed.authorities import KeyFiles
from testbed.federation import Federation
from testbed.node import Node, NodePorts, Role
from testbed.services import free_port
from tests.interop.phase4 import Phase4
from tests.interop.program import Payload, Peer, Sent
from tests.world import Party, World, work_is_clean
from transport.access_point import outbound
from transport.access_point.models import InboundTransfer, OutboundTransfer, TransferEvent
from transport.protocol.as4 import signals
from transport.protocol.as4.messages import ErrorSignal
from transport.protocol.identifiers import SDK_MESSAGE, ParticipantId
from transport.storage import blobs as payloads
from transport.storage.blobs import BlobBinding


@dataclass(frozen=True)
class Served:
    """An access point of ours that answers over HTTPS, on the test run's database."""

    name: str
    url: str
    files: KeyFiles
    directory: Path

    @property
    def payloads(self) -> Path:
        return self.directory / "data" / "payloads"

    @property
    def work(self) -> Path:
        return self.directory / "work"


@contextmanager
def serving(
    federation: Federation, directory: Path, receivers: int = 1, **variables: str
) -> Iterator[Served]:
    """Start the access point as a node does; other tests' settings do not reach it, `variables` do."""
    name = f"AP-{uuid.uuid4().hex[:8]}-TEST"
    port = free_port()
    url = f"https://localhost:{port}/as4"
    files = federation.add_access_point(name, url)
    tls = federation.tls_files("localhost")
    database = urlsplit(os.environ["SDK_DATABASE_URL"])
    served = Served(name, url, files, directory)
    environment = {
        **federation.environment(),
        "SDK_DATABASE_URL": database._replace(path=f"/{connection.settings_dict['NAME']}").geturl(),
        "SDK_WORK_DIR": str(served.work),
        "SDK_ACCESS_POINT_KEY": str(files.key),
        "SDK_ACCESS_POINT_CERTIFICATE": str(files.certificate),
        **variables,
    }
    node = Node(
        "interop",
        directory,
        NodePorts(web=0, access_point=port),
        environment,
        tls_key=tls.key,
        tls_certificate=tls.certificate,
        receivers=receivers,
    )
    try:
        node.start(Role.ACCESS_POINT)
        yield served
    finally:
        node.stop()


@dataclass
class LastingWorld(World):
    """A world whose participants are the same in each test with a peer: their keys take long to make."""

    peer: str = ""

    def participant_named(self, name: str) -> ParticipantId:
        return ParticipantId(f"0203:{name}.{self.access_point}.{self.peer}.se".lower())


@dataclass
class Pair:
    """Our access point and a peer's, each with a participant that the other one may write to."""

    world: World
    served: Served
    peer: Peer
    there: Party
    directory: Path

    @property
    def here(self) -> Party:
        return self.world.recipient

    def payload(self, content: bytes, **options: Any) -> Payload:
        """A file that the peer is to send."""
        path = self.directory / f"payload-{uuid.uuid4()}"
        path.write_bytes(content)
        return Payload(path, **options)

    def order(self, *payloads: Payload, **changes: Any) -> dict[str, Any]:
        """A message from the peer's participant to ours."""
        return {
            "url": self.served.url,
            "to": self.served.name,
            "certificate": self.served.files.certificate,
            "sender": self.there.participant,
            "recipient": self.here.participant,
            "payloads": payloads or (self.payload(b"<envelope/>"),),
            **changes,
        }

    def transfer(self, content: bytes | Path, **changes: Any) -> OutboundTransfer:
        """An envelope of ours for the peer's participant, due."""
        reference = uuid.uuid4()
        place = BlobBinding(self.world.sender.participant.value, "envelope", reference)
        values = {
            "reference": reference,
            "as4_message_id": f"{uuid.uuid4()}@{self.served.name}",
            "conversation_id": str(uuid.uuid4()),
            "sender": self.world.sender.participant.value,
            "recipient": self.there.participant.value,
            "document_id": SDK_MESSAGE.identifier,
            "document_scheme": SDK_MESSAGE.scheme,
            "envelope_name": self._stored(content, place),
            "envelope_id": str(uuid.uuid4()),
            "due_at": timezone.now(),
            **changes,
        }
        return OutboundTransfer.objects.create(**values)

    def _stored(self, content: bytes | Path, place: BlobBinding) -> str:
        name = f"test/{uuid.uuid4()}"
        if isinstance(content, bytes):
            return payloads.store(name, BytesIO(content), place)
        with content.open("rb") as envelope:
            return payloads.store(name, envelope, place)

    def send(self, transfer: OutboundTransfer) -> OutboundTransfer:
        """Make one attempt, whenever it is due; the row afterwards."""
        OutboundTransfer.objects.filter(pk=transfer.pk, due_at__isnull=False).update(due_at=timezone.now())
        outbound.send(transfer.pk)
        transfer.refresh_from_db()
        return transfer

    def arrived(self) -> tuple[InboundTransfer, bytes]:
        """The one transfer that has arrived here, and its envelope."""
        transfer = InboundTransfer.objects.get()
        with payloads.open_stored(transfer.envelope_name, transfer.envelope_binding) as envelope:
            return transfer, envelope.read()

    def nothing_arrived(self) -> bool:
        """Nothing is stored here, neither row nor file."""
        files = [path for path in self.served.payloads.rglob("*") if path.is_file()]
        return not InboundTransfer.objects.exists() and not files and work_is_clean(self.served.work)

    def refusal(self) -> TransferEvent | None:
        """The one refusal in our log; None where nothing showed who it was that was refused."""
        return TransferEvent.objects.filter(kind=TransferEvent.Kind.REFUSED).first()


@dataclass
class Neighbours(Pair):
    """Our access point and phase4's."""

    @property
    def phase4(self) -> Phase4:
        assert isinstance(self.peer, Phase4)
        return self.peer

    def from_phase4(self, *payloads: Payload, **changes: Any) -> Sent:
        """Let phase4 send a message to us."""
        return self.phase4.send(**self.order(*payloads, **changes))

    def composed(self, *payloads: Payload, **changes: Any) -> tuple[str, str, bytes]:
        """(message id, Content-Type, body) of the message that phase4 would send to us."""
        return self.phase4.compose(**self.order(*payloads, **changes))

    def post_spoiled(self, content_type: str, body: bytes) -> ErrorSignal:
        """Send our endpoint what phase4 composed, spoiled; the error that it answers."""
        answer = self._posted(content_type, body)
        assert answer.status_code == 200
        signal = signals.read_signal(
            answer.headers["Content-Type"],
            answer.content,
            sent_references=(),
            sent_message_id="",
            check_signer=lambda signer: None,
        )
        assert isinstance(signal, ErrorSignal)
        self.phase4.exchanged.refused_here += 1
        return signal

    def post_whole(self, content_type: str, body: bytes) -> None:
        """Send our endpoint what phase4 composed, packaged otherwise; it takes it."""
        answer = self._posted(content_type, body)
        assert b"NonRepudiationInformation" in answer.content, answer.content
        self.phase4.exchanged.taken_here += 1

    def _posted(self, content_type: str, body: bytes) -> requests.Response:
        return requests.post(
            self.served.url,
            data=body,
            headers={"Content-Type": " ".join(content_type.split())},
            verify=str(self.world.federation.tls_ca),
            timeout=60,
        )
