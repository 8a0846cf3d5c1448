"""Enveloped XML signatures: RSA-SHA256 over a whole document, certificate included (C3.2.2 section 3.5).

`ds:Signature` is a child of the root, has one reference with `URI=""`, and the enveloped-signature
transform, optionally followed by a canonicalisation. Anything else is refused, so nothing that is
not signed can be taken for signed.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from transport.protocol.certificates import CertificateUnreadable, load_certificate
from transport.protocol.errors import ProtocolError
from transport.protocol.identifiers import (
    C14N_10,
    C14N_EXCLUSIVE,
    ENVELOPED_SIGNATURE,
    NS_DS,
    RSA_SHA256,
    SHA256,
)
from transport.protocol.xml.canonical import (
    METHODS,
    AlgorithmNotAllowed,
    CanonicalisationFailed,
    Detached,
    canonical_document,
    canonical_element,
    remove_unread,
)
from transport.protocol.xml.text import text_of

_DS: Final = f"{{{NS_DS}}}"
_EC_PREFIXES: Final = f"{{{C14N_EXCLUSIVE}}}InclusiveNamespaces"


class SignatureMissing(ProtocolError):
    """The document has no signature where it has to be."""


class SignatureInvalid(ProtocolError):
    """The signature does not hold; `part` tells what did not: its structure, digest, value or certificate."""

    def __init__(self, part: str) -> None:
        self.part = part
        super().__init__(f"the signature does not hold: {part}")


@dataclass(frozen=True, slots=True)
class Canonicalisation:
    """A method and the prefixes that an exclusive one treats inclusively."""

    method: str = C14N_10
    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EnvelopedSignature:
    """A signature as read: its structure is right, but nothing has been verified yet."""

    signed_info: bytes
    value: bytes
    digest: bytes
    certificate: x509.Certificate
    canonicalisation: Canonicalisation

    def verify(self, digest: bytes) -> x509.Certificate:
        """The signer's certificate, if the signature holds for a document with this SHA-256 digest.

        Raises `SignatureInvalid`. Whether the certificate is trusted is another question.
        """
        key = self.certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            raise SignatureInvalid("certificate without an RSA key")
        try:
            key.verify(self.value, self.signed_info, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise SignatureInvalid("value") from None
        if not hmac.compare_digest(digest, self.digest):
            raise SignatureInvalid("digest")
        return self.certificate


def detach_signature(root: etree._Element) -> tuple[EnvelopedSignature, Detached]:
    """Read the signature of a document and take it out of the tree, as the transform does.

    Raises `SignatureMissing`, `SignatureInvalid` (structure), `AlgorithmNotAllowed`.
    """
    signatures = root.findall(_DS + "Signature")
    if not signatures:
        raise SignatureMissing("no signature below the root element")
    if len(signatures) > 1:
        raise SignatureInvalid("more than one signature")
    return _read(signatures[0]), Detached(signatures[0])


def verify_document(root: etree._Element) -> x509.Certificate:
    """Verify a small document's signature and take it out of the tree; the signer's certificate.

    What remains in the tree is what was signed, without comments. Raises as `detach_signature` and
    `verify` do.
    """
    signature, _ = detach_signature(root)
    used = signature.canonicalisation
    digest = hashes.Hash(hashes.SHA256())
    digest.update(signed_bytes(root, used))
    certificate = signature.verify(digest.finalize())
    remove_unread(root)
    return certificate


def signed_bytes(root: etree._Element, used: Canonicalisation) -> bytes:
    """The document's canonical form, as its signature names it; raises `SignatureInvalid`."""
    try:
        return canonical_document(root, used.method, used.prefixes)
    except CanonicalisationFailed:
        raise SignatureInvalid("canonical form") from None


