"""Transfers to send, another access point that sends to ours, and a line that can be disturbed."""

import io
import socket
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.utils import timezone
from werkzeug.serving import make_server

from testbed.authorities import KeyFiles, Validity, load_certificate, load_key
from tests.transport.protocol.as4.build import named_by, with_soap
from tests.world import Party, World
from transport.access_point.models import OutboundTransfer
from transport.protocol.as4 import signals
from transport.protocol.as4.errors import As4Error, Kind
from transport.protocol.as4.messages import ErrorSignal, PartInfo, Receipt, UserMessage
from transport.protocol.as4.packing import PackedMessage, write_user_message
from transport.protocol.identifiers import SDK_MESSAGE
from transport.storage import blobs
from transport.storage.blobs import BlobBinding


def a_transfer(
    world: World, content: bytes = b"<envelope/>", *, recipient: Party | None = None
) -> OutboundTransfer:
    """A transfer that is due; what it carries is no matter of the access point's."""
    reference = uuid.uuid4()
    place = BlobBinding(world.sender.participant.value, "envelope", reference)
    return OutboundTransfer.objects.create(
        reference=reference,
        as4_message_id=f"{uuid.uuid4()}@ap",
        conversation_id=str(uuid.uuid4()),
        sender=world.sender.participant.value,
        recipient=(recipient or world.recipient).participant.value,
        document_id=SDK_MESSAGE.identifier,
        document_scheme=SDK_MESSAGE.scheme,
        envelope_name=blobs.store(
            f"test/{reference}",
            io.BytesIO(content),
            place,
        ),
        envelope_id=str(uuid.uuid4()),
        due_at=timezone.now(),
    )


class Peer:
    """Another access point that sends to ours."""

    def __init__(self, world: World, work: Path, *, validity: Validity | None = None) -> None:
        self.world = world
        self.name = f"AP-{uuid.uuid4().hex[:8]}-PEER"
        self.files = world.federation.add_access_point(
            self.name, "https://localhost:9/as4", validity=validity
        )
        self.work = work

    def pack(self, content: bytes = b"<envelope/>", **changes: Any) -> tuple[UserMessage, PackedMessage]:
        world = self.world
        values = {
            "message_id": f"{uuid.uuid4()}@peer",
            "timestamp": timezone.now(),
            "conversation_id": str(uuid.uuid4()),
            "sender_party": self.name,
            "recipient_party": world.access_point,
            "action": SDK_MESSAGE.action,
            "original_sender": world.sender.participant,
            "final_recipient": world.recipient.participant,
            "parts": (PartInfo("envelope@peer"),),
            **changes,
        }
        message = UserMessage(**values)
        own = self.world.federation.add_access_point(world.access_point, world.url)
        return message, write_user_message(
            message,
            [io.BytesIO(content) for _ in message.parts],
            work_directory=self.work,
            signing_key=load_key(self.files.key),
            signing_certificate=load_certificate(self.files.certificate),
            encryption_certificate=load_certificate(own.certificate),
        )

    def post(self, packed: PackedMessage) -> requests.Response:
        body = b"".join(packed.chunks())
        return requests.post(
            self.world.url, data=body, headers={"Content-Type": packed.content_type}, timeout=30
        )

    def post_named(self, packed: PackedMessage, reference: str) -> requests.Response:
        """The same message, its signer named by what stands in KeyInfo instead of included."""
        body = with_soap(packed.content_type, b"".join(packed.chunks()), named_by(reference))
        headers = {"Content-Type": packed.content_type}
        return requests.post(self.world.url, data=body, headers=headers, timeout=30)

    def answer(self, packed: PackedMessage, message: UserMessage) -> Receipt | ErrorSignal:
        response = self.post(packed)
        assert response.status_code == 200
        return signals.read_signal(
            response.headers["Content-Type"],
            response.content,
            sent_references=packed.references,
            sent_message_id=message.message_id,
            check_signer=lambda signer: None,
        )


@dataclass(frozen=True)
class HttpAnswer:
    """What a server sends back."""

    status: str
    content_type: str
    body: bytes
    retry_after: str = ""


Disturbance = Callable[[Callable[[], HttpAnswer], dict[str, Any]], HttpAnswer]


