"""Inspecting an AS4 message without receiving it: what it is, and everything that is wrong with it.

For tools. Algorithms and parameters of other profiles are reported as notes; a broken signature, a digest
that does not fit or a part that does not open is a finding. Nothing that is read here is ever delivered.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

from cryptography import x509
from lxml import etree

from ..findings import Finding
from ..identifiers import PROCESS_ID, PROCESS_SCHEME, RSA_SHA256
from . import names, soap
from .errors import POLICY_NONCOMPLIANCE, As4Error
from .mime import boundary_of, read_parts
from .security import (
    ANY_SHA2,
    Reference,
    VerifiedSignature,
    elements_by_id,
    read_references,
    verify_signature,
)
from .signals import error_signal, verify_signal
from .unpacking import (
    As4Limits,
    DecryptionKey,
    KeyTransport,
    PartOpener,
    ReceivedPart,
    soap_root,
    verify_references,
)

_HEADER_BLOCK: Final = re.compile(rb"\A(?:[A-Za-z0-9/][^\r\n]*\r?\n)+\r?\n")
_FIRST_BOUNDARY: Final = re.compile(rb"\A\s*--([^\r\n]{1,70})\r?\n")
_RELAXED: Final = KeyTransport(allows_oaep_mgf1p=True)
_SECURITY: Final = "/env:Envelope/env:Header/wsse:Security"
_MESSAGING: Final = "/env:Envelope/env:Header/eb:Messaging"


class Kind(StrEnum):
    """What an AS4 message is."""

    USER_MESSAGE = "AS4 user message"
    RECEIPT = "AS4 receipt"
    ERROR = "AS4 error"


@dataclass(slots=True)
class Inspection:
    """What was seen. `parts` are there when a key opened them."""

    kind: Kind
    findings: list[Finding] = field(default_factory=list)
    signing_certificate: x509.Certificate | None = None
    parts: tuple[ReceivedPart, ...] = ()

    def found(self, rule: str, xpath: str, text: str, *, is_note: bool = False) -> None:
        self.findings.append(Finding(rule, xpath, text, is_note=is_note))


def framing_of(head: bytes) -> tuple[int, str] | None:
    """Where a MIME message begins in a file, after HTTP headers if there are any, and its Content-Type.

    None for a file that begins as no MIME message does.
    """
    block = _HEADER_BLOCK.match(head)
    if block is not None:
        unfolded = re.sub(rb"\r?\n[ \t]+", b" ", block[0])
        found = re.search(rb"^content-type:\s*([^\r\n]+)", unfolded, re.IGNORECASE | re.MULTILINE)
        if found is not None:
            return block.end(), found[1].decode("latin-1").strip()
    boundary = _FIRST_BOUNDARY.match(head)
    if boundary is not None:
        return 0, f'multipart/related; boundary="{boundary[1].decode("latin-1").strip()}"'
    return None


def inspect_mime(
    content_type: str, body: BinaryIO, directory: Path, keys: Sequence[DecryptionKey] = ()
) -> Inspection:
    """Look at a MIME message; raises `As4Error` where it cannot be read at all."""
    parts = list(read_parts(body, boundary_of(content_type), directory, As4Limits().mime))
    root = soap_root(parts[0])
    inspection = inspect_soap(root)
    if inspection.kind is not Kind.USER_MESSAGE or any(not item.is_note for item in inspection.findings):
        return inspection
    messaging, body_element, security = soap.header_of(root)
    if security is None:
        return inspection
    message = messaging.find(names.EB + "UserMessage")
    if not keys or message is None:
        inspection.found("encryption", _SECURITY, "the parts were not opened: no key", is_note=True)
        return inspection
    try:
        by_id = elements_by_id(root)
        references = _references(security, soap.count_parts(messaging))
        attachments = verify_references(references, by_id, messaging, body_element)
        opener = PartOpener(security, by_id, keys, _RELAXED)
        inspection.parts = opener.open(soap.parts_of(message), attachments, parts[1:], directory, As4Limits())
    except As4Error as error:
        inspection.found(error.kind.code, _SECURITY, error.detail)
    return inspection


def inspect_soap(root: etree._Element) -> Inspection:
    """Look at a SOAP envelope; raises `As4Error` where it holds no message of ours."""
    messaging, body, security = soap.header_of(root)
    signal = messaging.find(names.EB + "SignalMessage")
    if signal is not None:
        return _inspect_signal(root, signal, security)
    inspection = Inspection(Kind.USER_MESSAGE)
    try:
        message = soap.read_user_message(messaging)
        if (message.service, (message.service_type or "").lower()) != (PROCESS_ID, PROCESS_SCHEME):
            xpath = f"{_MESSAGING}/eb:UserMessage/eb:CollaborationInfo/eb:Service"
            inspection.found("profile", xpath, "Service is not the federation's process", is_note=True)
    except As4Error as error:
        inspection.found(error.kind.code, f"{_MESSAGING}/eb:UserMessage", error.detail, is_note=True)
    if security is None:
        inspection.found(POLICY_NONCOMPLIANCE.code, _SECURITY, "the message is not signed")
        return inspection

    def verify() -> VerifiedSignature:
        by_id = elements_by_id(root)
        verified = verify_signature(security, by_id, ANY_SHA2, parts=soap.count_parts(messaging))
        verify_references(verified.references, by_id, messaging, body)
        return verified

    _list_algorithms(security, inspection)
    _check_signature(verify, inspection)
    return inspection


def _inspect_signal(
    root: etree._Element, signal: etree._Element, security: etree._Element | None
) -> Inspection:
    is_error = signal.find(names.EB + "Error") is not None
    inspection = Inspection(Kind.ERROR if is_error else Kind.RECEIPT)
    if is_error:
        for error in error_signal(signal).errors:
            xpath = f"{_MESSAGING}/eb:SignalMessage/eb:Error"
            inspection.found("error", xpath, f"the signal tells {error.code[:20]}", is_note=True)
        if security is None:
            inspection.found("signature", _SECURITY, "the error is not signed", is_note=True)
            return inspection
    information = f"{names.EBBP}NonRepudiationInformation/{names.EBBP}MessagePartNRInformation"
    if not is_error and signal.find(f"{names.EB}Receipt/{information}/{names.DS}Reference") is None:
        xpath = f"{_MESSAGING}/eb:SignalMessage/eb:Receipt"
        inspection.found("receipt", xpath, "the receipt does not repeat what was signed")
    if security is not None:
        _list_algorithms(security, inspection)
    _check_signature(lambda: verify_signal(root, ANY_SHA2), inspection)
    return inspection


def _check_signature(verify: Callable[[], VerifiedSignature], inspection: Inspection) -> None:
    try:
        inspection.signing_certificate = verify().certificate
    except As4Error as error:
        # Whose certificate is neither included nor known to us may have signed rightly: that is not told.
        is_unknown = "neither included nor known" in error.detail
        inspection.found(error.kind.code, f"{_SECURITY}/ds:Signature", error.detail, is_note=is_unknown)


def _list_algorithms(security: etree._Element, inspection: Inspection) -> None:
    expected = {
        f"{names.DS}SignatureMethod": {RSA_SHA256},
        f"{names.XENC}EncryptionMethod": {names.RSA_OAEP, names.AES128_GCM},
    }
    for tag, allowed in expected.items():
        for element in security.iter(tag):
            algorithm = element.get("Algorithm", "")
            if algorithm not in allowed:
                text = f"an algorithm of another profile: {algorithm[:120]}"
                inspection.found("profile", f"{_SECURITY}//{etree.QName(tag).localname}", text, is_note=True)


def _references(security: etree._Element, parts: int) -> tuple[Reference, ...]:
    info = security.find(f"{names.DS}Signature/{names.DS}SignedInfo")
    if info is None:
        raise As4Error(POLICY_NONCOMPLIANCE, "the message is not signed")
    return read_references(info, ANY_SHA2, parts=parts)
