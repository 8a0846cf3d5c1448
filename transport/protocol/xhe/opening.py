"""Opening: the signature first, then the payload (C3.2.2 section 3.2).

A sealed envelope is a small document around one large text. Where that text is plain base64 it stays
in the file: the document around it is parsed and canonicalised with a token in its place, and the
text is hashed, and later decrypted, as a stream. What was hashed is what is decrypted, and what was
canonicalised is what is read. A document of another shape is read whole, to the same result.
"""

import hashlib
import io
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO, Final, Protocol

import pybase64
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from lxml import etree

from transport.protocol.findings import Finding
from transport.protocol.identifiers import C14N_10, NS_XENC, NS_XHA, NS_XHE
from transport.protocol.xml.canonical import CanonicalisationFailed, canonical_element, remove_unread
from transport.protocol.xml.safe_xml import (
    ENVELOPE_DOCUMENT,
    SMALL_DOCUMENT,
    WHOLE_ENVELOPE,
    XmlProblem,
    XmlRefused,
    parse,
)

from .encryption import EncryptedKey, EncryptionMalformed, NotDecryptable, decrypt_base64, read_encrypted_key
from .envelope import Envelope, EnvelopeMalformed, read_envelope
from .plaintext import PlainElement
from .rules import check_envelope
from .signature import Canonicalisation, detach_signature, signed_bytes

_CHUNK: Final = 64 * 1024
# How much of a document's beginning and end is looked at for what stands around the ciphertext.
_EDGE: Final = 64 * 1024
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_PLAIN: Final = _BASE64 + b" \t\r\n"
# What Java and .NET make of the CR LF that they wrap base64 with, and its canonical form.
_CARRIAGE_RETURNS: Final = (b"&#13;", b"&#xD;", b"&#xd;")
_CANONICAL_CR: Final = b"&#xD;"
_LONGEST_REFERENCE: Final = 5
# Encodings in which every byte of base64 stands for itself, whatever went before.
_ENCODINGS: Final = frozenset({"UTF-8", "UTF8", "US-ASCII", "ASCII", "ISO-8859-1"})
_XHE: Final = f"{{{NS_XHE}}}XHE"
_CONTENT: Final = f"{{{NS_XHA}}}Payloads/{{{NS_XHA}}}Payload/{{{NS_XHA}}}PayloadContent"
_ENCRYPTED_DATA: Final = f"{{{NS_XENC}}}EncryptedData"
_CIPHER_VALUE: Final = f"{{{NS_XENC}}}CipherData/{{{NS_XENC}}}CipherValue"


@dataclass(frozen=True)
class VerifiedEnvelope:
    """An envelope whose signature holds; whether its signer is trusted is for the caller to judge.

    `encrypted_for` is the certificate that the session key was wrapped for, where the sender included
    it.
    """

    envelope: Envelope
    signing_certificate: x509.Certificate
    encrypted_for: x509.Certificate | None
    _root: etree._Element = field(repr=False)
    _payload: "_Clear | _Encrypted" = field(repr=False)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """The envelope rules that it breaks (C3.2.2 section 2)."""
        return tuple(check_envelope(self._root))

    @property
    def is_encrypted(self) -> bool:
        """Whether the payload is encrypted in fact, whatever the indicator says."""
        return isinstance(self._payload, _Encrypted)

    @property
    def wrapped_key_digest(self) -> str:
        """SHA-256 of the session key as it was wrapped, in hexadecimal; empty where nothing is encrypted.

        Every message has a session key of its own: the same one under another's signature was captured.
        """
        if not isinstance(self._payload, _Encrypted):
            return ""
        return hashlib.sha256(self._payload.key.wrapped).hexdigest()

    def write_payload(self, out: BinaryIO, keys: Sequence[RSAPrivateKey] = ()) -> None:
        """Write the payload element, so that it stands alone; raises `NotDecryptable`.

        What was written before `NotDecryptable` is to be thrown away. A payload in the clear is written
        canonically and needs no keys.
        """
        self._payload.write(out, keys)


