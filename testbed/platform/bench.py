"""The testbed's side of the test cases: the participants TestAP-01 and on, and their access point."""

import io
import logging
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import dns.resolver
import requests
from cryptography import x509
from flask import Flask, Response, request
from werkzeug.serving import BaseWSGIServer, make_server

from transport.protocol.as4 import signals
from transport.protocol.as4.errors import As4Error
from transport.protocol.as4.messages import ErrorSignal, PartInfo, UserMessage
from transport.protocol.as4.packing import write_user_message
from transport.protocol.as4.unpacking import DecryptionKey, ReceivedMessage, read_user_message
from transport.protocol.discovery import Naptr, bdxl_name, metadata_url, smp_base_url
from transport.protocol.errors import ProtocolError
from transport.protocol.identifiers import (
    FUNCTION_ADDRESS_ROOT,
    MESSAGE_RECEIPT,
    PARTICIPANT_SCHEME,
    PROCESS_ID,
    PROCESS_SCHEME,
    RECEIPT_TYPE_CODE,
    SDK_MESSAGE,
    SDK_MESSAGE_TYPE_CODE,
    DocumentType,
    ParticipantId,
)
from transport.protocol.message_receipt import MessageReceipt, ResponseCode, read_receipt, write_receipt
from transport.protocol.sdk_message.message import (
    Attention,
    Document,
    File,
    Header,
    Identifier,
    Message,
    Party,
    SubOrganization,
    write_message,
)
from transport.protocol.service_metadata import Endpoint, endpoint_for, read_service_metadata
from transport.protocol.xhe.envelope import Envelope, write_envelope
from transport.protocol.xhe.opening import verify_envelope
from transport.protocol.xhe.sealing import seal
from transport.protocol.xml import safe_xml

from ..authorities import Authority, KeyFiles, Validity, load_certificate, load_key
from ..federation import REVOKED_ACCESS_POINT, Federation, ParticipantFiles
from ..register import Function
from ..services import free_port
from ..sml import ZONE

logger = logging.getLogger(__name__)
_TIMEOUT_SECONDS = 120
_POLL_SECONDS = 0.1


class Supplier(Protocol):
    """Whoever runs the access point under test: sends on request, and reports the outcome."""

    def send(self, recipient: ParticipantId, function: str) -> str:
        """Send a message to a test participant, and return when it is settled.

        Returns `delivered`, or the error code that the system under test gives.
        """


@dataclass(frozen=True, slots=True)
class Target:
    """The participant behind the access point under test, and a function address of it that is open."""

    participant: ParticipantId
    function: str


@dataclass(frozen=True, slots=True)
class TestParticipant:
    """A participant of the testbed's own."""

    __test__ = False

    participant: ParticipantId
    function: str
    access_point: str
    files: ParticipantFiles


@dataclass(frozen=True, slots=True)
class Answer:
    """What the access point under test answered: its EBMS error codes, none where it gave a receipt."""

    message_id: str
    as4_message_id: str
    errors: tuple[str, ...]

    @property
    def is_receipt(self) -> bool:
        return not self.errors


@dataclass
class _Records:
    """What has been exchanged: message ids by recipient, receipt codes by the message that they answer."""

    messages: dict[str, list[str]] = field(default_factory=dict)
    receipts: dict[str, list[str]] = field(default_factory=dict)
    as4_ids: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    timestamps: list[str] = field(default_factory=list)


