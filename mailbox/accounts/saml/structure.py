"""The structure of signed SAML documents: what is not built exactly as expected is refused before anything is
verified, so that what was signed and what is read are the same (signature wrapping).

SAML Core 2.0 5.4, and Sweden Connect's deployment profile 2.1 for algorithms.
"""

import re
from typing import Final

from lxml import etree

PROTOCOL: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
ASSERTION: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
METADATA: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
_XENC: Final = "http://www.w3.org/2001/04/xmlenc#"
_XENC11: Final = "http://www.w3.org/2009/xmlenc11#"
_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
_EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
_ENVELOPED: Final = f"{DS}enveloped-signature"
_SIGNATURE_ALGORITHMS: Final = {
    *(f"{_MORE}rsa-sha{bits}" for bits in (256, 384, 512)),
    *(f"{_MORE}ecdsa-sha{bits}" for bits in (256, 384, 512)),
}
_DIGESTS: Final = {f"{_XENC}sha256", f"{_MORE}sha384", f"{_XENC}sha512"}
_KEY_TRANSPORT: Final = {f"{_XENC}rsa-oaep-mgf1p", f"{_XENC11}rsa-oaep"}
_CIPHERS: Final = {f"{_XENC11}aes{bits}-gcm" for bits in (128, 192, 256)}
# Without an outer signature they can be changed and tried until they reveal what they hold.
_UNAUTHENTICATED_CIPHERS: Final = {f"{_XENC}aes{bits}-cbc" for bits in (128, 192, 256)}
_DECLARATION: Final = re.compile(r"\A\ufeff?\s*<\?xml\s[^>]*\?>")
_IDS: Final = frozenset({"id", "ID", "Id", "{http://www.w3.org/XML/1998/namespace}id"})
_CHILDREN: Final = {
    f"{{{ASSERTION}}}Issuer",
    f"{{{DS}}}Signature",
    f"{{{PROTOCOL}}}Status",
    f"{{{ASSERTION}}}Assertion",
    f"{{{ASSERTION}}}EncryptedAssertion",
}
_MOST_ELEMENTS: Final = 20_000


class StructureRejected(Exception):
    """A document that is not built as it has to be; `reason` is a code without content of the document."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def text_of(document: bytes) -> str:
    """A document's text without its declaration: UTF-8, with no DTD, entity, comment or CDATA section.

    Parsers differ in what they make of those. Raises `StructureRejected`.
    """
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError:
        raise StructureRejected("not-utf-8") from None
    text = _DECLARATION.sub("", text, count=1).strip()
    if "<!" in text or "<?" in text:
        raise StructureRejected("declaration-or-comment")
    return text


def metadata_text(document: bytes) -> str:
    """As `text_of`, of metadata, which may hold comments: they are taken out, as their signature allows."""
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError:
        raise StructureRejected("not-utf-8") from None
    return text_of(re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL).encode())


def parse(text: str, *, most_elements: int = _MOST_ELEMENTS) -> etree._Element:
    """The root of a text that `text_of` has let pass. Raises `StructureRejected`."""
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        raise StructureRejected("not-xml") from None
    ids: set[str] = set()
    for count, element in enumerate(root.iter()):
        if not isinstance(element.tag, str) or count >= most_elements:
            raise StructureRejected("too-much")
        for name in _IDS.intersection(map(str, element.attrib)):
            value = str(element.attrib[name])
            if value in ids:
                raise StructureRejected("same-id-twice")
            ids.add(value)
    return root


def check_response(
    root: etree._Element, *, must_be_signed: bool, must_be_encrypted: bool, is_decrypted: bool = False
) -> None:
    """Check that a response holds one assertion where it belongs, and signatures that cover what holds them.

    `is_decrypted` says that the content of an EncryptedAssertion stands in it, decrypted. A response that
    says that the login failed holds no assertion. Raises `StructureRejected`.
    """
    if root.tag != f"{{{PROTOCOL}}}Response":
        raise StructureRejected("no-response")
    if {str(child.tag) for child in root} - _CHILDREN:
        raise StructureRejected("misplaced")
    signed = [root] if has_signature(root) else []
    if must_be_signed and not signed:
        raise StructureRejected("response-unsigned")
    plain = root.findall(f"{{{ASSERTION}}}Assertion")
    encrypted = root.findall(f"{{{ASSERTION}}}EncryptedAssertion")
    if len(plain) + len(encrypted) != (1 if is_success(root) else 0):
        raise StructureRejected("not-one-assertion")
    if plain and must_be_encrypted:
        raise StructureRejected("not-encrypted")
    if is_decrypted:
        plain = [*plain, *(child for each in encrypted for child in each)]
        if len(plain) != 1 or plain[0].tag != f"{{{ASSERTION}}}Assertion":
            raise StructureRejected("not-one-assertion")
    elif encrypted:
        _check_encryption(encrypted[0], is_response_signed=bool(signed))
    for assertion in plain:
        if not has_signature(assertion):
            raise StructureRejected("assertion-unsigned")
        signed.append(assertion)
    _count(root, plain, [] if is_decrypted else encrypted, len(signed))
    for element in signed:
        check_signature(element)


def is_success(root: etree._Element) -> bool:
    """Whether the provider says that somebody has logged in."""
    return status_codes(root)[:1] == ["urn:oasis:names:tc:SAML:2.0:status:Success"]


def status_codes(root: etree._Element) -> list[str]:
    """The response's status code, and those within it."""
    codes = root.iterfind(f"{{{PROTOCOL}}}Status//{{{PROTOCOL}}}StatusCode")
    return [str(code.get("Value", "")) for code in codes]


