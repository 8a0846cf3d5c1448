"""Receipt and error signals (ebMS 3.0 5.2.3, 6; AS4 1.0 5.1.8; ebbp-signals)."""

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from lxml import etree

from transport.protocol.xml.canonical import remove_unread
from transport.protocol.xml.safe_xml import SMALL_DOCUMENT, XmlRefused, parse
from transport.protocol.xml.text import text_at

from ..identifiers import C14N_EXCLUSIVE, NS_DS
from . import names, soap
from .content_ids import content_id_of
from .errors import INVALID_HEADER, INVALID_RECEIPT, As4Error
from .messages import ErrorSignal, Receipt, ReportedError, SignedReference
from .mime import MULTIPART, content_type_of, only_part
from .security import (
    PROFILE,
    SignatureAlgorithms,
    VerifiedSignature,
    binary_token,
    elements_by_id,
    reference_to,
    sha256,
    signature,
    verify_elements,
    verify_signature,
)

CONTENT_TYPE: Final = f"{names.SOAP}; charset=UTF-8"
_SOAP_TYPES: Final = frozenset({names.SOAP, "text/xml", "application/xml"})
# The media types of a response that may be a signal.
MEDIA_TYPES: Final = _SOAP_TYPES | {MULTIPART}
_MAX_TEXT: Final = 500
_MAX_ERRORS: Final = 20


def write_receipt(
    ref_to_message_id: str,
    references: Sequence[SignedReference],
    *,
    message_id: str,
    timestamp: datetime,
    signing_key: RSAPrivateKey,
    signing_certificate: x509.Certificate,
) -> bytes:
    """A signed receipt with NonRepudiationInformation: every reference of the message, as it was."""
    information = "".join(
        f"<ebbp:MessagePartNRInformation>{reference.xml.decode()}</ebbp:MessagePartNRInformation>"
        for reference in references
    )
    content = (
        f"<eb:SignalMessage>{soap.signal_info(message_id, timestamp, ref_to_message_id)}<eb:Receipt>"
        f'<ebbp:NonRepudiationInformation xmlns:ebbp="{names.NS_EBBP}" xmlns:ds="{NS_DS}">'
        f"{information}</ebbp:NonRepudiationInformation></eb:Receipt></eb:SignalMessage>"
    )
    return _signed(content, signing_key, signing_certificate)


def write_error(
    error: As4Error,
    *,
    message_id: str,
    timestamp: datetime,
    signing_key: RSAPrivateKey,
    signing_certificate: x509.Certificate,
) -> bytes:
    """A signed error signal with one eb:Error of severity failure."""
    ref = error.ref_to_message_id
    about = f" refToMessageInError={quoteattr(ref)}" if ref else ""
    content = (
        f"<eb:SignalMessage>{soap.signal_info(message_id, timestamp, ref)}"
        f'<eb:Error errorCode="{error.kind.code}" severity="failure" origin="ebMS" '
        f'shortDescription="{error.kind.short_description}" category="{error.kind.category}"{about}>'
        f'<eb:Description xml:lang="en">{escape(error.kind.short_description)}</eb:Description>'
        f"<eb:ErrorDetail>{escape(error.detail)}</eb:ErrorDetail></eb:Error></eb:SignalMessage>"
    )
    return _signed(content, signing_key, signing_certificate)


def read_signal(
    content_type: str,
    body: bytes,
    *,
    sent_references: Sequence[SignedReference],
    sent_message_id: str,
    check_signer: Callable[[x509.Certificate], None],
    known_signers: Iterable[x509.Certificate] = (),
) -> Receipt | ErrorSignal:
    """Read the response of another access point.

    A receipt is returned only when its signature holds, its signer passes `check_signer` and it covers
    everything that was sent. Raises `As4Error` EBMS:0302 for one that does not, EBMS:0009 for what is no
    signal; what `check_signer` raises goes through. `known_signers` are certificates that a signal may
    name without including them.

    An error signal is returned whether it is signed or not (as4-wire-notes: many are not). Its `signer` is
    the one whose signature holds, and has not been checked.
    """
    root = _signal_root(content_type, body)
    messaging, _, _ = soap.header_of(root)
    signal = messaging.find(names.EB + "SignalMessage")
    if signal is None:
        raise As4Error(INVALID_HEADER, "the answer is no signal message")
    if signal.find(names.EB + "Error") is not None:
        return _read_error(root, signal, known_signers)
    receipt = signal.find(names.EB + "Receipt")
    if receipt is None:
        raise As4Error(INVALID_HEADER, "the answer is neither a receipt nor an error")
    try:
        verified = verify_signal(root, PROFILE, known_signers)
    except As4Error as error:
        raise As4Error(INVALID_RECEIPT, error.detail, sent_message_id) from None
    remove_unread(root)
    check_signer(verified.certificate)
    ref = (text_at(signal, f"{names.EB}MessageInfo/{names.EB}RefToMessageId") or "").strip()
    if ref != sent_message_id:
        raise As4Error(INVALID_RECEIPT, "the receipt is for another message", sent_message_id)
    _check_coverage(receipt, sent_references, sent_message_id)
    identity = (text_at(signal, f"{names.EB}MessageInfo/{names.EB}MessageId") or "").strip()
    return Receipt(identity, ref, soap.moment_of(signal), verified.certificate, verified.value)


