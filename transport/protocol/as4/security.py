"""WS-Security for AS4: what is signed, how keys are named, allowed algorithms (1.15 section 3.2.6)."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import quoteattr

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from transport.protocol.xml.canonical import (
    AlgorithmNotAllowed,
    CanonicalisationFailed,
    canonical_document,
    canonical_element,
)
from transport.protocol.xml.canonical_digest import CanonicalDigest
from transport.protocol.xml.safe_xml import parse
from transport.protocol.xml.text import text_at, text_of

from ..certificates import CertificateUnreadable, load_certificate
from ..der import SEQUENCE, der_content
from ..distinguished_names import is_name_as_text, is_serial_number
from ..identifiers import C14N_EXCLUSIVE, NS_DS, RSA_SHA256, SHA256
from . import names
from .content_ids import content_id_of
from .errors import FAILED_AUTHENTICATION, POLICY_NONCOMPLIANCE, As4Error
from .messages import PartInfo, SignedReference

# What is signed besides parts: Messaging, Body, and a Timestamp or token.
REFERENCES_BESIDE_PARTS: Final = 3
_MOST_OF_A_PATH: Final = 10


@dataclass(frozen=True, slots=True)
class SignatureAlgorithms:
    """Which algorithms a signature may use: the profile's, unless a tool asks for more."""

    signature_hashes: Mapping[str, hashes.HashAlgorithm]
    digest_hashes: Mapping[str, hashes.HashAlgorithm]


