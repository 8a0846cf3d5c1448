"""Organisations to aim at, on a small access point and message service of the testbed's own.

One takes its time before it acknowledges a transfer; one rejects whatever it gets. They are built on the
formats alone (transport/protocol), so they are a second reader of what a node sends.
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
class Habit:
    """How an organisation behaves: seconds before it acknowledges, and what it answers."""

    delay: float
    code: ResponseCode


class OddAccessPoint:
    """An access point for odd organisations: `habits` by participant id."""

    def __init__(
        self, register: Register, name: str, files: KeyFiles, tls_ca: Path, habits: dict[str, Habit]
    ) -> None:
        self._register = register
        self._name = name
        self._key = load_key(files.key)
        self._certificate = load_certificate(files.certificate)
        self._tls_ca = tls_ca
        self._habits = habits
        self._taken: set[str] = set()

    def application(self) -> Flask:
        app = Flask("testbed-access-point")

        @app.post("/as4")
        def as4() -> Response:
            return Response(self._take(), content_type=signals.CONTENT_TYPE)

        @app.get("/halsa/")
        def health() -> str:
            return "ok"

        return app

    def _take(self) -> bytes:
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
            habit = self._habits[message.final_recipient.value]
            time.sleep(habit.delay)
            if message.message_id not in self._taken:
                self._taken.add(message.message_id)
                if message.action == SDK_MESSAGE.action:
                    data = received.parts[0].path.read_bytes()
                    envelope = read_envelope(safe_xml.parse(data, safe_xml.ENVELOPE_DOCUMENT))
                    threading.Thread(target=self._answer, args=(envelope, habit), daemon=True).start()
            return signals.write_receipt(message.message_id, received.references, **self._signing())

    def _answer(self, envelope: Envelope, habit: Habit) -> None:
        """Send the message receipt: a message of its own, after the transport receipt."""
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
            habit.code,
            causes if habit.code is ResponseCode.REJECTED else (),
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
            logger.warning("the receipt could not be sent: %s", type(error).__name__)

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
