"""Envelopes that a peer's participant seals and opens: the message service that stands behind the peer."""

import io
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from testbed.authorities import load_certificate, load_key
from tests.interop.build import Pair
from transport.protocol.identifiers import (
    MESSAGE_RECEIPT,
    RECEIPT_TYPE_CODE,
    SDK_MESSAGE,
    SDK_MESSAGE_TYPE_CODE,
)
from transport.protocol.message_receipt import MessageReceipt, ResponseCode, read_receipt, write_receipt
from transport.protocol.sdk_message.document import read_message
from transport.protocol.sdk_message.message import Message, write_message
from transport.protocol.xhe.envelope import Envelope
from transport.protocol.xhe.opening import VerifiedEnvelope, verify_envelope
from transport.protocol.xhe.sealing import sealed
from transport.protocol.xml.safe_xml import parse


def message_from(pair: Pair) -> tuple[Message, bytes]:
    """A message from the peer's participant to ours, and its envelope."""
    there, here = pair.there, pair.here
    message = pair.world.message(sender=there.participant, sender_function=there.mailbox.address)
    content = io.BytesIO()
    write_message(message, content)
    envelope = Envelope(
        message.header.message_id,
        message.header.created_at,
        there.participant,
        here.participant,
        SDK_MESSAGE,
        SDK_MESSAGE_TYPE_CODE,
        True,
        here.mailbox.address,
    )
    return message, sealed(
        envelope,
        content.getvalue(),
        signing_key=load_key(there.files.signing.key),
        signing_certificate=load_certificate(there.files.signing.certificate),
        encryption_certificate=load_certificate(here.files.encryption.certificate),
    )


def receipt_from(pair: Pair, message_id: uuid.UUID) -> bytes:
    """The envelope of an accepting message receipt of the peer's participant for a message of ours."""
    there, sender = pair.there, pair.world.sender.participant
    now = datetime.now(UTC).replace(microsecond=0)
    identity = str(uuid.uuid4())
    receipt = MessageReceipt(
        identity, now, there.participant, sender, str(message_id), ResponseCode.ACCEPTED, ()
    )
    return sealed(
        Envelope(identity, now, there.participant, sender, MESSAGE_RECEIPT, RECEIPT_TYPE_CODE, False),
        write_receipt(receipt),
        signing_key=load_key(there.files.signing.key),
        signing_certificate=load_certificate(there.files.signing.certificate),
        encryption_certificate=None,
    )


def opened_message(pair: Pair, received: dict[str, Any]) -> Message:
    """The SDK message in what the peer received, opened with its participant's key."""
    content = io.BytesIO()
    _verified(received).write_payload(content, [load_key(pair.there.files.encryption.key)])
    content.seek(0)
    return read_message(content, pair.directory)


def opened_receipt(received: dict[str, Any]) -> MessageReceipt:
    """The message receipt in what the peer received."""
    content = io.BytesIO()
    _verified(received).write_payload(content)
    return read_receipt(parse(content.getvalue()))


def _verified(received: dict[str, Any]) -> VerifiedEnvelope:
    (payload,) = received["payloads"]
    return verify_envelope(io.BytesIO(Path(payload["file"]).read_bytes()))
