"""XML encryption of a payload: AES-256-CBC under RSA-OAEP-MGF1P, as streams (C3.2.2 section 3.4).

CBC has no integrity of its own. It is safe here because the envelope's signature is verified first,
and because every failure to decrypt looks and takes the same.
"""

import base64
import binascii
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

import pybase64
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from lxml import etree

from transport.protocol.errors import ProtocolError
from transport.protocol.identifiers import (
    AES256_CBC,
    NS_DS,
    NS_XENC,
    RSA_OAEP_MGF1P,
    SHA1,
    XENC_CONTENT,
    XENC_ELEMENT,
)
from transport.protocol.xml.canonical import AlgorithmNotAllowed
from transport.protocol.xml.text import text_of

from .signature import SignatureInvalid, certificate_text, read_certificate

_BLOCK: Final = 16
_KEY_BYTES: Final = 32
# A multiple of three and of the block: base64 of one chunk joins that of the next.
_CHUNK: Final = 48 * 1024
_WHITESPACE: Final = b" \t\r\n"
_DS: Final = f"{{{NS_DS}}}"
_XENC: Final = f"{{{NS_XENC}}}"
# Named by the standard (xmlenc-core 5.4.2); OAEP does not rest on SHA-1 being free of collisions.
_OAEP: Final = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)  # noqa: S303


class NotDecryptable(ProtocolError):
    """The payload could not be decrypted. One error for every cause; never tell a sender more."""

    def __init__(self) -> None:
        super().__init__("the payload could not be decrypted")


class EncryptionMalformed(ProtocolError):
    """EncryptedData does not have the profile's structure; `element` names the place."""

    def __init__(self, element: str) -> None:
        self.element = element
        super().__init__(f"EncryptedData has no valid {element}")


def write_encrypted_data(session_key: bytes, certificate: x509.Certificate, cipher_value: str) -> bytes:
    """Canonical `xenc:EncryptedData` for the holder of the certificate; raises `EncryptionMalformed`
    for a certificate without an RSA key."""
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise EncryptionMalformed("RSA key in the recipient's certificate")
    wrapped = base64.b64encode(key.encrypt(session_key, _OAEP)).decode()
    return (
        f'<xenc:EncryptedData xmlns:xenc="{NS_XENC}" Type="{XENC_ELEMENT}">'
        f'<xenc:EncryptionMethod Algorithm="{AES256_CBC}"></xenc:EncryptionMethod>'
        f'<ds:KeyInfo xmlns:ds="{NS_DS}"><xenc:EncryptedKey>'
        f'<xenc:EncryptionMethod Algorithm="{RSA_OAEP_MGF1P}">'
        f'<ds:DigestMethod Algorithm="{SHA1}"></ds:DigestMethod></xenc:EncryptionMethod>'
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate_text(certificate)}"
        f"</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        f"<xenc:CipherData><xenc:CipherValue>{wrapped}</xenc:CipherValue></xenc:CipherData>"
        f"</xenc:EncryptedKey></ds:KeyInfo>"
        f"<xenc:CipherData><xenc:CipherValue>{cipher_value}</xenc:CipherValue></xenc:CipherData>"
        f"</xenc:EncryptedData>"
    ).encode()


def encrypt_base64(session_key: bytes, source: BinaryIO, write: Callable[[bytes], object]) -> None:
    """Encrypt the stream and hand its base64 to `write`, piece by piece: IV, blocks, padding."""
    initial = os.urandom(_BLOCK)
    encryptor = Cipher(algorithms.AES(session_key), modes.CBC(initial)).encryptor()
    buffer = memoryview(bytearray(_CHUNK + _BLOCK))
    # Bytes that do not fill a group of base64. The first read leaves room for the IV; from then on every
    # piece is whole groups and `pending` is empty, unless the source gives less than it was asked for.
    pending = initial
    size = 0
    while chunk := source.read(_CHUNK - len(pending)):
        size += len(chunk)
        count = encryptor.update_into(chunk, buffer)
        if pending or count % 3:
            joined = pending + buffer[:count]
            cut = len(joined) - len(joined) % 3
            write(pybase64.b64encode(joined[:cut]))
            pending = joined[cut:]
        else:
            write(pybase64.b64encode(buffer[:count]))
    missing = _BLOCK - size % _BLOCK
    last = encryptor.update(os.urandom(missing - 1) + bytes([missing])) + encryptor.finalize()
    write(pybase64.b64encode(pending + last))


