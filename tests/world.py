"""One node in a test federation, in this process: real DNS, SMP, HTTP and PostgreSQL; workers by hand."""

import io
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from mailbox.models import FunctionMailbox
from testbed.authorities import load_certificate, load_key
from testbed.federation import Federation, ParticipantFiles
from tests.transport.protocol.build import a_message
from transport import access_point_port
from transport.access_point import outbound as access_point_sending
from transport.access_point.models import OutboundTransfer
from transport.access_point_port import OutgoingTransfer
from transport.message_service import inbound, outbound
from transport.message_service.models import (
    IncomingMessage,
    Organisation,
    OrganisationKey,
    OutgoingMessage,
)
from transport.message_service.organisations.organisation_keys import add_key
from transport.protocol.identifiers import SDK_MESSAGE, SDK_MESSAGE_TYPE_CODE, DocumentType, ParticipantId
from transport.protocol.message_receipt import MessageReceipt, read_receipt
from transport.protocol.sdk_message.message import Message, write_message
from transport.protocol.xhe.envelope import Envelope
from transport.protocol.xhe.opening import verify_envelope
from transport.protocol.xhe.sealing import seal
from transport.protocol.xml.safe_xml import parse
from transport.storage import blobs
from transport.storage.blobs import BlobBinding


def point_at(federation: Federation, settings) -> None:
    """Let this process ask the test federation."""
    variables = federation.environment()
    settings.SDK_ACCESS_POINT_CA_DIR = federation.trust_dir / "access-points"
    settings.SDK_SMP_CA_DIR = federation.trust_dir / "smp"
    settings.SDK_ORGANISATION_CA_DIR = federation.trust_dir / "organisations"
    settings.SDK_TLS_CA_FILE = variables["SDK_TLS_CA_FILE"]
    settings.SDK_DNS_SERVERS = [variables["SDK_DNS_SERVERS"]]
    settings.SDK_SML_ZONE = variables["SDK_SML_ZONE"]
    settings.SDK_ADDRESS_BOOK_URL = variables["SDK_ADDRESS_BOOK_URL"]


@pytest.fixture(scope="session")
def federation(tmp_path_factory):
    """A federation for all tests of a worker: `xdist_group("federation...")` keeps its users together."""
    one = Federation(tmp_path_factory.mktemp("federation"))
    one.prepare()
    one.start()
    yield one
    one.stop()


@dataclass(frozen=True)
class Party:
    """An organisation of this node, with its keys and one function mailbox."""

    participant: ParticipantId
    files: ParticipantFiles
    mailbox: FunctionMailbox

    @property
    def organisation(self) -> Organisation:
        return Organisation.objects.get(participant_id=self.participant.value)


