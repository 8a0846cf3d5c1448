"""Simulated organisations to send to: one is slow to acknowledge a transfer, one rejects every message.

They have an access point and a message service of the testbed's own, which are built on transport/protocol
alone and so read what a node sends independently of the node's services.
"""

import io
import logging
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from flask import Flask, Response, request

from transport.protocol.as4 import signals
from transport.protocol.as4.errors import As4Error
from transport.protocol.as4.messages import PartInfo, UserMessage
from transport.protocol.as4.packing import write_user_message
from transport.protocol.as4.unpacking import DecryptionKey, read_user_message
from transport.protocol.findings import Detail, Reason
from transport.protocol.identifiers import MESSAGE_RECEIPT, RECEIPT_TYPE_CODE, SDK_MESSAGE, ParticipantId
from transport.protocol.message_receipt import Cause, MessageReceipt, ResponseCode, write_receipt
from transport.protocol.xhe.envelope import Envelope, read_envelope
from transport.protocol.xhe.sealing import sealed
from transport.protocol.xml import safe_xml

from .authorities import KeyFiles, load_certificate, load_key
from .register import Register

logger = logging.getLogger(__name__)
_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Behaviour:
    """How an organisation behaves: seconds before it acknowledges, and the response code that it answers."""

    delay: float
    code: ResponseCode


class SimulatedAccessPoint:
    """The access point of the simulated organisations; `behaviours` by participant id."""

    def __init__(
        self, register: Register, name: str, files: KeyFiles, tls_ca: Path, behaviours: dict[str, Behaviour]
    ) -> None:
        self._register = register
        self._name = name
        self._key = load_key(files.key)
        self._certificate = load_certificate(files.certificate)
        self._tls_ca = tls_ca
        self._behaviours = behaviours
        self._received_ids: set[str] = set()

    def application(self) -> Flask:
        """The access point as a web application."""
        app = Flask("testbed-access-point")

        @app.post("/as4")
        def as4() -> Response:
            return Response(self._receive(), content_type=signals.CONTENT_TYPE)

        @app.get("/halsa/")
        def health() -> str:
            return "ok"

        return app

    def _receive(self) -> bytes:
        """Read a transfer from the request; returns the signal that answers it."""
        with tempfile.TemporaryDirectory() as directory:
            try:
                received = read_user_message(
                    request.headers.get("Content-Type", ""),
                    request.stream,  # type: ignore[arg-type]
                    directory=Path(directory),
                    decryption_keys=[DecryptionKey(self._key, self._certificate)],
                    check_signer=lambda *_: None,
                )
            except As4Error as error:
                return signals.write_error(error, **self._signing())
            message = received.user_message
            behaviour = self._behaviours[message.final_recipient.value]
            time.sleep(behaviour.delay)
            if message.message_id not in self._received_ids:
                self._received_ids.add(message.message_id)
                if message.action == SDK_MESSAGE.action:
                    data = received.parts[0].path.read_bytes()
                    envelope = read_envelope(safe_xml.parse(data, safe_xml.ENVELOPE_DOCUMENT))
                    threading.Thread(target=self._answer, args=(envelope, behaviour), daemon=True).start()
            return signals.write_receipt(message.message_id, received.references, **self._signing())

    def _answer(self, envelope: Envelope, behaviour: Behaviour) -> None:
        """Send the message receipt, in a transfer of its own after the transport receipt."""
        time.sleep(1)
        own, sender = envelope.recipient, envelope.sender
        entry = self._register.entries("participants")[own.value]
        signing = Path(entry["signing"][0])
        causes = (Cause(Reason.BV, "Den här organisationen avvisar allt.", Detail.INVARIANT),)
        receipt = MessageReceipt(
            str(uuid.uuid4()),
            datetime.now(UTC),
            own,
            sender,
            envelope.message_id,
            behaviour.code,
            causes if behaviour.code is ResponseCode.REJECTED else (),
        )
        header = Envelope(
            str(uuid.uuid4()), datetime.now(UTC), own, sender, MESSAGE_RECEIPT, RECEIPT_TYPE_CODE, False
        )
        data = sealed(
            header,
            write_receipt(receipt),
            signing_key=load_key(signing.with_suffix(".key")),
            signing_certificate=load_certificate(signing),
            encryption_certificate=None,
        )
        try:
            self._send(data, own, sender)
        except (requests.RequestException, KeyError) as error:
            logger.warning("simulated_receipt_not_sent: %s", type(error).__name__)

    def _send(self, envelope: bytes, own: ParticipantId, recipient: ParticipantId) -> None:
        name = self._register.entries("participants")[recipient.value]["access_point"]
        peer: dict[str, Any] = self._register.entries("access_points")[name]
        message = UserMessage(
            f"{uuid.uuid4()}@{self._name}",
            datetime.now(UTC),
            str(uuid.uuid4()),
            self._name,
            name,
            MESSAGE_RECEIPT.action,
            own,
            recipient,
            (PartInfo(f"{uuid.uuid4()}@{self._name}"),),
        )
        with (
            tempfile.TemporaryDirectory() as directory,
            write_user_message(
                message,
                [io.BytesIO(envelope)],
                work_directory=Path(directory),
                signing_key=self._key,
                signing_certificate=self._certificate,
                encryption_certificate=load_certificate(Path(peer["certificate"])),
            ) as packed,
        ):
            requests.post(
                peer["url"],
                data=b"".join(packed.chunks()),
                headers={"Content-Type": packed.content_type},
                verify=str(self._tls_ca),
                timeout=_TIMEOUT_SECONDS,
            )

    def _signing(self) -> dict[str, Any]:
        return {
            "message_id": f"{uuid.uuid4()}@{self._name}",
            "timestamp": datetime.now(UTC),
            "signing_key": self._key,
            "signing_certificate": self._certificate,
        }
