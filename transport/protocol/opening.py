"""Opening: the signature first, then the payload (C3.2.2 section 3.2).

A sealed envelope is a small document around one large text. The text is found by its byte offsets
and left in the file; the document around it is parsed, judged and canonicalised with a token in the
text's place. What was hashed is what is decrypted, and what was canonicalised is what is read.

A document of another shape (another encoding, a large payload in the clear) is read whole.
"""

import io
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from lxml import etree

from .canonical import canonical_document, canonical_element
from .encryption import EncryptedKey, EncryptionMalformed, NotDecryptable, decrypt_base64, read_encrypted_key
from .envelope import Envelope, EnvelopeMalformed, read_envelope
from .envelope_rules import check_envelope
from .findings import Finding
from .identifiers import C14N_10, NS_XENC, NS_XHA, NS_XHE
from .safe_xml import ENVELOPE_DOCUMENT, SMALL_DOCUMENT, BoundedReader, Limits, parse
from .signature import EnvelopedSignature, take_signature

_CHUNK: Final = 64 * 1024
_WHITESPACE: Final = b" \t\r\n"
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/= \t\r\n]")
_CIPHER_PATH: Final = (
    (NS_XHE, "XHE"),
    (NS_XHA, "Payloads"),
    (NS_XHA, "Payload"),
    (NS_XHA, "PayloadContent"),
    (NS_XENC, "EncryptedData"),
    (NS_XENC, "CipherData"),
    (NS_XENC, "CipherValue"),
)
_CONTENT: Final = f"{{{NS_XHA}}}Payloads/{{{NS_XHA}}}Payload/{{{NS_XHA}}}PayloadContent"
_ENCRYPTED_DATA: Final = f"{_CONTENT}/{{{NS_XENC}}}EncryptedData"
_CIPHER_VALUE: Final = f"{{{NS_XENC}}}CipherData/{{{NS_XENC}}}CipherValue"


@dataclass(frozen=True, slots=True)
class VerifiedEnvelope:
    """An envelope whose signature holds; whether its signer is trusted is for the caller to judge.

    `findings` are the envelope rules that it breaks. `encrypted_for` is the certificate that the
    session key was wrapped for, where the sender included it.
    """

    envelope: Envelope
    findings: tuple[Finding, ...]
    signing_certificate: x509.Certificate
    encrypted_for: x509.Certificate | None
    _payload: "_Payload"

    @property
    def is_encrypted(self) -> bool:
        """Whether the payload is encrypted in fact, whatever the indicator says."""
        return self._payload.key is not None

    def write_payload(self, out: BinaryIO, keys: Sequence[RSAPrivateKey] = ()) -> None:
        """Write the payload element's bytes; raises `NotDecryptable`.

        A payload in the clear is written canonically, so that it stands alone.
        """
        self._payload.write(out, keys)


def verify_envelope(source: BinaryIO) -> VerifiedEnvelope:
    """Verify an envelope in a seekable stream that does not change until its payload has been written.

    Raises `XmlRefused`, `EnvelopeMalformed`, `SignatureMissing`, `SignatureInvalid`, `AlgorithmNotAllowed`.
    """
    span = _find_cipher_text(source)
    surroundings = _Surroundings(source, span)
    root = surroundings.parse()
    if root.tag != f"{{{NS_XHE}}}XHE":
        raise EnvelopeMalformed("root element XHE")
    # The rules are judged on what the sender wrote, signature included; values only on what is signed.
    findings = tuple(check_envelope(root))
    signature = take_signature(root)
    certificate = signature.verify(surroundings.digest(root, signature))
    return VerifiedEnvelope(
        read_envelope(root),
        findings,
        certificate,
        *_payload_of(root, surroundings),
    )


@dataclass(frozen=True, slots=True)
class _Span:
    """Byte offsets of the ciphertext's text."""

    start: int
    end: int


class _Surroundings:
    """The document around the ciphertext, which a token stands for."""

    def __init__(self, source: BinaryIO, span: _Span | None) -> None:
        self._source = source
        self.span = span
        self._token = secrets.token_hex(32)

    def parse(self) -> etree._Element:
        if self.span is None:
            self._source.seek(0)
            return parse(self._source, ENVELOPE_DOCUMENT)
        self._source.seek(0)
        head = self._source.read(self.span.start)
        self._source.seek(self.span.end)
        root = parse(
            head + self._token.encode() + self._source.read(SMALL_DOCUMENT.max_bytes), SMALL_DOCUMENT
        )
        found = root.findall(f"{_ENCRYPTED_DATA}/{_CIPHER_VALUE}")
        if len(found) != 1 or found[0].text != self._token:
            raise EnvelopeMalformed("CipherValue")
        return root

    def digest(self, root: etree._Element, signature: EnvelopedSignature) -> bytes:
        """SHA-256 over the canonical document, the ciphertext in its place."""
        used = signature.canonicalisation
        canonical = canonical_document(root, used.method, used.prefixes)
        digest = hashes.Hash(hashes.SHA256())
        if self.span is None:
            digest.update(canonical)
            return digest.finalize()
        pieces = canonical.split(self._token.encode())
        if len(pieces) != 2:
            raise EnvelopeMalformed("CipherValue")
        digest.update(pieces[0])
        for chunk in _line_ends_as_parsed(self.text()):
            digest.update(chunk)
        digest.update(pieces[1])
        return digest.finalize()

    def text(self) -> Iterator[bytes]:
        """The ciphertext's bytes as they stand in the source."""
        if self.span is None:
            return
        self._source.seek(self.span.start)
        left = self.span.end - self.span.start
        while left:
            chunk = self._source.read(min(_CHUNK, left))
            if not chunk:
                raise EnvelopeMalformed("CipherValue")
            left -= len(chunk)
            yield chunk