@dataclass
class World:
    """Two organisations on one node: what one sends goes out to the network and comes in again."""

    federation: Federation
    url: str
    access_point: str
    sender: Party = field(init=False)
    recipient: Party = field(init=False)

    def __post_init__(self) -> None:
        self.sender = self.party("avsandare")
        self.recipient = self.party("mottagare")

    def party(self, name: str, *, is_here: bool = True, published: bool = True) -> Party:
        participant = self.participant_named(name)
        files = self.federation.add_participant(
            participant.value, name, self.access_point, [], published=published
        )
        if is_here:
            organisation = Organisation.objects.create(
                participant_id=participant.value, name=name, goes_out_and_back=True
            )
            for purpose, pair in (("signing", files.signing), ("encryption", files.encryption)):
                add_key(
                    organisation,
                    OrganisationKey.Purpose(purpose),
                    load_key(pair.key),
                    load_certificate(pair.certificate),
                )
        mailbox = FunctionMailbox(
            participant_id=participant.value, address=f"sdk:funktion:{participant}", name=f"Funktion {name}"
        )
        if is_here:
            mailbox.save()
        return Party(participant, files, mailbox)

    def participant_named(self, name: str) -> ParticipantId:
        """A participant that no other test has."""
        return ParticipantId(f"0203:{name}-{uuid.uuid4().hex[:8]}.se")

    def message(self, **changes) -> Message:
        defaults = {
            "sender": self.sender.participant,
            "recipient": self.recipient.participant,
            "sender_function": self.sender.mailbox.address,
            "recipient_function": self.recipient.mailbox.address,
        }
        return a_message(**{**defaults, **changes})

    def pump(self) -> None:
        """Do what workers would, until nothing is due."""
        for _ in range(50):
            steps = [
                (OutgoingMessage, outbound.seal_and_submit),
                (OutboundTransfer, access_point_sending.send),
                (IncomingMessage, inbound.process),
            ]
            due = [(run, key) for model, run in steps for key in model.due().values_list("pk", flat=True)]
            if not due:
                return
            for run, key in due:
                run(key)
        raise AssertionError("work does not come to an end")

    def sealed(
        self,
        payload: Message | bytes,
        *,
        message_id: str | None = None,
        sender: Party | None = None,
        header_sender: ParticipantId | None = None,
        signer=None,
        encrypted: bool = True,
        handling: str | None = None,
        **on_envelope: Any,
    ) -> tuple[str, bytes]:
        """(message id, sealed envelope) with whatever the test wants to be wrong with it; `on_envelope`
        are values of `Envelope`."""
        sender = sender or self.sender
        if isinstance(payload, bytes):
            data = payload
        else:
            out = io.BytesIO()
            write_message(payload, out)
            data, message_id = out.getvalue(), message_id or payload.header.message_id
        identity = message_id or str(uuid.uuid4())
        envelope = Envelope(
            identity,
            a_message().header.created_at,
            header_sender or sender.participant,
            self.recipient.participant,
            SDK_MESSAGE,
            SDK_MESSAGE_TYPE_CODE,
            encrypted,
            handling or self.recipient.mailbox.address,
        )
        signing = signer or sender.files.signing
        out = io.BytesIO()
        seal(
            replace(envelope, **on_envelope),
            io.BytesIO(data),
            out,
            signing_key=load_key(signing.key),
            signing_certificate=load_certificate(signing.certificate),
            encryption_certificate=load_certificate(self.recipient.files.encryption.certificate)
            if encrypted
            else None,
        )
        return identity, out.getvalue()

    def transfer(
        self,
        envelope: bytes,
        *,
        sender: Party | None = None,
        document_type: DocumentType = SDK_MESSAGE,
        pump: bool = True,
        reference: uuid.UUID | None = None,
    ) -> uuid.UUID:
        """Send an envelope by AS4 as if a message service had handed it over; its reference.

        Without `pump` it is only ordered: the test does what workers would.
        """
        reference = reference or uuid.uuid4()
        participant = (sender or self.sender).participant
        place = BlobBinding(participant.value, "envelope", reference)
        name = blobs.store(f"test/{reference}", io.BytesIO(envelope), place)
        access_point_port.access_point().submit(
            OutgoingTransfer(
                reference,
                name,
                str(reference),
                participant,
                self.recipient.participant,
                document_type,
                str(reference),
            )
        )
        if pump:
            self.pump()
        return reference

    def answer_to(self, message_id: str) -> MessageReceipt | None:
        """The receipt that was ordered for a message; None where there is none."""
        row = (
            OutgoingMessage.objects.filter(kind=OutgoingMessage.Kind.RECEIPT, answers__message_id=message_id)
            .order_by("created_at")
            .last()
        )
        if row is None:
            return None
        with blobs.open_stored(row.envelope_name, row.envelope_binding) as envelope:
            out = io.BytesIO()
            verify_envelope(envelope).write_payload(out)
            return read_receipt(parse(out.getvalue()))


@pytest.fixture
def world(federation, settings, transactional_db, live_server, tmp_path) -> World:
    point_at(federation, settings)
    settings.SDK_WORK_DIR = tmp_path / "work"
    settings.MEDIA_ROOT = tmp_path / "payloads"
    name = f"AP-{uuid.uuid4().hex[:8]}-TEST"
    url = f"{live_server.url}/as4"
    files = federation.add_access_point(name, url)
    settings.SDK_ACCESS_POINT_KEY = str(files.key)
    settings.SDK_ACCESS_POINT_CERTIFICATE = str(files.certificate)
    settings.ROOT_URLCONF = "sdkportal.urls_access_point"
    return World(federation, url, name)


def changed(data: bytes, path: str, text: str) -> bytes:
    """A written message with the text of one element changed."""
    root = etree.fromstring(data)
    root.find(path).text = text
    return etree.tostring(root, method="c14n")


def work_is_clean(directory: Path) -> bool:
    return not directory.exists() or not any(directory.iterdir())
