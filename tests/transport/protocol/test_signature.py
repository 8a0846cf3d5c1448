"""Enveloped signatures over small documents, such as service metadata: signxml signs, we verify."""

import base64

import pytest
import signxml
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree
from signxml import CanonicalizationMethod as Method

from transport.protocol.xhe.signature import SignatureInvalid, SignatureMissing, verify_document
from transport.protocol.xml.safe_xml import parse

from . import libxmlsec
from .keys import certificate, key

DS = "{http://www.w3.org/2000/09/xmldsig#}"
DOCUMENT = b"""<?xml version="1.0"?>
<!-- before --><m:metadata xmlns:m="urn:metadata" xmlns:unused="urn:unused">
  <m:url a="2" m:b='1'>https://ap.test/as4</m:url>
</m:metadata><!-- after -->"""
METHODS = [
    Method.CANONICAL_XML_1_0,
    Method.CANONICAL_XML_1_0_WITH_COMMENTS,
    Method.CANONICAL_XML_1_1,
    Method.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    Method.EXCLUSIVE_XML_CANONICALIZATION_1_0_WITH_COMMENTS,
]


def signed(document: bytes = DOCUMENT, method: Method = Method.CANONICAL_XML_1_0, **options) -> bytes:
    signer = signxml.XMLSigner(c14n_algorithm=method, **options)
    root = signer.sign(etree.fromstring(document), key=key("smp"), cert=[certificate("smp")])
    return etree.tostring(root.getroottree(), xml_declaration=True, encoding="UTF-8")


@pytest.mark.parametrize("method", METHODS)
def test_what_signxml_signs_we_verify(method):
    root = parse(signed(method=method))
    assert verify_document(root) == certificate("smp")
    assert root.findtext("{urn:metadata}url") == "https://ap.test/as4"
    assert root.find(DS + "Signature") is None


@pytest.mark.parametrize("method", libxmlsec.CANONICALISATIONS[1:])
def test_what_libxmlsec_signs_we_verify(method):
    """With an attribute of XML's own on the root, which inclusive methods repeat on SignedInfo."""
    document = DOCUMENT.replace(b"<m:metadata ", b'<m:metadata xml:lang="sv" xml:space="preserve" ')
    root = parse(libxmlsec.sign(etree.fromstring(document), transform=method, method=method))
    assert verify_document(root) == certificate("sender")


@pytest.mark.parametrize("method", METHODS)
def test_what_was_changed_since_is_refused(method):
    changed = signed(method=method).replace(b"ap.test", b"attacker.test")
    with pytest.raises(SignatureInvalid) as invalid:
        verify_document(parse(changed))
    assert invalid.value.part == "digest"


def test_a_comment_that_anybody_can_add_does_not_cut_a_value_off():
    changed = signed().replace(b"https://ap.test/as4", b"https://ap.test<!-- -->/as4")
    root = parse(changed)
    verify_document(root)
    assert root.findtext("{urn:metadata}url") == "https://ap.test/as4"


def test_another_signature_value_is_refused():
    root = parse(signed())
    (value,) = root.iter(DS + "SignatureValue")
    other = key("smp").sign(b"another", padding.PKCS1v15(), hashes.SHA256())
    value.text = base64.b64encode(other).decode()
    with pytest.raises(SignatureInvalid) as invalid:
        verify_document(root)
    assert invalid.value.part == "value"


@pytest.mark.parametrize("name", ["SignatureValue", "DigestValue", "X509Certificate"])
def test_what_is_no_base64_is_refused(name):
    root = parse(signed())
    (element,) = root.iter(DS + name)
    element.text = "no base64!"
    with pytest.raises(SignatureInvalid):
        verify_document(root)


def test_a_document_without_signature_is_missing_one():
    with pytest.raises(SignatureMissing):
        verify_document(parse(DOCUMENT))