class Bench:
    """The testbed's participants in a federation that is running; use it as a context manager."""

    def __init__(
        self,
        federation: Federation,
        target: Target,
        supplier: Supplier,
        *,
        log: Callable[[], str] | None = None,
    ) -> None:
        """`log` gives the event log of the access point under test, as text."""
        self.federation = federation
        self.target = target
        self.supplier = supplier
        self.log = log
        self.started_at = datetime.now(UTC)
        self.seen = _Records()
        self._lock = threading.Lock()
        self._port = free_port()
        self._keys: dict[str, KeyFiles] = {}
        self._mark = uuid.uuid4().hex[:6]
        self._server: BaseWSGIServer | None = None

    def __enter__(self) -> "Bench":
        tls = self.federation.tls_files("localhost")
        server = make_server(
            "127.0.0.1",
            self._port,
            self._application(),
            threaded=True,
            ssl_context=(str(tls.certificate), str(tls.key)),
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._server = server
        self.test_ap_01 = self._participant("01")
        self.type_unknown = self._participant("02", not_served=[SDK_MESSAGE])
        self.revoked = self._participant("03", access_point=REVOKED_ACCESS_POINT)
        self.unreachable = self._participant("04", url=f"https://localhost:{free_port()}/as4")
        self.foreign = self._participant("05", authority=self._foreign_authority())
        self.expired = self._participant("06", validity=Validity(-30, -1))
        self.elsewhere = self._participant("07", published=False)
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def message(self, sender: TestParticipant, *, text: str = "Testmeddelande", size: int = 0) -> Message:
        """A valid message to the target, with an attachment of `size` bytes unless that is 0."""
        identity = str(uuid.uuid4())
        files = (File("bilaga.pdf", "application/pdf", _FillerContent(size)),) if size else ()
        return Message(
            Header(
                datetime.now(UTC),
                identity,
                identity,
                _party(self.target.participant, self.target.function),
                _party(sender.participant, sender.function),
                is_confidential=False,
                label="Testfall",
            ),
            (Document("SDK meddelande", "Testfall", "1", (text,), files),),
        )

    def envelope(self, sender: TestParticipant, message: Message, /, **changes: Any) -> Envelope:
        """The correct envelope of a message, except for the changes."""
        values: dict[str, Any] = {
            "message_id": message.header.message_id,
            "created_at": message.header.created_at,
            "sender": sender.participant,
            "recipient": self.target.participant,
            "document_type": SDK_MESSAGE,
            "document_type_code": SDK_MESSAGE_TYPE_CODE,
            "is_encrypted": True,
            "handling_service_id": self.target.function,
            **changes,
        }
        return Envelope(**values)

    def send(
        self,
        sender: TestParticipant,
        message: Message,
        *,
        envelope: Envelope | None = None,
        alter: Callable[[bytes], bytes] | None = None,
        document_type: DocumentType = SDK_MESSAGE,
    ) -> Answer:
        """Seal a message and send it by AS4 to the target's access point; returns what that answers.

        `alter` is given the sealed envelope and returns what is sent in its place.
        """
        with tempfile.TemporaryDirectory() as directory:
            sealed = Path(directory) / "envelope.xml"
            self._seal(sender, message, envelope or self.envelope(sender, message), sealed)
            if alter is not None:
                sealed.write_bytes(alter(sealed.read_bytes()))
            return self._send(sender, message, document_type, sealed, Path(directory))

    def send_twice(self, sender: TestParticipant, message: Message) -> Answer:
        """Send a message, lose the answer, and send the same again under the same AS4 MessageId."""
        with tempfile.TemporaryDirectory() as directory:
            sealed = Path(directory) / "envelope.xml"
            self._seal(sender, message, self.envelope(sender, message), sealed)
            work_directory = Path(directory)
            first = self._send(sender, message, SDK_MESSAGE, sealed, work_directory, answer_is_lost=True)
            return self._send(
                sender, message, SDK_MESSAGE, sealed, work_directory, as4_message_id=first.as4_message_id
            )

    def _send(
        self,
        sender: TestParticipant,
        message: Message,
        document_type: DocumentType,
        sealed: Path,
        directory: Path,
        *,
        as4_message_id: str = "",
        answer_is_lost: bool = False,
    ) -> Answer:
        return self._post(
            sender,
            self.target.participant,
            document_type,
            sealed,
            directory,
            message_id=message.header.message_id,
            as4_message_id=as4_message_id or f"{uuid.uuid4()}@{sender.access_point}",
            answer_is_lost=answer_is_lost,
        )

    def receipt_of(self, message_id: str, *, seconds: float) -> str | None:
        """Wait for the message receipt of a message, and return its response code; None where none comes."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with self._lock:
                if codes := self.seen.receipts.get(message_id):
                    return codes[0]
            time.sleep(_POLL_SECONDS)
        return None

    def receipts_of(self, message_id: str) -> list[str]:
        """The response codes of all message receipts that have arrived for a message."""
        with self._lock:
            return list(self.seen.receipts.get(message_id, ()))

    def messages_to(self, recipient: TestParticipant) -> list[str]:
        """Ids of the messages that have arrived for a participant of the testbed's."""
        with self._lock:
            return list(self.seen.messages.get(recipient.participant.value, ()))

    def ask_to_send(self, recipient: TestParticipant) -> str:
        """Have the access point under test send to a participant; returns the outcome."""
        return self.supplier.send(recipient.participant, recipient.function)

    def _participant(
        self,
        number: str,
        *,
        access_point: str = "",
        url: str = "",
        not_served: Sequence[DocumentType] = (),
        validity: Validity | None = None,
        authority: Authority | None = None,
        published: bool = True,
    ) -> TestParticipant:
        name = access_point or f"AP-QA{number}-{self._mark}-TEST"
        own = f"https://localhost:{self._port}/as4"
        self._keys[name] = self.federation.add_access_point(name, url or own, validity=validity)
        if authority is not None:
            files = KeyFiles(
                *(path.with_name(f"foreign-{path.name}") for path in _paths_of(self._keys[name]))
            )
            self._keys[name] = authority.issue(files, name)
        participant = ParticipantId(f"0203:digg-qa{number}-{self._mark}.example.se")
        function = f"sdk:test:{participant}"
        organisation = self.federation.add_participant(
            participant.value,
            f"TestAP-{number}",
            name,
            [Function(function, f"TestAP-{number} {self._mark}")],
            published=published,
        )
        if not_served:
            actions = [kind.action for kind in not_served]
            self.federation.change_participant(participant.value, not_served=actions)
        return TestParticipant(participant, function, name, organisation)

    def _foreign_authority(self) -> Authority:
        """A CA of another environment: named like the federation's, and trusted by nobody."""
        directory = self.federation.directory / "another-environment"
        directory.mkdir(exist_ok=True)
        return Authority(directory, "access-points", self.federation.url)

    def _seal(self, sender: TestParticipant, message: Message, envelope: Envelope, target: Path) -> None:
        certificate = self._encryption_certificate()
        with tempfile.TemporaryFile() as payload, target.open("wb") as out:
            write_message(message, payload)
            payload.seek(0)
            seal(
                envelope,
                payload,
                out,
                signing_key=load_key(sender.files.signing.key),
                signing_certificate=load_certificate(sender.files.signing.certificate),
                encryption_certificate=certificate if envelope.is_encrypted else None,
            )

    def _post(
        self,
        sender: TestParticipant,
        recipient: ParticipantId,
        document_type: DocumentType,
        envelope: Path,
        directory: Path,
        *,
        message_id: str,
        as4_message_id: str,
        answer_is_lost: bool = False,
    ) -> Answer:
        endpoint = self._endpoint(recipient, SDK_MESSAGE if document_type == SDK_MESSAGE else MESSAGE_RECEIPT)
        header = UserMessage(
            as4_message_id,
            datetime.now(UTC),
            message_id,
            sender.access_point,
            _common_name(endpoint.certificate),
            document_type.action,
            sender.participant,
            recipient,
            (PartInfo(f"{uuid.uuid4()}@{sender.access_point}"),),
        )
        keys = self._keys[sender.access_point]
        with (
            envelope.open("rb") as source,
            write_user_message(
                header,
                [source],
                work_directory=directory,
                signing_key=load_key(keys.key),
                signing_certificate=load_certificate(keys.certificate),
                encryption_certificate=endpoint.certificate,
            ) as packed,
        ):
            response = requests.post(
                endpoint.url,
                data=packed.chunks(),
                headers={"Content-Type": packed.content_type},
                verify=str(self.federation.tls_ca),
                timeout=_TIMEOUT_SECONDS,
                stream=answer_is_lost,
            )
            if answer_is_lost:
                response.close()
                return Answer(message_id, as4_message_id, ())
            # What comes from outside the federation is a line in the technical log, and no event.
            if sender is not self.foreign:
                with self._lock:
                    self.seen.as4_ids.append(as4_message_id)
            return Answer(message_id, as4_message_id, _errors_of(response, packed.references, as4_message_id))

    def _endpoint(self, participant: ParticipantId, document_type: DocumentType) -> Endpoint:
        metadata = self._metadata(participant, document_type)
        found = endpoint_for(metadata, PROCESS_ID, PROCESS_SCHEME, datetime.now(UTC))
        if found is None:
            raise LookupError("no active endpoint")
        return found

    def _encryption_certificate(self) -> x509.Certificate:
        metadata = self._metadata(self.target.participant, SDK_MESSAGE)
        certificate: x509.Certificate = metadata.encryption_certificates[0]
        return certificate

    def _metadata(self, participant: ParticipantId, document_type: DocumentType) -> Any:
        """Dynamic discovery: DNS, then SMP."""
        resolver = dns.resolver.Resolver(configure=False)
        host, _, port = self.federation.environment()["SDK_DNS_SERVERS"].rpartition(":")
        resolver.nameservers, resolver.port = [host], int(port)
        records = [
            Naptr(
                record.order,
                record.preference,
                record.flags.decode(),
                record.service.decode(),
                record.regexp.decode(),
            )
            for record in resolver.resolve(bdxl_name(participant, ZONE), "NAPTR")
        ]
        url = metadata_url(smp_base_url(records), participant, document_type)
        response = requests.get(url, timeout=_TIMEOUT_SECONDS)
        response.raise_for_status()
        return read_service_metadata(response.content, participant, document_type).metadata

    def _application(self) -> Flask:
        app = Flask("testbed-platform")

        @app.post("/as4")
        def as4() -> Response:
            return Response(self._receive(), content_type=signals.CONTENT_TYPE)

        return app

    def _receive(self) -> bytes:
        """Receive a transfer and record it; returns the AS4 signal. A message gets a message receipt too."""
        pairs = [
            DecryptionKey(load_key(files.key), load_certificate(files.certificate))
            for files in self._keys.values()
        ]
        own = self._keys[self.test_ap_01.access_point]
        with tempfile.TemporaryDirectory() as directory:
            try:
                received = read_user_message(
                    request.headers.get("Content-Type", ""),
                    request.stream,  # type: ignore[arg-type]
                    directory=Path(directory),
                    decryption_keys=pairs,
                    check_signer=lambda *_: None,
                )
            except As4Error as error:
                self._problem(f"AS4: {error}")
                return signals.write_error(error, **_signing(own))
            own = self._keys.get(received.user_message.recipient_party, own)
            self._record(received)
            return signals.write_receipt(
                received.user_message.message_id, received.references, **_signing(own)
            )

    def _record(self, received: ReceivedMessage) -> None:
        header = received.user_message
        with received.parts[0].path.open("rb") as source:
            try:
                verified = verify_envelope(source)
                findings = [finding for finding in verified.findings if not finding.is_note]
                if header.action == MESSAGE_RECEIPT.action:
                    out = io.BytesIO()
                    verified.write_payload(out)
                    receipt = read_receipt(safe_xml.parse(out.getvalue()))
                    with self._lock:
                        self.seen.receipts.setdefault(receipt.ref_message_id, []).append(receipt.code.value)
            except ProtocolError as error:
                self._problem(f"envelope: {type(error).__name__}")
                return
        envelope = verified.envelope
        with self._lock:
            self.seen.as4_ids.append(header.message_id)
            self.seen.timestamps.append(header.timestamp.isoformat())
            self.seen.problems += [f"envelope: {finding.rule}" for finding in findings]
            if (envelope.sender, envelope.recipient) != (header.original_sender, header.final_recipient):
                self.seen.problems.append("envelope: its parties are not those of the AS4 header")
        if header.action == SDK_MESSAGE.action:
            known = self.seen.messages.setdefault(envelope.recipient.value, [])
            with self._lock:
                known.append(envelope.message_id)
            threading.Thread(target=self._answer, args=(envelope,), daemon=True).start()

    def _answer(self, envelope: Envelope) -> None:
        """Send the message receipt: an envelope of its own, signed and not encrypted."""
        own = self.test_ap_01
        if envelope.recipient != own.participant:
            return
        receipt = MessageReceipt(
            str(uuid.uuid4()),
            datetime.now(UTC),
            own.participant,
            envelope.sender,
            envelope.message_id,
            ResponseCode.ACCEPTED,
            (),
        )
        header = Envelope(
            str(uuid.uuid4()),
            datetime.now(UTC),
            own.participant,
            envelope.sender,
            MESSAGE_RECEIPT,
            RECEIPT_TYPE_CODE,
            False,
        )
        with tempfile.TemporaryDirectory() as directory:
            sealed = Path(directory) / "receipt.xml"
            with sealed.open("wb") as out:
                seal(
                    header,
                    io.BytesIO(write_receipt(receipt)),
                    out,
                    signing_key=load_key(own.files.signing.key),
                    signing_certificate=load_certificate(own.files.signing.certificate),
                    encryption_certificate=None,
                )
            try:
                answer = self._post(
                    own,
                    envelope.sender,
                    MESSAGE_RECEIPT,
                    sealed,
                    Path(directory),
                    message_id=header.message_id,
                    as4_message_id=f"{uuid.uuid4()}@{own.access_point}",
                )
            except (requests.RequestException, dns.exception.DNSException, LookupError) as error:
                self._problem(f"message receipt not sent: {type(error).__name__}")
                return
        if answer.errors:
            self._problem(f"message receipt refused: {', '.join(answer.errors)}")

    def _problem(self, text: str) -> None:
        with self._lock:
            self.seen.problems.append(text)


class _FillerContent:
    """Content of so many bytes, generated while it is read; its first bytes are those of a PDF."""

    def __init__(self, size: int) -> None:
        self.size = size

    def open(self) -> io.BufferedReader:
        return io.BufferedReader(_Zeros(self.size))


class _Zeros(io.RawIOBase):
    def __init__(self, size: int) -> None:
        self._remaining = size
        self._head = b"%PDF-1.7\n"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self._remaining)
        head, self._head = self._head[:count], self._head[count:]
        buffer[:count] = head + bytes(count - len(head))
        self._remaining -= count
        return count


