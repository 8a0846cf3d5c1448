"""Reading a user message: signature, signer, decryption, digests, decompression, in that order.

Nothing is decrypted before the header's signature holds and its signer has been judged; nothing is
handed on before every part's digest fits. All of it streams; files are in a directory of the caller's.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from isal import isal_zlib
from isal.igzip_lib import IsalError
from lxml import etree

from transport.protocol.xml.canonical import AlgorithmNotAllowed, remove_unread
from transport.protocol.xml.safe_xml import SMALL_DOCUMENT, XmlRefused, parse
from transport.protocol.xml.text import text_at

from ..identifiers import RSA_OAEP_MGF1P, SHA1, SHA256
from . import names, soap
from .content_ids import content_id_of
from .errors import (
    DECOMPRESSION_FAILURE,
    EXTERNAL_PAYLOAD,
    FAILED_AUTHENTICATION,
    FAILED_DECRYPTION,
    INVALID_HEADER,
    MIME_INCONSISTENCY,
    POLICY_NONCOMPLIANCE,
    As4Error,
)
from .messages import PartInfo, SignedReference, UserMessage
from .mime import MimeLimits, MimePart, boundary_of, read_parts
from .security import (
    PROFILE,
    PartDigest,
    Reference,
    SignatureAlgorithms,
    VerifiedSignature,
    certificate_of,
    elements_by_id,
    verify_elements,
    verify_signature,
)

_CHUNK: Final = 64 * 1024
_IV_BYTES: Final = 12
_TAG_BYTES: Final = 16
_KEY_BYTES: Final = 16
_GZIP_WINDOW: Final = 31


@dataclass(frozen=True, slots=True)
class As4Limits:
    """Bounds of a message. A part unpacks to at most `max_unpacked` bytes, and at most `max_ratio` times
    what it was, beyond a first megabyte."""

    mime: MimeLimits = field(default_factory=MimeLimits)
    max_unpacked: int = 160 * 1024 * 1024
    max_ratio: int = 50


@dataclass(frozen=True, slots=True)
class DecryptionKey:
    """A key of this access point and the certificate that peers encrypt to; None where only the key is
    known, which is then tried whatever a message names."""

    key: RSAPrivateKey
    certificate: x509.Certificate | None


@dataclass(frozen=True, slots=True)
class KeyTransport:
    """Which wrappings of the session key are opened."""

    allows_oaep_mgf1p: bool = False


@dataclass(frozen=True, slots=True)
class ReceivedPart:
    """A payload part, decrypted and unpacked; `size` in bytes."""

    info: PartInfo
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A user message that holds: what it says, who signed it, its parts, and what a receipt repeats."""

    user_message: UserMessage
    signing_certificate: x509.Certificate
    references: tuple[SignedReference, ...]
    parts: tuple[ReceivedPart, ...]
    signature: bytes


def read_user_message(
    content_type: str,
    body: BinaryIO,
    *,
    directory: Path,
    decryption_keys: Sequence[DecryptionKey],
    check_signer: Callable[[x509.Certificate, UserMessage], None],
    check_issuer: Callable[[x509.Certificate], None] | None = None,
    known_signers: Callable[[UserMessage], Iterable[x509.Certificate]] = lambda _: (),
    limits: As4Limits | None = None,
    algorithms_allowed: SignatureAlgorithms = PROFILE,
    key_transport: KeyTransport | None = None,
) -> ReceivedMessage:
    """Read a message; raises `As4Error`.

    `directory` is empty, the caller's, and removed by the caller. `check_issuer` judges the signer's
    certificate by itself, asking nobody, before anything is worked on; `check_signer` judges the signer and
    what the header says before anything is decrypted; what they raise goes through. `known_signers` gives
    the certificates that may have signed, asked only where a message names its signer's without including
    it; what it is told by the message is not verified yet, and what it raises goes through too.
    """
    bounds = limits or As4Limits()
    mime_parts = read_parts(body, boundary_of(content_type), directory, bounds.mime)
    try:
        first = next(mime_parts)
    except StopIteration:
        raise As4Error(MIME_INCONSISTENCY, "the message has no parts") from None
    root = soap_root(first)
    identity = soap.message_id_of(root)
    try:
        reader = _Reader(
            root,
            decryption_keys,
            algorithms_allowed,
            key_transport or KeyTransport(),
            known_signers,
            check_issuer,
        )
        check_signer(reader.signature.certificate, reader.message)
        return reader.take(list(mime_parts), directory, bounds)
    except As4Error as error:
        raise error.about(identity) if identity else error from None