def _read_error(
    root: etree._Element, signal: etree._Element, known_signers: Iterable[x509.Certificate]
) -> ErrorSignal:
    try:
        verified = verify_signal(root, PROFILE, known_signers)
    except As4Error:
        return error_signal(signal)
    remove_unread(root)
    return replace(error_signal(signal), signer=verified.certificate, signature=verified.value)


def verify_signal(
    root: etree._Element, algorithms: SignatureAlgorithms, known: Iterable[x509.Certificate] = ()
) -> VerifiedSignature:
    """Verify that a signal's signature holds and covers Messaging; raises `As4Error`."""
    messaging, _, security = soap.header_of(root)
    if security is None:
        raise As4Error(INVALID_RECEIPT, "the signal is not signed")
    by_id = elements_by_id(root)
    verified = verify_signature(security, by_id, algorithms, known)
    covered, attachments = verify_elements(verified.references, by_id)
    if attachments:
        raise As4Error(INVALID_RECEIPT, "the signature refers to something that is not here")
    if messaging not in covered:
        raise As4Error(INVALID_RECEIPT, "the signature does not cover Messaging")
    return verified


def error_signal(signal: etree._Element) -> ErrorSignal:
    """The values of an error signal."""
    info = signal.find(names.EB + "MessageInfo")
    identity = text_at(info, names.EB + "MessageId") if info is not None else None
    ref = text_at(info, names.EB + "RefToMessageId") if info is not None else None
    reported = signal.findall(names.EB + "Error")[:_MAX_ERRORS]
    if not ref and reported:
        ref = reported[0].get("refToMessageInError")
    errors = [
        ReportedError(
            _short(error.get("errorCode")),
            _short(error.get("shortDescription")),
            _short(error.get("severity")),
            # An element in the schema of ebMS 3.0; C3.2.1 2.5 c speaks of an attribute, and some write one.
            _short(text_at(error, names.EB + "ErrorDetail") or error.get("errorDetail")),
        )
        for error in reported
    ]
    return ErrorSignal(_short(identity) or None, _short(ref) or None, tuple(errors))


def _signal_root(content_type: str, body: bytes) -> etree._Element:
    media_type, _ = content_type_of(content_type)
    if media_type == MULTIPART:
        # The one part of a MIME message is as good as the body itself (eDelivery AS4 1.15 1.4.2.3).
        try:
            content_type, body = only_part(content_type, body)
        except As4Error as error:
            raise As4Error(INVALID_HEADER, error.detail) from None
        media_type, _ = content_type_of(content_type)
    if media_type not in _SOAP_TYPES:
        raise As4Error(INVALID_HEADER, "the answer is not a SOAP message")
    try:
        return parse(body, SMALL_DOCUMENT)
    except XmlRefused as refusal:
        raise As4Error(INVALID_HEADER, str(refusal)) from None


def _check_coverage(receipt: etree._Element, sent: Sequence[SignedReference], message_id: str) -> None:
    """Every reference that was sent stands in the receipt with its digest, and nothing else does."""
    path = f"{names.EBBP}NonRepudiationInformation/{names.EBBP}MessagePartNRInformation/{names.DS}Reference"
    digests: dict[str, str] = {}
    for element in receipt.findall(path):
        target = _target(element.get("URI", ""))
        if target in digests:
            raise As4Error(INVALID_RECEIPT, "the receipt names something twice", message_id)
        digests[target] = "".join((text_at(element, names.DS + "DigestValue") or "").split())
    expected = {_target(reference.uri): reference for reference in sent}
    if set(digests) != set(expected):
        raise As4Error(INVALID_RECEIPT, "the receipt does not cover exactly what was sent", message_id)
    for target, reference in expected.items():
        if digests[target] != base64.b64encode(reference.digest).decode():
            raise As4Error(INVALID_RECEIPT, "a digest in the receipt does not fit", message_id)


def _target(uri: str) -> str:
    """What a reference is to, in one spelling."""
    content_id = content_id_of(uri)
    return uri if content_id is None else f"cid:{content_id}"


def _signed(content: str, key: RSAPrivateKey, certificate: x509.Certificate) -> bytes:
    # Ids are unique within the document, which is all that they have to be.
    messaging = soap.write_messaging(content, "_messaging")
    body = soap.body("_body")
    references = (
        reference_to("#_body", sha256(body), C14N_EXCLUSIVE),
        reference_to("#_messaging", sha256(messaging), C14N_EXCLUSIVE),
    )
    security = (
        f'<wsse:Security xmlns:wsse="{names.NS_WSSE}" xmlns:wsu="{names.NS_WSU}" '
        f'xmlns:env="{names.NS_ENV}" env:mustUnderstand="true">{binary_token(certificate, "_token")}'
        f"{signature(references, key, '_token')}</wsse:Security>"
    )
    return soap.envelope(messaging, security, body)


def _short(text: str | None) -> str:
    """A stranger's text for a log: one line, bounded."""
    return " ".join((text or "").split())[:_MAX_TEXT]