def write_signature(
    digest: bytes,
    key: RSAPrivateKey,
    certificate: x509.Certificate,
    scope: dict[str, str],
) -> bytes:
    """A `ds:Signature` for a canonical document with this SHA-256 digest, to be put last in its root.

    `scope` maps the prefixes that the root declares to their namespaces: inclusive canonicalisation
    repeats them on SignedInfo.
    """
    content = (
        f'<ds:CanonicalizationMethod Algorithm="{C14N_10}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{RSA_SHA256}"></ds:SignatureMethod>'
        f'<ds:Reference URI=""><ds:Transforms>'
        f'<ds:Transform Algorithm="{ENVELOPED_SIGNATURE}"></ds:Transform>'
        f'<ds:Transform Algorithm="{C14N_10}"></ds:Transform></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod>'
        f"<ds:DigestValue>{base64.b64encode(digest).decode()}</ds:DigestValue></ds:Reference>"
    )
    namespaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in sorted({**scope, "ds": NS_DS}.items()))
    signed_info = f"<ds:SignedInfo{namespaces}>{content}</ds:SignedInfo>".encode()
    value = key.sign(signed_info, padding.PKCS1v15(), hashes.SHA256())
    return (
        f'<ds:Signature xmlns:ds="{NS_DS}"><ds:SignedInfo>{content}</ds:SignedInfo>'
        f"<ds:SignatureValue>{base64.b64encode(value).decode()}</ds:SignatureValue>"
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate_text(certificate)}"
        f"</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>"
    ).encode()


def certificate_text(certificate: x509.Certificate) -> str:
    """A certificate as X509Certificate holds it: DER in base64, on one line."""
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def read_certificate(text: str | None) -> x509.Certificate:
    """The certificate in an X509Certificate's text; raises `SignatureInvalid`."""
    try:
        der = base64.b64decode("".join((text or "").split()), validate=True)
        return load_certificate(der)
    except (ValueError, CertificateUnreadable):
        raise SignatureInvalid("certificate") from None


def _read(signature: etree._Element) -> EnvelopedSignature:
    for node in signature.iter():
        if not isinstance(node.tag, str):
            raise SignatureInvalid("comment or instruction inside it")
    info = _only(signature, "SignedInfo")
    method = _only(info, "SignatureMethod").get("Algorithm", "")
    if method != RSA_SHA256:
        raise AlgorithmNotAllowed(method)
    reference = _only(info, "Reference")
    if reference.get("URI") != "":
        raise SignatureInvalid("reference to something else than the document")
    digest_method = _only(reference, "DigestMethod").get("Algorithm", "")
    if digest_method != SHA256:
        raise AlgorithmNotAllowed(digest_method)
    own = _canonicalisation(_only(info, "CanonicalizationMethod"))
    try:
        signed_info = canonical_element(info, own.method, own.prefixes)
    except CanonicalisationFailed:
        raise SignatureInvalid("canonical form") from None
    return EnvelopedSignature(
        signed_info=signed_info,
        value=_decoded(_only(signature, "SignatureValue"), "value"),
        digest=_decoded(_only(reference, "DigestValue"), "digest"),
        certificate=_certificate(signature),
        canonicalisation=_transforms(reference),
    )


def _transforms(reference: etree._Element) -> Canonicalisation:
    transforms = _only(reference, "Transforms").findall(_DS + "Transform")
    if not transforms or len(transforms) > 2:
        raise SignatureInvalid("transforms")
    first = transforms[0].get("Algorithm", "")
    if first != ENVELOPED_SIGNATURE:
        raise AlgorithmNotAllowed(first)
    return _canonicalisation(transforms[1]) if len(transforms) == 2 else Canonicalisation()


def _canonicalisation(element: etree._Element) -> Canonicalisation:
    method = element.get("Algorithm", "")
    if method not in METHODS:
        raise AlgorithmNotAllowed(method)
    inclusive = element.find(_EC_PREFIXES)
    listed = (inclusive.get("PrefixList") or "") if inclusive is not None else ""
    return Canonicalisation(method, tuple(listed.split()))


def _certificate(signature: etree._Element) -> x509.Certificate:
    found = signature.findall(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate")
    if not found:
        raise SignatureInvalid("certificate missing")
    return read_certificate(text_of(found[0]))


def _only(parent: etree._Element, name: str) -> etree._Element:
    found = parent.findall(_DS + name)
    if len(found) != 1:
        raise SignatureInvalid(f"structure at {name}")
    return found[0]


def _decoded(element: etree._Element, part: str) -> bytes:
    try:
        return base64.b64decode("".join(text_of(element).split()), validate=True)
    except (binascii.Error, ValueError):
        raise SignatureInvalid(part) from None
