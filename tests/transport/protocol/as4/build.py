"""User messages between two access points, packed for real."""

import base64
import contextlib
import gzip
import io
import re
import uuid
from collections.abc import Callable
from pathlib import Path

from tests.transport.protocol.build import ARBETSFORMEDLINGEN, HABO, NOON
from tests.transport.protocol.keys import certificate, key
from transport.protocol.as4 import names
from transport.protocol.as4.messages import PartInfo, UserMessage
from transport.protocol.as4.packing import PackedMessage, write_user_message
from transport.protocol.as4.unpacking import DecryptionKey, ReceivedMessage, read_user_message
from transport.protocol.identifiers import SDK_MESSAGE


def a_user_message(*, parts: tuple[PartInfo, ...] = (), message_id: str | None = None) -> UserMessage:
    return UserMessage(
        message_id or f"{uuid.uuid4()}@ap.example",
        NOON,
        str(uuid.uuid4()),
        "AP0001-SDK-TEST",
        "AP0002-SDK-TEST",
        SDK_MESSAGE.action,
        HABO,
        ARBETSFORMEDLINGEN,
        parts or (PartInfo("message@ap.example"),),
    )


def packed(directory: Path, *contents: bytes, message: UserMessage | None = None) -> PackedMessage:
    parts = tuple(PartInfo(f"part-{n}@ap.example") for n in range(len(contents)))
    return write_user_message(
        message or a_user_message(parts=parts),
        [io.BytesIO(content) for content in contents],
        work_directory=directory,
        signing_key=key("ap1"),
        signing_certificate=certificate("ap1"),
        encryption_certificate=certificate("ap2"),
    )


def wire(directory: Path, *contents: bytes) -> tuple[str, bytes]:
    """A packed message's Content-Type and body."""
    with packed(directory, *contents) as message:
        return message.content_type, b"".join(message.chunks())


def received(directory: Path, content_type: str, body: bytes, **options) -> ReceivedMessage:
    target = directory / str(uuid.uuid4())
    target.mkdir()
    return read_user_message(
        content_type,
        io.BytesIO(body),
        directory=target,
        decryption_keys=options.pop("keys", [DecryptionKey(key("ap2"), certificate("ap2"))]),
        check_signer=options.pop("check_signer", lambda *_: None),
        **options,
    )


def with_soap(content_type: str, body: bytes, change) -> bytes:
    """The body with its SOAP part changed: `change` gets and gives bytes."""
    start = body.index(b"<?xml")
    end = body.index(b"</env:Envelope>") + len(b"</env:Envelope>")
    return body[:start] + change(body[start:end]) + body[end:]


def named_by(reference: str) -> Callable[[bytes], bytes]:
    """A change of a SOAP part that names the signer otherwise: KeyInfo is no part of what is signed."""

    def change(soap: bytes) -> bytes:
        soap, count = re.subn(
            rb"<wsse:BinarySecurityToken [^>]*>[^<]*</wsse:BinarySecurityToken><ds:Signature ",
            b"<ds:Signature ",
            soap,
        )
        assert count == 1
        start = soap.index(b"<ds:KeyInfo>", soap.index(b"<ds:SignatureValue>")) + len(b"<ds:KeyInfo>")
        return soap[:start] + reference.encode() + soap[soap.index(b"</ds:KeyInfo>", start) :]

    return change


def token(content: str) -> str:
    return (
        f'<wsse:SecurityTokenReference xmlns:wsse="{names.NS_WSSE}">{content}</wsse:SecurityTokenReference>'
    )


def key_identifier(kind: str, value: bytes) -> str:
    text = base64.b64encode(value).decode()
    return token(f'<wsse:KeyIdentifier ValueType="{kind}">{text}</wsse:KeyIdentifier>')


@contextlib.contextmanager
def fresh(directory: Path):
    target = directory / str(uuid.uuid4())
    target.mkdir()
    yield target


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data)