@dataclass(frozen=True, slots=True)
class EncryptedKey:
    """A session key as wrapped, and for whom, where the sender says so."""

    wrapped: bytes
    certificate: x509.Certificate | None

    def unwrap(self, keys: Sequence[RSAPrivateKey]) -> bytes:
        """The session key, or a random one where none of the keys opens it."""
        session_key = os.urandom(_KEY_BYTES)
        for key in self._candidates(keys):
            try:
                opened = key.decrypt(self.wrapped, _OAEP)
            except ValueError:
                continue
            if len(opened) == _KEY_BYTES:
                session_key = opened
        return session_key

    def _candidates(self, keys: Sequence[RSAPrivateKey]) -> Sequence[RSAPrivateKey]:
        """Only the certificate's own key where we hold it, else all of them."""
        if self.certificate is None:
            return keys
        public = self.certificate.public_key()
        return [key for key in keys if key.public_key() == public] or keys


def read_encrypted_key(encrypted_data: etree._Element) -> EncryptedKey:
    """Check EncryptedData's structure and algorithms; raises `EncryptionMalformed`, `AlgorithmNotAllowed`."""
    kind = encrypted_data.get("Type", XENC_ELEMENT)
    if kind not in (XENC_ELEMENT, XENC_CONTENT):
        raise AlgorithmNotAllowed(kind)
    _require(encrypted_data, AES256_CBC)
    key = _only(encrypted_data, f"{_DS}KeyInfo/{_XENC}EncryptedKey", "EncryptedKey")
    method = _require(key, RSA_OAEP_MGF1P)
    digest = method.find(_DS + "DigestMethod")
    if digest is not None and digest.get("Algorithm") != SHA1:
        raise AlgorithmNotAllowed(digest.get("Algorithm", ""))
    value = _only(key, f"{_XENC}CipherData/{_XENC}CipherValue", "CipherValue of the key")
    try:
        wrapped = base64.b64decode("".join(text_of(value).split()), validate=True)
    except (binascii.Error, ValueError):
        raise EncryptionMalformed("CipherValue of the key") from None
    included = key.find(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate")
    try:
        certificate = read_certificate(text_of(included)) if included is not None else None
    except SignatureInvalid:
        raise EncryptionMalformed("X509Certificate") from None
    return EncryptedKey(wrapped, certificate)


def decrypt_base64(
    session_key: bytes, text: Iterable[bytes], write: Callable[[bytes | memoryview], object]
) -> None:
    """Decrypt base64, whitespace within it allowed, and hand the plaintext to `write` piece by piece.

    A piece is there until `write` returns. The caller has verified a signature over exactly this text.
    Raises `NotDecryptable`, at the end: what has been written by then is of no worth.
    """
    decryptor = None
    buffer = memoryview(b"")
    # The last block has the padding, so that many bytes wait until it is known that more follow.
    pending = b""
    for piece in _decoded(text):
        if len(piece) < _BLOCK or decryptor is None:
            pending, piece = b"", pending + piece
        if decryptor is None and len(piece) >= _BLOCK:
            decryptor = Cipher(algorithms.AES(session_key), modes.CBC(piece[:_BLOCK])).decryptor()
            piece = piece[_BLOCK:]
        if decryptor is None or len(piece) < _BLOCK:
            pending = piece
            continue
        if len(buffer) < len(piece) + 2 * _BLOCK:
            buffer = memoryview(bytearray(len(piece) + 2 * _BLOCK))
        count = decryptor.update_into(pending, buffer)
        count += decryptor.update_into(memoryview(piece)[:-_BLOCK], buffer[count:])
        pending = piece[-_BLOCK:]
        write(buffer[:count])
    if decryptor is None:
        raise NotDecryptable
    try:
        last = decryptor.update(pending) + decryptor.finalize()
    except ValueError:
        raise NotDecryptable from None
    if len(last) != _BLOCK or not 1 <= last[-1] <= _BLOCK:
        raise NotDecryptable
    write(last[: _BLOCK - last[-1]])


def _decoded(text: Iterable[bytes]) -> Iterator[bytes]:
    carry = b""
    has_ended = False
    for piece in text:
        data = carry + piece
        cut = len(data) & ~3
        try:
            decoded = pybase64.b64decode(data[:cut], validate=True)
        except ValueError:
            data = data.replace(b"\n", b"").translate(None, _WHITESPACE)
            cut = len(data) & ~3
            try:
                decoded = pybase64.b64decode(data[:cut], validate=True)
            except ValueError:
                raise NotDecryptable from None
        carry = data[cut:]
        if decoded and has_ended:
            raise NotDecryptable
        has_ended = has_ended or data[:cut].endswith(b"=")
        yield decoded
    if carry.translate(None, _WHITESPACE):
        raise NotDecryptable


def _require(parent: etree._Element, algorithm: str) -> etree._Element:
    method = _only(parent, _XENC + "EncryptionMethod", "EncryptionMethod")
    if method.get("Algorithm") != algorithm:
        raise AlgorithmNotAllowed(method.get("Algorithm", ""))
    return method


def _only(parent: etree._Element, path: str, name: str) -> etree._Element:
    found = parent.findall(path)
    if len(found) != 1:
        raise EncryptionMalformed(name)
    return found[0]