@dataclass(frozen=True, slots=True)
class _Payload:
    """What write_payload works on: ciphertext and wrapped key, or the clear bytes."""

    key: EncryptedKey | None
    text: Callable[[], Iterator[bytes]]

    def write(self, out: BinaryIO, keys: Sequence[RSAPrivateKey]) -> None:
        if self.key is None:
            for chunk in self.text():
                out.write(chunk)
            return
        if not keys:
            raise NotDecryptable("payload not decryptable")
        pieces = (chunk.translate(None, _WHITESPACE) for chunk in self.text())
        decrypt_base64(self.key.unwrap(keys), lambda: next((piece for piece in pieces if piece), b""), out)


def _payload_of(
    root: etree._Element, surroundings: _Surroundings
) -> tuple[x509.Certificate | None, _Payload]:
    contents = root.findall(_CONTENT)
    if len(contents) != 1:
        raise EnvelopeMalformed("PayloadContent")
    children = [child for child in contents[0] if isinstance(child.tag, str)]
    if len(children) != 1:
        raise EnvelopeMalformed("PayloadContent")
    (payload,) = children
    if payload.tag != f"{{{NS_XENC}}}EncryptedData":
        clear = canonical_element(payload, C14N_10)
        return None, _Payload(None, lambda: iter((clear,)))
    try:
        key = read_encrypted_key(payload)
    except EncryptionMalformed as error:
        raise EnvelopeMalformed(error.element) from None
    if surroundings.span is not None:
        return key.certificate, _Payload(key, surroundings.text)
    values = payload.findall(_CIPHER_VALUE)
    if len(values) != 1:
        raise EnvelopeMalformed("CipherValue")
    text = (values[0].text or "").encode()
    return key.certificate, _Payload(key, lambda: iter((text,)))


def _line_ends_as_parsed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """CR LF and CR as LF, as every XML parser has them."""
    after_cr = False
    for chunk in chunks:
        if after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        after_cr = chunk.endswith(b"\r")
        yield chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in chunk else chunk


def _find_cipher_text(source: BinaryIO) -> _Span | None:
    """Where the ciphertext stands, if it is plain base64 in a UTF-8 document and can stay there.

    The whole document passes the bounded reader; raises `XmlRefused`.
    """
    source.seek(0)
    finder = _CipherFinder(ENVELOPE_DOCUMENT)
    finder.read(source)
    if finder.start is None or finder.end is None or not finder.is_utf8:
        return None
    source.seek(finder.start)
    opening = source.read(min(_CHUNK, finder.end - finder.start))
    begin = _end_of_tag(opening)
    if begin is None or finder.start + begin > finder.end:
        return None
    span = _Span(finder.start + begin, finder.end)
    surrounding = finder.size - (span.end - span.start)
    if surrounding > SMALL_DOCUMENT.max_bytes - 64:
        return None
    source.seek(span.start)
    left = span.end - span.start
    while left:
        chunk = source.read(min(_CHUNK, left))
        left -= len(chunk)
        if not chunk or _NOT_BASE64.search(chunk):
            return None
    return span


class _CipherFinder:
    """Notes the offsets of the payload's CipherValue while the bounded reader goes over the document."""

    def __init__(self, limits: Limits) -> None:
        self.start: int | None = None
        self.end: int | None = None
        self.size = 0
        self.is_utf8 = True
        self._path: list[tuple[str, ...]] = []
        self._reader = BoundedReader(limits)
        self._reader.on_start = self._begin
        self._reader.on_end = self._finish
        self._reader.parser.XmlDeclHandler = self._declaration

    def read(self, source: BinaryIO) -> None:
        first = True
        while chunk := source.read(_CHUNK):
            if first and (chunk.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in chunk[:4]):
                self.is_utf8 = False
            first = False
            self.size += len(chunk)
            self._reader.feed(chunk)
        self._reader.feed(b"", last=True)

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.upper() not in {"UTF-8", "UTF8", "US-ASCII"}:
            self.is_utf8 = False

    def _begin(self, name: str, _: dict[str, str]) -> None:
        self._path.append(tuple(name.split(BoundedReader.SEPARATOR)[:2]))
        if tuple(self._path) == _CIPHER_PATH:
            if self.start is not None:
                raise EnvelopeMalformed("CipherValue")
            self.start = self._reader.parser.CurrentByteIndex

    def _finish(self, _: str) -> None:
        if tuple(self._path) == _CIPHER_PATH:
            self.end = self._reader.parser.CurrentByteIndex
        self._path.pop()


def _end_of_tag(data: bytes) -> int | None:
    """The offset after the `>` that ends the tag which `data` begins with."""
    quote = 0
    for index, byte in enumerate(data):
        if quote:
            quote = 0 if byte == quote else quote
        elif byte in b"\"'":
            quote = byte
        elif byte == 0x3E:
            return index + 1
    return None


def verified_bytes(data: bytes) -> VerifiedEnvelope:
    """`verify_envelope` for what is in memory."""
    return verify_envelope(io.BytesIO(data))