class _Reader:
    """The header of a message: verified on construction; then its parts."""

    def __init__(
        self,
        root: etree._Element,
        keys: Sequence[DecryptionKey],
        allowed: SignatureAlgorithms,
        key_transport: KeyTransport,
        known_signers: Callable[[UserMessage], Iterable[x509.Certificate]],
        check_issuer: Callable[[x509.Certificate], None] | None,
    ) -> None:
        messaging, body, security = soap.header_of(root)
        if security is None:
            raise As4Error(POLICY_NONCOMPLIANCE, "the message is not signed")
        by_id = elements_by_id(root)
        known = _when_needed(lambda: known_signers(soap.read_user_message(messaging)))
        self.signature: VerifiedSignature = verify_signature(
            security, by_id, allowed, known, parts=soap.count_parts(messaging), check_issuer=check_issuer
        )
        self._attachments = verify_references(self.signature.references, by_id, messaging, body)
        self._opener = PartOpener(security, by_id, keys, key_transport)
        # A comment is not signed, and an instruction is nobody's value: values are read without them.
        remove_unread(root)
        self.message = soap.read_user_message(messaging)

    def take(self, mime_parts: list[MimePart], directory: Path, limits: As4Limits) -> ReceivedMessage:
        parts = self._opener.open(self.message.parts, self._attachments, mime_parts, directory, limits)
        references = tuple(reference.signed for reference in self.signature.references)
        return ReceivedMessage(
            self.message, self.signature.certificate, references, parts, self.signature.value
        )


def _when_needed(give: Callable[[], Iterable[x509.Certificate]]) -> Iterator[x509.Certificate]:
    yield from give()


def verify_references(
    references: Sequence[Reference],
    by_id: Mapping[str, etree._Element],
    messaging: etree._Element,
    body: etree._Element,
) -> dict[str, Reference]:
    """Compare the digests of header elements, Messaging and Body among them; the attachments' references."""
    covered, attachments = verify_elements(references, by_id)
    if messaging not in covered:
        raise As4Error(POLICY_NONCOMPLIANCE, "the signature does not cover Messaging")
    if body not in covered:
        raise As4Error(POLICY_NONCOMPLIANCE, "the signature does not cover the Body")
    return attachments