class Line:
    """Our own AS4 endpoint behind a line that a test disturbs: each request meets the next disturbance.

    A disturbance is given what asks our endpoint, and the WSGI environment; it gives the answer, or raises
    ConnectionResetError, at which the connection is closed without one.
    """

    def __init__(self) -> None:
        self.disturbances: list[Disturbance] = []
        self.requests = 0
        self._endpoint = WSGIHandler()
        self._server = make_server("127.0.0.1", 0, self._application, threaded=True)
        self.url = f"http://localhost:{self._server.server_port}/as4"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "Line":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.requests += 1
        disturb = self.disturbances.pop(0) if self.disturbances else _undisturbed
        try:
            answer = disturb(lambda: self._asked(environ), environ)
        except ConnectionResetError:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise
        finally:
            connections.close_all()
        headers = [("Content-Type", answer.content_type)]
        if answer.retry_after:
            headers.append(("Retry-After", answer.retry_after))
        start_response(answer.status, headers)
        return [answer.body]

    def _asked(self, environ: dict[str, Any]) -> HttpAnswer:
        started: list[Any] = []
        response = self._endpoint(environ, lambda status, headers: started.extend([status, dict(headers)]))
        body = b"".join(response)
        return HttpAnswer(started[0], started[1].get("Content-Type", ""), body)


def _undisturbed(ask: Callable[[], HttpAnswer], environ: dict[str, Any]) -> HttpAnswer:
    return ask()


def closed_at_once(ask: Callable[[], HttpAnswer], environ: dict[str, Any]) -> HttpAnswer:
    raise ConnectionResetError


def busy_for(seconds: str) -> Disturbance:
    """503 with `Retry-After`."""
    return lambda ask, environ: HttpAnswer("503 Service Unavailable", "text/plain", b"busy", seconds)


def closed_in_the_middle(ask: Callable[[], HttpAnswer], environ: dict[str, Any]) -> HttpAnswer:
    environ["wsgi.input"].read(100)
    raise ConnectionResetError


def answer_lost(ask: Callable[[], HttpAnswer], environ: dict[str, Any]) -> HttpAnswer:
    """The message is taken; its receipt never gets back."""
    ask()
    raise ConnectionResetError


def answer_cut_short(ask: Callable[[], HttpAnswer], environ: dict[str, Any]) -> HttpAnswer:
    """The message is taken; the line breaks in the middle of its receipt."""
    answer = ask()
    _written_by_hand(answer, environ, len(answer.body) // 2)
    raise ConnectionResetError


def closed_after_the_answer(ask: Callable[[], HttpAnswer], environ: dict[str, Any]) -> HttpAnswer:
    """The message is taken; the line breaks when the last byte of its receipt is out."""
    answer = ask()
    _written_by_hand(answer, environ, len(answer.body))
    raise ConnectionResetError


def _written_by_hand(answer: HttpAnswer, environ: dict[str, Any], count: int) -> None:
    fields = f"Content-Type: {answer.content_type}\r\nContent-Length: {len(answer.body)}\r\n"
    head = f"HTTP/1.1 {answer.status}\r\n{fields}\r\n".encode()
    environ["werkzeug.socket"].sendall(head + answer.body[:count])


def answering(status: str, content_type: str, body: bytes) -> Disturbance:
    """Something else answers; the message is not taken."""

    def disturb(ask: Callable[[], HttpAnswer], environ: dict[str, Any]) -> HttpAnswer:
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        return HttpAnswer(status, content_type, body)

    return disturb


def signalling(code: str, detail: str = "") -> Disturbance:
    """A peer that answers with an unsigned error signal, as some do."""
    body = (
        '<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope"><env:Header>'
        '<eb:Messaging xmlns:eb="http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/">'
        "<eb:SignalMessage><eb:MessageInfo><eb:Timestamp>2026-11-24T12:00:00.000Z</eb:Timestamp>"
        "<eb:MessageId>error@peer</eb:MessageId></eb:MessageInfo>"
        f'<eb:Error errorCode="{code}" severity="failure">'
        f"<eb:ErrorDetail>{detail}</eb:ErrorDetail></eb:Error>"
        "</eb:SignalMessage></eb:Messaging></env:Header><env:Body/></env:Envelope>"
    )
    return answering("200 OK", "application/soap+xml; charset=UTF-8", body.encode())


def signed_error(signer: KeyFiles, ref_to_message_id: str, code: str, detail: str = "") -> Disturbance:
    """A peer that answers with an error signal that it has signed."""
    body = signals.write_error(
        As4Error(Kind(code, "Error", "Content"), detail, ref_to_message_id),
        message_id="error@peer",
        timestamp=timezone.now(),
        signing_key=load_key(signer.key),
        signing_certificate=load_certificate(signer.certificate),
    )
    return answering("200 OK", "application/soap+xml; charset=UTF-8", body)


class FirstReceiptAgain:
    """A peer that answers every copy with the very bytes that it answered first, as Domibus does."""

    def __init__(self) -> None:
        self._first: HttpAnswer | None = None

    def lost(self, ask: Callable[[], HttpAnswer], environ: dict[str, Any]) -> HttpAnswer:
        self._first = ask()
        raise ConnectionResetError

    def repeated(self, ask: Callable[[], HttpAnswer], environ: dict[str, Any]) -> HttpAnswer:
        ask()
        assert self._first is not None
        return self._first