def verify_envelope(source: BinaryIO) -> VerifiedEnvelope:
    """Verify an envelope in a seekable stream that does not change until its payload has been written.

    Raises `XmlRefused`, `EnvelopeMalformed`, `SignatureMissing`, `SignatureInvalid`, `AlgorithmNotAllowed`.
    """
    document = _Around.of(source)
    if document is not None:
        try:
            return _verified(document)
        except _NotPlain:
            pass
    return _verified(_Whole(source))


class _Document(Protocol):
    """A document and the ciphertext in it."""

    @property
    def root(self) -> etree._Element: ...

    def digest(self, used: Canonicalisation) -> bytes:
        """SHA-256 of the canonical form of what is in the tree now, the ciphertext in its place."""

    def ciphertext(self, encrypted_data: etree._Element) -> "_Ciphertext":
        """The text of its CipherValue, as often as it is asked for."""


class _Ciphertext(Protocol):
    def __iter__(self) -> Iterator[bytes]: ...


def _verified(document: _Document) -> VerifiedEnvelope:
    root = document.root
    if root.tag != _XHE:
        raise EnvelopeMalformed("root element XHE")
    signature, detached = detach_signature(root)
    certificate = signature.verify(document.digest(signature.canonicalisation))
    remove_unread(root)
    envelope = read_envelope(root)
    encrypted_for, payload = _payload_of(document)
    # The rules are about the whole of what the sender wrote, so it is made whole again for them.
    detached.reattach()
    return VerifiedEnvelope(envelope, certificate, encrypted_for, root, payload)


class _NotPlain(Exception):
    """The ciphertext holds something that has to be parsed to be understood."""


class _Around:
    """A document whose ciphertext stays in the file; a token stands for it in the tree."""

    def __init__(self, root: etree._Element, token: str, text: "_TextInFile") -> None:
        self.root = root
        self._token = token
        self._text = text

    @classmethod
    def of(cls, source: BinaryIO) -> "_Around | None":
        """None for a document that is small or of another shape. Raises `XmlRefused` if it is too large.

        Whatever is left out here is an element's text, however the bytes around it were found: the
        parser found the token to be all of the CipherValue's text, base64 in its place changes nothing
        for a parser, and that it is base64 is seen when it is hashed.
        """
        size = source.seek(0, io.SEEK_END)
        if size > ENVELOPE_DOCUMENT.max_bytes:
            raise XmlRefused(XmlProblem.TOO_LARGE)
        if size <= _EDGE:
            return None
        source.seek(0)
        head = source.read(_EDGE)
        begin = head.rfind(b">") + 1
        source.seek(max(begin, size - _EDGE))
        tail = source.read(_EDGE)
        after = tail.find(b"<")
        if not begin or after < 0 or b"<" in head[begin:]:
            return None
        token = secrets.token_hex(32)
        try:
            root = parse(head[:begin] + token.encode() + tail[after:], SMALL_DOCUMENT)
        except XmlRefused:
            return None
        values = root.findall(f"{_CONTENT}/{_ENCRYPTED_DATA}/{_CIPHER_VALUE}")
        is_found = len(values) == 1 and values[0].text == token and not len(values[0])
        if not is_found or (root.getroottree().docinfo.encoding or "UTF-8").upper() not in _ENCODINGS:
            return None
        return cls(root, token, _TextInFile(source, begin, size - len(tail) + after))

    def digest(self, used: Canonicalisation) -> bytes:
        canonical = signed_bytes(self.root, used)
        before, _, after = canonical.partition(self._token.encode())
        if self._token.encode() in after:
            raise EnvelopeMalformed("CipherValue")
        digest = hashes.Hash(hashes.SHA256())
        digest.update(before)
        for piece in self._text.canonical():
            digest.update(piece)
        digest.update(after)
        return digest.finalize()

    def ciphertext(self, encrypted_data: etree._Element) -> _Ciphertext:
        return self._text