class PartOpener:
    """Finds the session keys of a Security header, and decrypts, compares and unpacks the parts."""

    def __init__(
        self,
        security: etree._Element,
        by_id: Mapping[str, etree._Element],
        keys: Sequence[DecryptionKey],
        key_transport: KeyTransport,
    ) -> None:
        self._security = security
        self._by_id = by_id
        self._keys = keys
        self._key_transport = key_transport

    def open(
        self,
        infos: Sequence[PartInfo],
        attachments: Mapping[str, Reference],
        mime_parts: Sequence[MimePart],
        directory: Path,
        limits: As4Limits,
    ) -> tuple[ReceivedPart, ...]:
        """The parts, in the order of `infos`; raises `As4Error`."""
        by_content_id = {part.content_id: part for part in mime_parts if part.content_id}
        announced = {part.content_id for part in infos}
        if len(by_content_id) != len(mime_parts) or set(by_content_id) - announced:
            raise As4Error(MIME_INCONSISTENCY, "a part that the header does not announce, or announced twice")
        if announced - set(by_content_id):
            raise As4Error(MIME_INCONSISTENCY, "a part that the header announces is missing")
        if set(attachments) != announced:
            raise As4Error(POLICY_NONCOMPLIANCE, "the signature does not cover exactly the announced parts")
        session_keys = self._session_keys(announced)
        parts = []
        for number, info in enumerate(infos):
            target = directory / f"payload-{number:03d}"
            part = by_content_id[info.content_id]
            key, reference = session_keys[info.content_id], attachments[info.content_id]
            size = _unpack(part, info, key, reference, target, limits)
            part.path.unlink()
            parts.append(ReceivedPart(info, target, size))
        return tuple(parts)

    def _session_keys(self, announced: set[str]) -> dict[str, bytes]:
        """The key for each attachment; every one has to be encrypted."""
        wrapped = {key.get("Id", ""): key for key in self._security.findall(names.XENC + "EncryptedKey")}
        encrypted = self._security.findall(names.XENC + "EncryptedData")
        if len(encrypted) > len(announced):
            raise As4Error(POLICY_NONCOMPLIANCE, "more is encrypted than the announced parts")
        listed = _keys_by_data(wrapped)
        opened: dict[str, bytes] = {}
        found: dict[str, bytes] = {}
        for data in encrypted:
            uri = data.find(f"{names.XENC}CipherData/{names.XENC}CipherReference")
            content_id = content_id_of(uri.get("URI") or "") if uri is not None else None
            method = data.find(names.XENC + "EncryptionMethod")
            algorithm = method.get("Algorithm", "") if method is not None else ""
            if algorithm != names.AES128_GCM:
                raise As4Error(POLICY_NONCOMPLIANCE, str(AlgorithmNotAllowed(algorithm)))
            key_id = _key_id(data, wrapped, listed)
            if key_id not in opened:
                opened[key_id] = self._unwrap(wrapped[key_id])
            found[content_id or ""] = opened[key_id]
        if announced - set(found):
            raise As4Error(POLICY_NONCOMPLIANCE, "a part is not encrypted")
        return found

    def _unwrap(self, key: etree._Element) -> bytes:
        oaep = self._oaep(key)
        value = text_at(key, f"{names.XENC}CipherData/{names.XENC}CipherValue") or ""
        info = key.find(names.DS + "KeyInfo")
        try:
            wrapped = base64.b64decode("".join(value.split()), validate=True)
        except (binascii.Error, ValueError):
            raise As4Error(FAILED_DECRYPTION, "a key is not base64") from None
        known = [candidate.certificate for candidate in self._keys if candidate.certificate is not None]
        wanted = certificate_of(info, self._by_id, known) if info is not None else None
        for candidate in self._keys:
            if None not in (wanted, candidate.certificate) and candidate.certificate != wanted:
                continue
            try:
                opened = candidate.key.decrypt(wrapped, oaep)
            except ValueError:
                continue
            if len(opened) == _KEY_BYTES:
                return opened
        raise As4Error(FAILED_DECRYPTION, "the message is not encrypted for this access point")

    def _oaep(self, key: etree._Element) -> padding.OAEP:
        method = key.find(names.XENC + "EncryptionMethod")
        algorithm = method.get("Algorithm", "") if method is not None else ""
        digest = method.find(names.DS + "DigestMethod") if method is not None else None
        digest_uri = digest.get("Algorithm", "") if digest is not None else SHA1
        if algorithm == RSA_OAEP_MGF1P and self._key_transport.allows_oaep_mgf1p:
            hash_algorithm = hashes.SHA256() if digest_uri == SHA256 else hashes.SHA1()  # noqa: S303
            return padding.OAEP(padding.MGF1(hashes.SHA1()), hash_algorithm, None)  # noqa: S303
        if algorithm != names.RSA_OAEP:
            raise As4Error(POLICY_NONCOMPLIANCE, str(AlgorithmNotAllowed(algorithm)))
        mask = method.find(names.XENC11 + "MGF") if method is not None else None
        mask_uri = mask.get("Algorithm", "") if mask is not None else ""
        for uri, expected in ((digest_uri, SHA256), (mask_uri, names.MGF1_SHA256)):
            if uri != expected:
                raise As4Error(POLICY_NONCOMPLIANCE, str(AlgorithmNotAllowed(uri)))
        return padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


def _keys_by_data(wrapped: Mapping[str, etree._Element]) -> dict[str, str]:
    """For each EncryptedData that a key's ReferenceList names, the first such key's id."""
    listed: dict[str, str] = {}
    for identity, key in wrapped.items():
        for item in key.findall(f"{names.XENC}ReferenceList/{names.XENC}DataReference"):
            listed.setdefault(item.get("URI", ""), identity)
    return listed


