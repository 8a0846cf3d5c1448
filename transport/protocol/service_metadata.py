"""Service metadata as SMP signs it, with the certificates that CertPub adds (SMP 1.0, C3.4.1, C3.4.5).

The answer's own signature is verified here; whether its signer is the federation's SMP is for the
caller to judge, by `signing_certificate`.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from lxml import etree

from transport.protocol.xhe.signature import verify_document
from transport.protocol.xml.safe_xml import SMALL_DOCUMENT, parse
from transport.protocol.xml.text import text_at, text_of

from .certificates import CertificateUnreadable, is_pem, load_certificates
from .errors import ProtocolError
from .identifiers import (
    CERTPUB_ENCRYPTION,
    CERTPUB_EXTENSION,
    CERTPUB_SIGNING,
    NS_SMB,
    NS_SMC,
    NS_SMP,
    PARTICIPANT_SCHEME,
    TRANSPORT_PROFILE,
    DocumentType,
    ParticipantId,
    ParticipantIdInvalid,
)
from .moments import NotAMoment, read_moment
from .urls import UrlRefused, parse_http_url

_SMP: Final = f"{{{NS_SMP}}}"
_SMC: Final = f"{{{NS_SMC}}}"
_SMB: Final = f"{{{NS_SMB}}}"


class MetadataMalformed(ProtocolError):
    """Signed metadata that does not say what it has to; `element` names the place."""

    def __init__(self, element: str) -> None:
        self.element = element
        super().__init__(f"the service metadata has no valid {element}")


class MetadataForAnother(ProtocolError):
    """The metadata is about another participant or document type than was asked for."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An access point that takes a document type for a process."""

    process_id: str
    process_scheme: str
    transport_profile: str
    url: str
    certificate: x509.Certificate
    active_from: datetime | None
    active_until: datetime | None

    def is_active(self, moment: datetime) -> bool:
        """Whether the endpoint may be used at the time."""
        return (self.active_from is None or self.active_from <= moment) and (
            self.active_until is None or moment <= self.active_until
        )


@dataclass(frozen=True, slots=True)
class ServiceMetadata:
    """What the SMP says about one document type of a participant."""

    participant: ParticipantId
    document_type: DocumentType
    endpoints: tuple[Endpoint, ...]
    signing_certificates: tuple[x509.Certificate, ...]
    encryption_certificates: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class SignedServiceMetadata:
    """Metadata whose signature holds. `redirect` is set instead of `metadata` where another SMP has it."""

    signing_certificate: x509.Certificate
    metadata: ServiceMetadata | None
    redirect: str | None = None


def read_service_metadata(
    data: bytes, participant: ParticipantId, document_type: DocumentType
) -> SignedServiceMetadata:
    """Verify and read a SignedServiceMetadata that was asked for with these two.

    Raises `XmlRefused`, `SignatureMissing`, `SignatureInvalid`, `AlgorithmNotAllowed`,
    `MetadataMalformed`, `MetadataForAnother`.
    """
    root = parse(data, SMALL_DOCUMENT)
    if root.tag != _SMP + "SignedServiceMetadata":
        raise MetadataMalformed("root element SignedServiceMetadata")
    signer = verify_document(root)
    body = _one(root, "ServiceMetadata")
    redirect = body.find(_SMP + "Redirect")
    if redirect is not None:
        return SignedServiceMetadata(signer, None, _url(redirect.get("href"), "Redirect"))
    information = _one(body, "ServiceInformation")
    metadata = _metadata(information)
    if metadata.participant != participant or metadata.document_type != document_type:
        raise MetadataForAnother("the service metadata is not what was asked for")
    return SignedServiceMetadata(signer, metadata)


def endpoint_for(
    metadata: ServiceMetadata,
    process_id: str,
    process_scheme: str,
    moment: datetime,
    transport_profiles: Sequence[str] = (TRANSPORT_PROFILE,),
) -> Endpoint | None:
    """The active endpoint of the first of our transport profiles that has one; None where none has."""
    for profile in transport_profiles:
        for endpoint in metadata.endpoints:
            is_process = (endpoint.process_id, endpoint.process_scheme) == (process_id, process_scheme)
            if is_process and endpoint.transport_profile == profile and endpoint.is_active(moment):
                return endpoint
    return None


