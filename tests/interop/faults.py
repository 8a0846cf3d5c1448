"""Messages of ours that are made wrong on their way out: one fault each, for the peer to find."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.transport.protocol.as4.build import with_soap
from transport.access_point import http_client, outbound
from transport.protocol.as4 import packing
from transport.protocol.as4.mime import boundary_of
from transport.protocol.as4.packing import PackedMessage

_KEY = bytes(range(16))
_IV_BYTES = 12


@dataclass(frozen=True)
class Wire:
    """A message as it goes over the line."""

    content_type: str
    body: bytes

    @property
    def content_length(self) -> int:
        return len(self.body)

    def chunks(self) -> Iterator[bytes]:
        yield self.body


Spoiler = Callable[[str, bytes], bytes]


def spoil(monkeypatch: Any, change: Spoiler) -> None:
    """Change what our access point sends: `change` is given Content-Type and body, and gives a body."""

    def post(packed: PackedMessage, url: str) -> http_client.Answer:
        body = change(packed.content_type, b"".join(packed.chunks()))
        return http_client.post(Wire(packed.content_type, body), url)  # type: ignore[arg-type]

    monkeypatch.setattr(outbound, "post", post)


def another_recipient(content_type: str, body: bytes) -> bytes:
    """The header that was signed says something else now."""
    return re.sub(rb">0203:[a-z]", lambda found: found[0][:-1] + b"x", body)


def cut_in_half(content_type: str, body: bytes) -> bytes:
    return body[: len(body) // 2]


def without_its_part(content_type: str, body: bytes) -> bytes:
    boundary = b"--" + boundary_of(content_type).encode()
    pieces = body.split(boundary)
    return boundary.join([*pieces[:2], *pieces[3:]])


def unsigned(content_type: str, body: bytes) -> bytes:
    return with_soap(content_type, body, lambda soap: re.sub(rb"<ds:Signature .*?</ds:Signature>", b"", soap))


def in_the_clear(content_type: str, body: bytes) -> bytes:
    """Signed, compressed, not encrypted. Packed by `known_session_key`."""

    def without_keys(soap: bytes) -> bytes:
        soap = re.sub(rb"<xenc:EncryptedData .*?</xenc:EncryptedData>", b"", soap, flags=re.DOTALL)
        return re.sub(rb"<xenc:EncryptedKey .*?</xenc:EncryptedKey>", b"", soap, flags=re.DOTALL)

    start = body.rindex(b"\r\n\r\n") + 4
    end = body.rindex(b"\r\n--")
    part = body[start:end]
    clear = AESGCM(_KEY).decrypt(part[:_IV_BYTES], part[_IV_BYTES:], None)
    return with_soap(content_type, body[:start] + clear + body[end:], without_keys)


def known_session_key(monkeypatch: Any) -> None:
    monkeypatch.setattr(packing, "os", SimpleNamespace(urandom=lambda size: _KEY[:size]))


def sign_another_digest(monkeypatch: Any) -> None:
    monkeypatch.setattr(packing.PartDigest, "finalize", lambda _: (bytes(32),))


def compress_nothing(monkeypatch: Any) -> None:
    """A part that says it is gzip and is not."""

    class Identity:
        def compress(self, data: bytes) -> bytes:
            return data

        def flush(self) -> bytes:
            return b""

    monkeypatch.setattr(packing.isal_zlib, "compressobj", lambda **_: Identity())


def encrypt_for(monkeypatch: Any, certificate: Any) -> None:
    write = packing.write_user_message

    def for_another(*arguments: Any, **options: Any) -> PackedMessage:
        return write(*arguments, **{**options, "encryption_certificate": certificate})

    monkeypatch.setattr(outbound, "write_user_message", for_another)