def _key_id(data: etree._Element, wrapped: Mapping[str, etree._Element], listed: Mapping[str, str]) -> str:
    """Named by the data's KeyInfo, or by a key's ReferenceList."""
    named = data.find(f"{names.DS}KeyInfo/{names.WSSE}SecurityTokenReference/{names.WSSE}Reference")
    if named is not None and (named.get("URI") or "").removeprefix("#") in wrapped:
        return (named.get("URI") or "").removeprefix("#")
    identity = listed.get("#" + data.get("Id", ""))
    if identity is None:
        raise As4Error(FAILED_DECRYPTION, "no key is given for a part")
    return identity


def soap_root(first: MimePart) -> etree._Element:
    """The SOAP envelope in the first part; raises `As4Error` EBMS:0009."""
    with first.path.open("rb") as source:
        try:
            root = parse(source, SMALL_DOCUMENT)
        except XmlRefused as refusal:
            raise As4Error(INVALID_HEADER, str(refusal)) from None
    first.path.unlink()
    return root


def _unpack(
    part: MimePart, info: PartInfo, key: bytes, reference: Reference, target: Path, limits: As4Limits
) -> int:
    """Decrypt, digest and decompress into `target`; the size. The tag and digest are known at the end,
    so the caller uses nothing before this returns."""
    if part.size < _IV_BYTES + _TAG_BYTES:
        raise As4Error(FAILED_DECRYPTION, "a part cannot be decrypted")
    digest = PartDigest(info, reference.hash)
    with part.path.open("rb") as source, target.open("xb") as out:
        unpacker = _Unpacker(out, info, part.size, limits)
        source.seek(part.size - _TAG_BYTES)
        tag = source.read(_TAG_BYTES)
        source.seek(0)
        decryptor = Cipher(algorithms.AES(key), modes.GCM(source.read(_IV_BYTES), tag)).decryptor()
        buffer = bytearray(_CHUNK + _TAG_BYTES)
        remaining = part.size - _IV_BYTES - _TAG_BYTES
        problem: As4Error | None = None
        while remaining:
            chunk = source.read(min(_CHUNK, remaining))
            remaining -= len(chunk)
            plain = bytes(memoryview(buffer)[: decryptor.update_into(chunk, buffer)])
            digest.update(plain)
            if problem is None:
                try:
                    unpacker.take(plain)
                except As4Error as error:
                    # What does not unpack may be what was tampered with: the tag is asked first.
                    problem = error
        try:
            decryptor.finalize()
        except InvalidTag:
            raise As4Error(FAILED_DECRYPTION, "a part cannot be decrypted") from None
        if reference.signed.digest not in digest.finalize():
            raise As4Error(FAILED_AUTHENTICATION, "the digest of a part does not fit")
        if problem is not None:
            raise problem
        return unpacker.finish()


class _Unpacker:
    def __init__(self, out: BinaryIO, info: PartInfo, packed_size: int, limits: As4Limits) -> None:
        self._out = out
        self._inflate = isal_zlib.decompressobj(wbits=_GZIP_WINDOW) if info.is_compressed else None
        self._most = min(limits.max_unpacked, packed_size * limits.max_ratio + 1024 * 1024)
        self._size = 0

    def take(self, data: bytes) -> None:
        if self._inflate is None:
            self._write(data)
            return
        try:
            while data:
                self._write(self._inflate.decompress(data, max_length=_CHUNK))
                data = self._inflate.unconsumed_tail
                if self._inflate.eof:
                    break
        except IsalError:  # type: ignore[misc]
            raise As4Error(DECOMPRESSION_FAILURE, "a part is not gzip") from None
        if self._inflate.unused_data:
            raise As4Error(DECOMPRESSION_FAILURE, "a part goes on after its gzip ends")

    def finish(self) -> int:
        if self._inflate is not None and not self._inflate.eof:
            raise As4Error(DECOMPRESSION_FAILURE, "a part's gzip is not complete")
        return self._size

    def _write(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._most:
            kind = DECOMPRESSION_FAILURE if self._inflate is not None else EXTERNAL_PAYLOAD
            raise As4Error(kind, "a part unpacks to more than is taken")
        self._out.write(data)