def _metadata(information: etree._Element) -> ServiceMetadata:
    participant_element = _one(information, "ParticipantIdentifier")
    document_element = _one(information, "DocumentIdentifier")
    if participant_element.get("scheme") != PARTICIPANT_SCHEME:
        raise MetadataMalformed("ParticipantIdentifier scheme")
    try:
        participant = ParticipantId.parse(text_of(participant_element))
    except ParticipantIdInvalid:
        raise MetadataMalformed("ParticipantIdentifier") from None
    return ServiceMetadata(
        participant,
        DocumentType(text_of(document_element).strip(), document_element.get("scheme", "")),
        tuple(_endpoints(information)),
        tuple(_published(information, CERTPUB_SIGNING)),
        tuple(_published(information, CERTPUB_ENCRYPTION)),
    )


def _endpoints(information: etree._Element) -> list[Endpoint]:
    """The endpoints, without those that cannot be read: they may be of profiles that are not ours.

    Where none can be read, the error of the first is raised.
    """
    found: list[Endpoint] = []
    problem: MetadataMalformed | None = None
    for process in information.findall(f"{_SMP}ProcessList/{_SMP}Process"):
        identity = _one(process, "ProcessIdentifier")
        for endpoint in process.findall(f"{_SMP}ServiceEndpointList/{_SMP}Endpoint"):
            try:
                found.append(_endpoint(identity, endpoint))
            except MetadataMalformed as error:
                problem = problem or error
    if problem is not None and not found:
        raise problem
    return found


def _endpoint(process: etree._Element, endpoint: etree._Element) -> Endpoint:
    return Endpoint(
        text_of(process).strip(),
        process.get("scheme", ""),
        endpoint.get("transportProfile", ""),
        _url(text_at(endpoint, _SMP + "EndpointURI"), "EndpointURI"),
        _certificate(text_at(endpoint, _SMP + "Certificate"), "Certificate"),
        _moment(endpoint, "ServiceActivationDate"),
        _moment(endpoint, "ServiceExpirationDate"),
    )


def _published(information: etree._Element, type_code: str) -> list[x509.Certificate]:
    """Certificates of a type in CertPub's extensions (C3.4.5 2.2.2)."""
    found = []
    for extension in information.findall(_SMP + "Extension"):
        if (text_at(extension, _SMP + "ExtensionID") or "").strip() != CERTPUB_EXTENSION:
            continue
        for certificate in extension.findall(_SMC + "Certificate"):
            if (text_at(certificate, _SMB + "TypeCode") or "").strip() == type_code:
                text = text_at(certificate, _SMB + "ContentBinaryObject")
                found.append(_certificate(text, "ContentBinaryObject"))
    return found


def _certificate(text: str | None, element: str) -> x509.Certificate:
    """DER in base64; PEM armour around it, inside or outside that base64, is tolerated."""
    value = (text or "").strip().encode("ascii", "replace")
    try:
        data = value if is_pem(value) else base64.b64decode(b"".join(value.split()), validate=True)
        return load_certificates(data)[0]
    except (ValueError, CertificateUnreadable):
        raise MetadataMalformed(element) from None


def _url(text: str | None, element: str) -> str:
    url = (text or "").strip()
    try:
        parse_http_url(url)
    except UrlRefused:
        raise MetadataMalformed(element) from None
    return url


def _moment(endpoint: etree._Element, name: str) -> datetime | None:
    text = (text_at(endpoint, _SMP + name) or "").strip()
    if not text:
        return None
    try:
        return read_moment(text)
    except NotAMoment:
        raise MetadataMalformed(name) from None


def _one(parent: etree._Element, name: str) -> etree._Element:
    found = parent.findall(_SMP + name)
    if len(found) != 1:
        raise MetadataMalformed(name)
    return found[0]
