"""What a file is, and everything that is wrong with it: SDK message, XHE, message receipt, AS4 message.

Integrity is always checked; trust only where CAs are handed in. For tools: nothing is delivered.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from lxml import etree

from transport.protocol.sdk_message.rules import check_message
from transport.protocol.xhe.encryption import NotDecryptable
from transport.protocol.xhe.opening import verify_envelope
from transport.protocol.xhe.rules import check_envelope
from transport.protocol.xml.safe_xml import (
    ENVELOPE_DOCUMENT,
    MESSAGE_DOCUMENT,
    BoundedReader,
    Limits,
    XmlRefused,
    parse,
)

from .as4 import inspection as as4
from .as4.errors import As4Error
from .as4.names import ENV
from .as4.unpacking import DecryptionKey
from .certificates import CertificateChecker, CertificateUntrusted, Purpose, RevocationUnknown
from .errors import ProtocolError
from .findings import Finding
from .identifiers import NS_DS, NS_RECEIPT, NS_SDK_MESSAGE, NS_XHE
from .message_receipt_rules import check_receipt

_HEAD: Final = 64 * 1024
_SIGNATURE_PLACE: Final = "/x:XHE/ds:Signature"


class Kind(StrEnum):
    """What a file is."""

    MESSAGE = "SDK message"
    ENVELOPE = "XHE"
    RECEIPT = "message receipt"
    AS4_USER_MESSAGE = as4.Kind.USER_MESSAGE.value
    AS4_RECEIPT = as4.Kind.RECEIPT.value
    AS4_ERROR = as4.Kind.ERROR.value


class NotOurs(ProtocolError):
    """A file that is none of the kinds, or cannot be read at all; the text says why."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a check may use.

    Without `trust` it is not judged who signed. `at` judges certificates as of then. `keys` open
    encrypted content, which is then checked too.
    """

    trust: CertificateChecker | None = None
    at: datetime | None = None
    keys: Sequence[RSAPrivateKey] = ()


@dataclass(slots=True)
class Check:
    """The kind of a file, and its findings in the order in which they were made."""

    kind: Kind
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_valid(self) -> bool:
        return all(finding.is_note for finding in self.findings)


def check_file(source: BinaryIO, directory: Path, means: Means) -> Check:
    """Check a seekable stream; `directory` is empty and the caller's. Raises `NotOurs`."""
    source.seek(0)
    framing = as4.framing_of(source.read(_HEAD))
    if framing is not None:
        start, content_type = framing
        source.seek(start)
        if not content_type.lower().startswith("multipart/"):
            return _check_soap(_parsed(source.read()), means)
        return _check_mime(content_type, source, directory, means)
    source.seek(0)
    root_name = _root_name(source)
    source.seek(0)
    if root_name == (NS_SDK_MESSAGE, "messagePayload"):
        return Check(Kind.MESSAGE, check_message(source))
    if root_name == (NS_RECEIPT, "ApplicationResponse"):
        return Check(Kind.RECEIPT, check_receipt(_parsed(source.read())))
    if root_name == (NS_XHE, "XHE"):
        return _check_envelope(source, means)
    if root_name == (ENV.strip("{}"), "Envelope"):
        return _check_soap(_parsed(source.read()), means)
    raise NotOurs("neither SDK message, XHE, message receipt nor AS4 message")