PROFILE: Final = SignatureAlgorithms({RSA_SHA256: hashes.SHA256()}, {SHA256: hashes.SHA256()})
_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-"
# For inspecting messages of other profiles; never for receiving them.
ANY_SHA2: Final = SignatureAlgorithms(
    {RSA_SHA256: hashes.SHA256(), _MORE + "sha384": hashes.SHA384(), _MORE + "sha512": hashes.SHA512()},
    {SHA256: hashes.SHA256()},
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference of a signature as read: what it points at and the digest it claims."""

    signed: SignedReference
    transform: str
    prefixes: tuple[str, ...]
    hash: hashes.HashAlgorithm


@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """A WS-Security signature whose value holds; the references' digests are still to be compared."""

    certificate: x509.Certificate
    references: tuple[Reference, ...]
    value: bytes


def canonical(xml: str) -> bytes:
    """The exclusive canonical form of an element that we have written."""
    return canonical_document(parse(xml.encode()), C14N_EXCLUSIVE)


def sha256(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize()


class PartDigest:
    """The digest of a part's octets, as they are before encryption; for some types of their canonical form.

    Senders differ: what is read `fits` by either, what is written has the form that WSS4J compares.
    """

    def __init__(self, part: PartInfo, algorithm: hashes.HashAlgorithm) -> None:
        self._octets = hashes.Hash(algorithm)
        self._canonical = CanonicalDigest(algorithm) if part.is_signed_canonically else None

    def update(self, data: bytes) -> None:
        self._octets.update(data)
        if self._canonical is not None:
            self._canonical.update(data)

    def finalize(self) -> tuple[bytes, ...]:
        """Every digest that counts, the one to sign first."""
        canonical = self._canonical.finalize() if self._canonical is not None else None
        octets = self._octets.finalize()
        return (octets,) if canonical is None else (canonical, octets)


def reference_to(uri: str, digest: bytes, transform: str) -> SignedReference:
    """A reference as our signatures write it."""
    xml = canonical(
        f'<ds:Reference xmlns:ds="{NS_DS}" URI={quoteattr(uri)}><ds:Transforms>'
        f'<ds:Transform Algorithm="{transform}"/></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{SHA256}"/>'
        f"<ds:DigestValue>{base64.b64encode(digest).decode()}</ds:DigestValue></ds:Reference>"
    )
    return SignedReference(uri, digest, xml)


def signature(references: Iterable[SignedReference], key: RSAPrivateKey, token_id: str) -> str:
    """A `ds:Signature` over the references, its key named by a BinarySecurityToken."""
    content = "".join(reference.xml.decode() for reference in references)
    info = canonical(
        f'<ds:SignedInfo xmlns:ds="{NS_DS}"><ds:CanonicalizationMethod Algorithm="{C14N_EXCLUSIVE}"/>'
        f'<ds:SignatureMethod Algorithm="{RSA_SHA256}"/>{content}</ds:SignedInfo>'
    )
    value = base64.b64encode(key.sign(info, padding.PKCS1v15(), hashes.SHA256())).decode()
    return (
        f'<ds:Signature xmlns:ds="{NS_DS}">{info.decode()}<ds:SignatureValue>{value}</ds:SignatureValue>'
        f"<ds:KeyInfo>{token_reference(token_id)}</ds:KeyInfo></ds:Signature>"
    )


def binary_token(certificate: x509.Certificate, token_id: str) -> str:
    """The certificate as a BinarySecurityToken of type X509v3."""
    return (
        f'<wsse:BinarySecurityToken EncodingType="{names.BASE64_BINARY}" ValueType="{names.X509_V3}" '
        f'wsu:Id="{token_id}">{base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()}'
        f"</wsse:BinarySecurityToken>"
    )


def token_reference(token_id: str) -> str:
    return (
        f'<wsse:SecurityTokenReference xmlns:wsse="{names.NS_WSSE}">'
        f'<wsse:Reference URI="#{token_id}" ValueType="{names.X509_V3}"/></wsse:SecurityTokenReference>'
    )


def elements_by_id(root: etree._Element) -> dict[str, etree._Element]:
    """Every element that has an id, by it; raises `As4Error` where an id stands twice."""
    found: dict[str, etree._Element] = {}
    for element in root.iter(etree.Element):
        for attribute in (names.WSU + "Id", "Id"):
            identity = element.get(attribute)
            if identity is None:
                continue
            if identity in found and found[identity] is not element:
                raise As4Error(FAILED_AUTHENTICATION, "an id stands twice")
            found[identity] = element
    return found


def verify_signature(
    security: etree._Element,
    by_id: Mapping[str, etree._Element],
    algorithms: SignatureAlgorithms,
    known: Iterable[x509.Certificate] = (),
    *,
    parts: int = 0,
    check_issuer: Callable[[x509.Certificate], None] | None = None,
) -> VerifiedSignature:
    """Verify the value of the one signature in a Security header.

    `known` are certificates that a signature may name without including them. The signature refers to at most
    `parts` parts and three elements. `check_issuer` judges the signer's certificate before anything that
    costs more is done for whoever sent this; what it raises goes through. Raises `As4Error` (EBMS:0101,
    EBMS:0103).
    """
    found = security.findall(names.DS + "Signature")
    if len(found) != 1:
        raise As4Error(POLICY_NONCOMPLIANCE, "the message is not signed" if not found else "two signatures")
    info = _one(found[0], "SignedInfo")
    method = _one(info, "SignatureMethod").get("Algorithm", "")
    if method not in algorithms.signature_hashes:
        raise _not_allowed(method)
    certificate = certificate_of(_one(found[0], "KeyInfo"), by_id, known)
    if certificate is None:
        raise As4Error(FAILED_AUTHENTICATION, "the signing certificate is neither included nor known")
    if check_issuer is not None:
        check_issuer(certificate)
    _reference_elements(info, parts)
    canonicalisation = _one(info, "CanonicalizationMethod")
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise As4Error(POLICY_NONCOMPLIANCE, "the signing certificate has no RSA key")
    method_uri, prefixes = canonicalisation.get("Algorithm", ""), prefixes_of(canonicalisation)
    data = _canonical(info, method_uri, prefixes, with_comments=True)
    value = _decoded(_one(found[0], "SignatureValue"))
    try:
        key.verify(value, data, padding.PKCS1v15(), algorithms.signature_hashes[method])
    except InvalidSignature:
        raise As4Error(FAILED_AUTHENTICATION, "the signature does not hold") from None
    return VerifiedSignature(certificate, read_references(info, algorithms, parts=parts), value)


def read_references(
    signed_info: etree._Element, algorithms: SignatureAlgorithms, *, parts: int = 0
) -> tuple[Reference, ...]:
    """The references of a SignedInfo, no more than there are parts and three; raises `As4Error`."""
    return tuple(_reference(item, algorithms) for item in _reference_elements(signed_info, parts))


def _reference_elements(signed_info: etree._Element, parts: int) -> list[etree._Element]:
    references = signed_info.findall(names.DS + "Reference")
    if not references or len(references) > parts + REFERENCES_BESIDE_PARTS:
        raise As4Error(FAILED_AUTHENTICATION, "the signature refers to nothing, or to too much")
    return references


def verify_elements(
    references: Iterable[Reference], by_id: Mapping[str, etree._Element]
) -> tuple[list[etree._Element], dict[str, Reference]]:
    """Compare the digests of the elements that are referred to; these, and the attachments' references.

    Everything is referred to once, however it is named. Raises `As4Error`.
    """
    covered: list[etree._Element] = []
    attachments: dict[str, Reference] = {}
    for reference in references:
        content_id = content_id_of(reference.signed.uri)
        if content_id is not None:
            if reference.transform != names.ATTACHMENT_SIGNATURE:
                raise _not_allowed(reference.transform)
            if content_id in attachments:
                raise As4Error(FAILED_AUTHENTICATION, "the signature refers to a part twice")
            attachments[content_id] = reference
            continue
        uri = reference.signed.uri
        element = by_id.get(uri.removeprefix("#"))
        if not uri.startswith("#") or element is None:
            raise As4Error(FAILED_AUTHENTICATION, "the signature refers to something that is not here")
        if element in covered or len(covered) == REFERENCES_BESIDE_PARTS:
            raise As4Error(FAILED_AUTHENTICATION, "the signature refers to too much, or to something twice")
        verify_element(reference, element)
        covered.append(element)
    return covered, attachments


def verify_element(reference: Reference, element: etree._Element) -> None:
    """Compare an element's digest; raises `As4Error`."""
    data = _canonical(element, reference.transform, reference.prefixes)
    digest = hashes.Hash(reference.hash)
    digest.update(data)
    if digest.finalize() != reference.signed.digest:
        raise As4Error(FAILED_AUTHENTICATION, "the digest of a header element does not fit")


def certificate_of(
    key_info: etree._Element, by_id: Mapping[str, etree._Element], known: Iterable[x509.Certificate]
) -> x509.Certificate | None:
    """The certificate that a KeyInfo names, included in the message or among those known."""
    included = key_info.find(f".//{names.DS}X509Certificate")
    if included is not None:
        return _certificate(included)
    direct = key_info.find(f"{names.WSSE}SecurityTokenReference/{names.WSSE}Reference")
    if direct is not None:
        token = by_id.get((direct.get("URI") or "").removeprefix("#"))
        if token is None or token.tag != names.WSSE + "BinarySecurityToken":
            return None
        return _token_certificate(token)
    embedded = key_info.find(f".//{names.WSSE}Embedded/{names.WSSE}BinarySecurityToken")
    if embedded is not None:
        return _token_certificate(embedded)
    identifier = key_info.find(f".//{names.WSSE}KeyIdentifier")
    if identifier is not None and identifier.get("ValueType") == names.X509_V3:
        return _certificate(identifier)
    if identifier is None and key_info.find(f".//{names.DS}X509IssuerSerial") is None:
        return None
    # Whoever gives the known ones may have to ask for them: only now are they looked at.
    return next((certificate for certificate in known if _is_named(key_info, certificate)), None)


def prefixes_of(element: etree._Element) -> tuple[str, ...]:
    """The PrefixList of a canonicalisation, if it has one."""
    inclusive = element.find(names.EC + "InclusiveNamespaces")
    return tuple((inclusive.get("PrefixList") or "").split()) if inclusive is not None else ()


def _is_named(key_info: etree._Element, certificate: x509.Certificate) -> bool:
    identifier = key_info.find(f".//{names.WSSE}KeyIdentifier")
    if identifier is not None:
        value = _decoded(identifier)
        kind = identifier.get("ValueType")
        if kind == names.SUBJECT_KEY_IDENTIFIER:
            return value == _subject_key_identifier(certificate)
        if kind == names.THUMBPRINT:
            return value == certificate.fingerprint(hashes.SHA1())  # noqa: S303 - names, does not protect
        return False
    named = key_info.find(f".//{names.DS}X509IssuerSerial")
    if named is None:
        return False
    serial = text_at(named, names.DS + "X509SerialNumber") or ""
    issuer = text_at(named, names.DS + "X509IssuerName") or ""
    return is_serial_number(serial, certificate.serial_number) and is_name_as_text(issuer, certificate.issuer)


def _subject_key_identifier(certificate: x509.Certificate) -> bytes:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def _token_certificate(token: etree._Element) -> x509.Certificate:
    kind = token.get("ValueType", names.X509_V3)
    if kind == names.X509_PKI_PATH:
        return _last_of_path(_decoded(token))
    if kind != names.X509_V3:
        raise As4Error(
            POLICY_NONCOMPLIANCE, "a security token is of another type than X509v3 and X509PKIPathv1"
        )
    return _certificate(token)


def _last_of_path(data: bytes) -> x509.Certificate:
    """PkiPath is a DER sequence of certificates, the subject's last (X.509 6.1)."""
    try:
        begin, end = der_content(data, 0)
        if data[0] != SEQUENCE or end != len(data):
            raise ValueError("not one sequence")
        last = b""
        for _ in range(_MOST_OF_A_PATH):
            if begin == end:
                return load_certificate(last)
            _, next_one = der_content(data, begin)
            last, begin = data[begin:next_one], next_one
        raise ValueError("too long a path")
    except (ValueError, IndexError, CertificateUnreadable):
        raise As4Error(FAILED_AUTHENTICATION, "a security token holds no certificate path") from None


def _certificate(element: etree._Element) -> x509.Certificate:
    try:
        return load_certificate(_decoded(element))
    except CertificateUnreadable:
        raise As4Error(FAILED_AUTHENTICATION, "a security token holds no certificate") from None


def _reference(element: etree._Element, algorithms: SignatureAlgorithms) -> Reference:
    method = _one(element, "DigestMethod").get("Algorithm", "")
    if method not in algorithms.digest_hashes:
        raise _not_allowed(method)
    transforms = element.findall(f"{names.DS}Transforms/{names.DS}Transform")
    if len(transforms) != 1:
        raise As4Error(FAILED_AUTHENTICATION, "a reference does not have exactly one transform")
    return Reference(
        SignedReference(
            element.get("URI", ""),
            _decoded(_one(element, "DigestValue")),
            _canonical(element, C14N_EXCLUSIVE),
        ),
        transforms[0].get("Algorithm", ""),
        prefixes_of(transforms[0]),
        algorithms.digest_hashes[method],
    )


def _canonical(
    element: etree._Element, method: str, prefixes: tuple[str, ...] = (), *, with_comments: bool = False
) -> bytes:
    try:
        return canonical_element(element, method, prefixes, with_comments=with_comments)
    except AlgorithmNotAllowed as error:
        raise _not_allowed(error.uri) from None
    except CanonicalisationFailed as error:
        raise As4Error(FAILED_AUTHENTICATION, str(error)) from None


def _one(parent: etree._Element, name: str) -> etree._Element:
    found = parent.findall(names.DS + name)
    if len(found) != 1:
        raise As4Error(FAILED_AUTHENTICATION, f"the signature does not have exactly one {name}")
    return found[0]


def _decoded(element: etree._Element) -> bytes:
    try:
        return base64.b64decode("".join(text_of(element).split()), validate=True)
    except (binascii.Error, ValueError):
        name = etree.QName(element).localname
        raise As4Error(FAILED_AUTHENTICATION, f"{name} is not base64") from None


def _not_allowed(uri: str) -> As4Error:
    return As4Error(POLICY_NONCOMPLIANCE, str(AlgorithmNotAllowed(uri)))