def has_signature(element: etree._Element) -> bool:
    """Whether an element has a signature of its own."""
    return element.find(f"{{{DS}}}Signature") is not None


def check_signature(element: etree._Element) -> None:
    """Check that an element's signature covers this element and no other, by strong enough algorithms.

    xmlsec1 verifies the first signature that it finds in an element: that has to be the element's own.
    Raises `StructureRejected`.
    """
    signatures = element.findall(f"{{{DS}}}Signature")
    own_id = element.get("ID")
    if len(signatures) != 1 or not own_id:
        raise StructureRejected("not-one-signature")
    signature = signatures[0]
    if next(element.iter(f"{{{DS}}}Signature")) is not signature:
        raise StructureRejected("not-the-first-signature")
    references = signature.findall(f"{{{DS}}}SignedInfo/{{{DS}}}Reference")
    if len(references) != 1 or references[0].get("URI") != f"#{own_id}":
        raise StructureRejected("signature-of-something-else")
    if signature.find(f"{{{DS}}}Object") is not None:
        raise StructureRejected("signature-with-content")
    found = references[0].iterfind(f"{{{DS}}}Transforms/{{{DS}}}Transform")
    transforms = [each.get("Algorithm") for each in found]
    if transforms not in ([_ENVELOPED], [_ENVELOPED, _EXCLUSIVE]):
        raise StructureRejected("transform")
    methods = {
        "CanonicalizationMethod": {_EXCLUSIVE},
        "SignatureMethod": _SIGNATURE_ALGORITHMS,
    }
    for name, allowed in methods.items():
        if _algorithms(signature, f"{{{DS}}}SignedInfo/{{{DS}}}{name}") - allowed:
            raise StructureRejected("weak-signature")
    if _algorithms(references[0], f"{{{DS}}}DigestMethod") - _DIGESTS:
        raise StructureRejected("weak-signature")


def _count(
    root: etree._Element,
    assertions: list[etree._Element],
    encrypted: list[etree._Element],
    signatures: int,
) -> None:
    """Check that nothing of the kind stands anywhere else."""
    expected = {
        f"{{{PROTOCOL}}}Response": 1,
        f"{{{ASSERTION}}}Assertion": len(assertions),
        f"{{{_XENC}}}EncryptedData": len(encrypted),
        f"{{{DS}}}Signature": signatures,
        f"{{{ASSERTION}}}EncryptedID": 0,
        f"{{{ASSERTION}}}EncryptedAttribute": 0,
        f"{{{ASSERTION}}}Advice": 0,
        f"{{{PROTOCOL}}}Extensions": 0,
    }
    for tag, number in expected.items():
        if sum(1 for _ in root.iter(tag)) != number:
            raise StructureRejected("misplaced")


def _check_encryption(encrypted: etree._Element, *, is_response_signed: bool) -> None:
    data = encrypted.findall(f"{{{_XENC}}}EncryptedData")
    if len(data) != 1:
        raise StructureRejected("encryption")
    ciphers = _CIPHERS | (_UNAUTHENTICATED_CIPHERS if is_response_signed else set())
    if _algorithms(data[0], f"{{{_XENC}}}EncryptionMethod") - ciphers:
        raise StructureRejected("weak-encryption")
    keys = list(encrypted.iter(f"{{{_XENC}}}EncryptedKey"))
    if not keys:
        raise StructureRejected("encryption")
    for key in keys:
        if _algorithms(key, f"{{{_XENC}}}EncryptionMethod") - _KEY_TRANSPORT:
            raise StructureRejected("weak-encryption")


def _algorithms(element: etree._Element, path: str) -> set[str]:
    found = [str(each.get("Algorithm", "")) for each in element.iterfind(path)]
    return set(found) if len(found) == 1 else {""}