class _TextInFile:
    """An element's text, from byte to byte, that is base64 however it is wrapped."""

    def __init__(self, source: BinaryIO, begin: int, end: int) -> None:
        self._source = source
        self._begin = begin
        self._end = end

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces():
            yield _replace_references(piece, b"")

    def canonical(self) -> Iterator[bytes]:
        """The text as canonicalisation gives it; raises `_NotPlain` where it is not base64."""
        after_cr = False
        for piece in self._pieces():
            if _is_base64(piece):
                after_cr = False
                yield piece
                continue
            if not _is_wrapped_base64(piece):
                raise _NotPlain
            # CR LF and CR are LF to every XML parser; written as references they stay.
            if after_cr and piece.startswith(b"\n"):
                piece = piece[1:]
            after_cr = piece.endswith(b"\r")
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            yield _replace_references(piece, _CANONICAL_CR)

    def _pieces(self) -> Iterator[bytes]:
        """The bytes as they stand, with no reference cut in two."""
        self._source.seek(self._begin)
        remaining = self._end - self._begin
        carry = b""
        while remaining > 0:
            chunk = self._source.read(min(_CHUNK, remaining))
            if not chunk:
                raise EnvelopeMalformed("CipherValue")
            remaining -= len(chunk)
            piece = carry + chunk
            begun = piece.rfind(b"&", -_LONGEST_REFERENCE + 1)
            carry = piece[begun:] if begun >= 0 and b";" not in piece[begun:] else b""
            if len(piece) > len(carry):
                yield piece[: len(piece) - len(carry)]
        if carry:
            yield carry


def _is_base64(piece: bytes) -> bool:
    """Whether the piece is whole groups of base64 and nothing else."""
    try:
        pybase64.b64decode(piece, validate=True)
    except ValueError:
        return False
    return True


def _is_wrapped_base64(piece: bytes) -> bool:
    text = _replace_references(piece, b"").replace(b"\n", b"")
    cut = len(text) & ~3
    return (_is_base64(text[:cut]) and not text[cut:].strip(_PLAIN)) or not text.translate(None, _PLAIN)


def _replace_references(piece: bytes, by: bytes) -> bytes:
    if b"&" in piece:
        for reference in _CARRIAGE_RETURNS:
            piece = piece.replace(reference, by)
    return piece


class _Whole:
    """A document that is read whole into memory: a smaller one, therefore."""

    def __init__(self, source: BinaryIO) -> None:
        source.seek(0)
        self.root = parse(source, WHOLE_ENVELOPE)

    def digest(self, used: Canonicalisation) -> bytes:
        digest = hashes.Hash(hashes.SHA256())
        digest.update(signed_bytes(self.root, used))
        return digest.finalize()

    def ciphertext(self, encrypted_data: etree._Element) -> _Ciphertext:
        values = encrypted_data.findall(_CIPHER_VALUE)
        if len(values) != 1 or len(values[0]):
            raise EnvelopeMalformed("CipherValue")
        return ((values[0].text or "").encode(),)


@dataclass(frozen=True, slots=True)
class _Clear:
    """A payload that is not encrypted, as canonical bytes."""

    element: bytes

    def write(self, out: BinaryIO, _: Sequence[RSAPrivateKey]) -> None:
        out.write(self.element)


@dataclass(frozen=True, slots=True)
class _Encrypted:
    """A payload, its wrapped key, and the namespaces in scope where it stands."""

    key: EncryptedKey
    text: _Ciphertext
    scope: dict[str | None, str]

    def write(self, out: BinaryIO, keys: Sequence[RSAPrivateKey]) -> None:
        if not keys:
            raise NotDecryptable
        element = PlainElement(out.write, self.scope)
        decrypt_base64(self.key.unwrap(keys), self.text, element.write)
        element.finish()


def _payload_of(document: _Document) -> tuple[x509.Certificate | None, _Clear | _Encrypted]:
    contents = document.root.findall(_CONTENT)
    if len(contents) != 1 or len(contents[0]) != 1:
        raise EnvelopeMalformed("PayloadContent")
    payload = contents[0][0]
    if payload.tag != _ENCRYPTED_DATA:
        try:
            return None, _Clear(canonical_element(payload, C14N_10))
        except CanonicalisationFailed:
            raise EnvelopeMalformed("PayloadContent") from None
    try:
        key = read_encrypted_key(payload)
    except EncryptionMalformed as error:
        raise EnvelopeMalformed(error.element) from None
    return key.certificate, _Encrypted(key, document.ciphertext(payload), dict(contents[0].nsmap))