def _check_envelope(source: BinaryIO, means: Means) -> Check:
    root = _parsed_stream(source)
    check = Check(Kind.ENVELOPE, check_envelope(root))
    if root.find(f"{{{NS_DS}}}Signature") is None:
        text = "the envelope is not signed: allowed in the basic transport model only"
        check.findings.append(Finding("signature", "/x:XHE", text, is_note=True))
        return check
    try:
        verified = verify_envelope(source)
    except ProtocolError as error:
        check.findings.append(Finding("signature", _SIGNATURE_PLACE, str(error)))
        return check
    _check_trust(check, verified.signing_certificate, _SIGNATURE_PLACE, means)
    if verified.is_encrypted and not means.keys:
        text = "the payload is encrypted and was not looked into: no key"
        check.findings.append(Finding("payload", "/x:XHE/xha:Payloads/xha:Payload", text, is_note=True))
        return check
    payload = io.BytesIO()
    try:
        verified.write_payload(payload, means.keys)
    except NotDecryptable as error:
        check.findings.append(Finding("payload", "/x:XHE/xha:Payloads/xha:Payload", str(error)))
        return check
    _check_payload(check, payload)
    return check


def _check_payload(check: Check, payload: BinaryIO) -> None:
    """What the envelope holds, by its own rules; a payload of another kind is not ours to judge."""
    payload.seek(0)
    try:
        root_name = _root_name(payload)
    except NotOurs as error:
        check.findings.append(Finding("payload", "/", str(error)))
        return
    payload.seek(0)
    if root_name == (NS_SDK_MESSAGE, "messagePayload"):
        check.findings += check_message(payload)
    elif root_name == (NS_RECEIPT, "ApplicationResponse"):
        check.findings += check_receipt(_parsed(payload.read()))
    else:
        text = "the payload is of a kind that is not checked"
        check.findings.append(Finding("payload", "/", text, is_note=True))


def _check_mime(content_type: str, source: BinaryIO, directory: Path, means: Means) -> Check:
    # Which certificate a peer encrypted to is not known from a key alone: every key is tried.
    keys = [DecryptionKey(key, None) for key in means.keys]
    try:
        inspected = as4.inspect_mime(content_type, source, directory, keys)
    except As4Error as error:
        raise NotOurs(str(error)) from None
    return _as4_check(inspected, means)


def _check_soap(root: etree._Element, means: Means) -> Check:
    try:
        return _as4_check(as4.inspect_soap(root), means)
    except As4Error as error:
        raise NotOurs(str(error)) from None


def _as4_check(inspected: as4.Inspection, means: Means) -> Check:
    check = Check(Kind(inspected.kind.value), inspected.findings)
    if inspected.signing_certificate is not None:
        xpath = "/env:Envelope/env:Header/wsse:Security/ds:Signature"
        _check_trust(check, inspected.signing_certificate, xpath, means)
    return check


def _check_trust(check: Check, certificate: x509.Certificate, xpath: str, means: Means) -> None:
    if means.trust is None:
        text = "the signature holds; trust in its signer was not judged"
        check.findings.append(Finding("trust", xpath, text, is_note=True))
        return
    try:
        means.trust.check(certificate, Purpose.SIGNING, at=means.at)
    except (CertificateUntrusted, RevocationUnknown) as error:
        check.findings.append(Finding("trust", xpath, str(error)))


class _Root(Exception):
    def __init__(self, name: tuple[str, str]) -> None:
        self.name = name


def _root_name(source: BinaryIO) -> tuple[str, str]:
    """Namespace and local name of the root element; raises `NotOurs`."""
    reader = BoundedReader(Limits(max_bytes=MESSAGE_DOCUMENT.max_bytes))

    def stop(name: str, _: dict[str, str]) -> None:
        parts = name.split(BoundedReader.SEPARATOR)
        raise _Root((parts[0], parts[1]) if len(parts) > 1 else ("", parts[0]))

    reader.on_start = stop
    try:
        reader.read(source)
    except _Root as found:
        return found.name
    except XmlRefused as refusal:
        raise NotOurs(str(refusal)) from None
    raise NotOurs("no XML")


def _parsed(data: bytes) -> etree._Element:
    return _parsed_stream(io.BytesIO(data))


def _parsed_stream(source: BinaryIO) -> etree._Element:
    source.seek(0)
    try:
        return parse(source, ENVELOPE_DOCUMENT)
    except XmlRefused as refusal:
        raise NotOurs(str(refusal)) from None