def removing_recipient(bench: Bench, sender: TestParticipant, message: Message) -> Callable[[bytes], bytes]:
    """A function that removes ToParty from a sealed envelope, which then breaks the profile."""
    envelope = bench.envelope(sender, message)
    whole = write_envelope(envelope, b"<p></p>")
    begin, end = whole.index(b"<xha:ToParty>"), whole.index(b"</xha:ToParty>") + len(b"</xha:ToParty>")
    return lambda sealed: sealed.replace(whole[begin:end], b"")


def _party(participant: ParticipantId, function: str) -> Party:
    organisation = Identifier(PARTICIPANT_SCHEME, participant.value)
    address = SubOrganization(Identifier(FUNCTION_ADDRESS_ROOT, function), "Funktion")
    return Party(organisation, "Testbädden", Attention(address))


def _errors_of(response: requests.Response, references: Any, as4_message_id: str) -> tuple[str, ...]:
    try:
        signal = signals.read_signal(
            response.headers.get("Content-Type", ""),
            response.content,
            sent_references=references,
            sent_message_id=as4_message_id,
            check_signer=lambda _: None,
        )
    except As4Error as error:
        return (f"HTTP {response.status_code}, no valid signal: {error.kind.code}",)
    if isinstance(signal, ErrorSignal):
        return tuple(f"{error.code} {error.detail}".strip() for error in signal.errors) or ("no error named",)
    return ()


def _common_name(certificate: x509.Certificate) -> str:
    (name,) = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(name.value)


def _signing(files: KeyFiles) -> dict[str, Any]:
    return {
        "message_id": f"{uuid.uuid4()}@testbed",
        "timestamp": datetime.now(UTC),
        "signing_key": load_key(files.key),
        "signing_certificate": load_certificate(files.certificate),
    }


def _paths_of(files: KeyFiles) -> tuple[Path, Path]:
    return files.key, files.certificate
