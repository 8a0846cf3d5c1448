"""Packing a user message: compress, sign, encrypt, in one pass over each part (1.15 sections 3.2.6, 3.3.1).

The parts go to one file while they are digested and encrypted; the header, which holds their digests,
is written afterwards and sent first.
"""

import base64
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self
from xml.sax.saxutils import quoteattr

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from isal import isal_zlib

from ..errors import ProtocolError
from ..identifiers import C14N_EXCLUSIVE, NS_DS, NS_XENC, SHA256
from . import names, soap
from .content_ids import cid_url
from .messages import PartInfo, SignedReference, UserMessage
from .security import PartDigest, binary_token, reference_to, sha256, signature, token_reference

_CHUNK: Final = 64 * 1024
_IV_BYTES: Final = 12
_KEY_BYTES: Final = 16
_GZIP_WINDOW: Final = 31


class RecipientKeyUnusable(ProtocolError):
    """The recipient's certificate has no RSA key to encrypt to."""


@dataclass(slots=True)
class PackedMessage:
    """A message ready to be sent, as often as needed. Close it: its file goes with it."""

    content_type: str
    content_length: int
    references: tuple[SignedReference, ...]
    _pieces: list["bytes | tuple[int, int]"]
    _file: BinaryIO
    _path: Path

    def chunks(self) -> Iterator[bytes]:
        """The HTTP body, in pieces of at most 64 KB."""
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
                continue
            offset, length = piece
            self._file.seek(offset)
            while length:
                chunk = self._file.read(min(_CHUNK, length))
                length -= len(chunk)
                yield chunk

    def close(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_user_message(
    message: UserMessage,
    sources: Sequence[BinaryIO],
    *,
    work_directory: Path,
    signing_key: RSAPrivateKey,
    signing_certificate: x509.Certificate,
    encryption_certificate: x509.Certificate,
) -> PackedMessage:
    """Pack the message; `sources` give the parts' octets, in the order of `message.parts`.

    `signing_certificate` is the sending access point's, `encryption_certificate` the receiving one's.
    Raises `RecipientKeyUnusable`.
    """
    recipient_key = encryption_certificate.public_key()
    if not isinstance(recipient_key, RSAPublicKey):
        raise RecipientKeyUnusable("no RSA key in the recipient's certificate")
    session_key = os.urandom(_KEY_BYTES)
    path = work_directory / f"packing-{uuid.uuid4()}"
    file = path.open("x+b")
    try:
        packed = [
            _pack(part, source, file, session_key)
            for part, source in zip(message.parts, sources, strict=True)
        ]
        header = _Header(message, packed, session_key, recipient_key, encryption_certificate)
        soap_part = header.write(signing_key, signing_certificate)
        return _assembled(message, packed, soap_part, header.references, file, path)
    except BaseException:
        file.close()
        path.unlink(missing_ok=True)
        raise


@dataclass(frozen=True, slots=True)
class _PackedPart:
    info: PartInfo
    offset: int
    length: int
    digest: bytes


def _pack(part: PartInfo, source: BinaryIO, out: BinaryIO, session_key: bytes) -> _PackedPart:
    offset = out.tell()
    digest = PartDigest(part, hashes.SHA256())
    initial = os.urandom(_IV_BYTES)
    encryptor = Cipher(algorithms.AES(session_key), modes.GCM(initial)).encryptor()
    buffer = bytearray(4 * _CHUNK)
    out.write(initial)

    def take(data: bytes) -> None:
        nonlocal buffer
        digest.update(data)
        if len(data) > len(buffer) - 16:
            buffer = bytearray(len(data) + 16)
        count = encryptor.update_into(data, buffer)
        out.write(memoryview(buffer)[:count])

    if part.is_compressed:
        compressor = isal_zlib.compressobj(level=1, wbits=_GZIP_WINDOW)
        while chunk := source.read(_CHUNK):
            take(compressor.compress(chunk))
        take(compressor.flush())
    else:
        while chunk := source.read(_CHUNK):
            take(chunk)
    out.write(encryptor.finalize() + encryptor.tag)
    return _PackedPart(part, offset, out.tell() - offset, digest.finalize()[0])


@dataclass(slots=True)
class _Header:
    """The SOAP part: Messaging, Security with everything that the parts need, and the empty Body."""

    message: UserMessage
    parts: list[_PackedPart]
    session_key: bytes
    recipient_key: RSAPublicKey
    recipient: x509.Certificate
    references: tuple[SignedReference, ...] = ()
    _key_id: str = field(default_factory=lambda: f"EK-{uuid.uuid4()}")

    def write(self, signing_key: RSAPrivateKey, signing_certificate: x509.Certificate) -> bytes:
        messaging_id, body_id = f"_{uuid.uuid4()}", f"_{uuid.uuid4()}"
        messaging = soap.write_messaging(soap.write_user_message(self.message), messaging_id)
        body = soap.body(body_id)
        self.references = (
            reference_to(f"#{body_id}", sha256(body), C14N_EXCLUSIVE),
            reference_to(f"#{messaging_id}", sha256(messaging), C14N_EXCLUSIVE),
            *(
                reference_to(cid_url(part.info.content_id), part.digest, names.ATTACHMENT_SIGNATURE)
                for part in self.parts
            ),
        )
        recipient_token, sender_token = f"X509-{uuid.uuid4()}", f"X509-{uuid.uuid4()}"
        data_ids = [f"ED-{uuid.uuid4()}" for _ in self.parts]
        security = (
            f'<wsse:Security xmlns:wsse="{names.NS_WSSE}" xmlns:wsu="{names.NS_WSU}" '
            f'xmlns:env="{names.NS_ENV}" env:mustUnderstand="true">'
            f"{binary_token(self.recipient, recipient_token)}"
            f"{self._encrypted_key(recipient_token, data_ids)}"
            f"{''.join(map(self._encrypted_data, self.parts, data_ids))}"
            f"{binary_token(signing_certificate, sender_token)}"
            f"{signature(self.references, signing_key, sender_token)}"
            f"</wsse:Security>"
        )
        return soap.envelope(messaging, security, body)

    def _encrypted_key(self, token_id: str, data_ids: list[str]) -> str:
        oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
        wrapped = base64.b64encode(self.recipient_key.encrypt(self.session_key, oaep)).decode()
        references = "".join(f'<xenc:DataReference URI="#{identity}"/>' for identity in data_ids)
        return (
            f'<xenc:EncryptedKey xmlns:xenc="{NS_XENC}" Id="{self._key_id}">'
            f'<xenc:EncryptionMethod Algorithm="{names.RSA_OAEP}">'
            f'<ds:DigestMethod xmlns:ds="{NS_DS}" Algorithm="{SHA256}"/>'
            f'<xenc11:MGF xmlns:xenc11="{names.NS_XENC11}" Algorithm="{names.MGF1_SHA256}"/>'
            f'</xenc:EncryptionMethod><ds:KeyInfo xmlns:ds="{NS_DS}">{token_reference(token_id)}</ds:KeyInfo>'
            f"<xenc:CipherData><xenc:CipherValue>{wrapped}</xenc:CipherValue></xenc:CipherData>"
            f"<xenc:ReferenceList>{references}</xenc:ReferenceList></xenc:EncryptedKey>"
        )

    def _encrypted_data(self, part: _PackedPart, identity: str) -> str:
        return (
            f'<xenc:EncryptedData xmlns:xenc="{NS_XENC}" Id="{identity}" '
            f'MimeType="{part.info.transferred_type}" Type="{names.ATTACHMENT_CONTENT_ONLY}">'
            f'<xenc:EncryptionMethod Algorithm="{names.AES128_GCM}"/><ds:KeyInfo xmlns:ds="{NS_DS}">'
            f'<wsse:SecurityTokenReference xmlns:wsse11="{names.NS_WSSE11}" '
            f'wsse11:TokenType="{names.ENCRYPTED_KEY_TOKEN}">'
            f'<wsse:Reference URI="#{self._key_id}"/></wsse:SecurityTokenReference></ds:KeyInfo>'
            f"<xenc:CipherData><xenc:CipherReference URI={quoteattr(cid_url(part.info.content_id))}>"
            f"<xenc:Transforms>"
            f'<ds:Transform xmlns:ds="{NS_DS}" Algorithm="{names.ATTACHMENT_CIPHERTEXT}"/>'
            f"</xenc:Transforms></xenc:CipherReference></xenc:CipherData></xenc:EncryptedData>"
        )


def _assembled(
    message: UserMessage,
    parts: list[_PackedPart],
    soap_part: bytes,
    references: tuple[SignedReference, ...],
    file: BinaryIO,
    path: Path,
) -> PackedMessage:
    boundary = f"----=_{uuid.uuid4()}"
    root_id = f"{uuid.uuid4()}@sdkportal"
    pieces: list[bytes | tuple[int, int]] = [
        _part_header(boundary, f"{names.SOAP}; charset=UTF-8", root_id, is_first=True) + soap_part
    ]
    for part in parts:
        pieces.append(_part_header(boundary, names.OCTETS, part.info.content_id))
        pieces.append((part.offset, part.length))
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    length = sum(len(piece) if isinstance(piece, bytes) else piece[1] for piece in pieces)
    content_type = (
        f'multipart/related; type="{names.SOAP}"; boundary="{boundary}"; '
        f'start="<{root_id}>"; start-info="{names.SOAP}"'
    )
    return PackedMessage(content_type, length, references, pieces, file, path)


def _part_header(boundary: str, content_type: str, content_id: str, *, is_first: bool = False) -> bytes:
    line_end = "" if is_first else "\r\n"
    return (
        f"{line_end}--{boundary}\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: binary\r\n"
        f"Content-ID: <{content_id}>\r\n\r\n"
    ).encode()
