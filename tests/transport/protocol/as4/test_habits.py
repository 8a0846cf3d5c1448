"""What other senders may do: how they name keys, which namespaces they include, what they do not compress."""

import base64
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from tests.transport.protocol.keys import certificate, key
from transport.protocol.as4 import names, signals
from transport.protocol.as4.errors import As4Error
from transport.protocol.as4.messages import PartInfo
from transport.protocol.identifiers import C14N_EXCLUSIVE

from .build import a_user_message, key_identifier, named_by, packed, received, token, wire, with_soap

SIGNER = "ap1"


def by_subject_key_identifier() -> str:
    digest = x509.SubjectKeyIdentifier.from_public_key(key(SIGNER).public_key()).digest
    return key_identifier(names.SUBJECT_KEY_IDENTIFIER, digest)


def by_thumbprint() -> str:
    return key_identifier(names.THUMBPRINT, certificate(SIGNER).fingerprint(hashes.SHA1()))


def by_issuer_and_serial() -> str:
    return token(
        f"<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN={SIGNER}</ds:X509IssuerName>"
        f"<ds:X509SerialNumber>{certificate(SIGNER).serial_number}</ds:X509SerialNumber>"
        "</ds:X509IssuerSerial></ds:X509Data>"
    )


by_name = pytest.mark.parametrize(
    "reference", [by_subject_key_identifier, by_thumbprint, by_issuer_and_serial]
)


@by_name
def test_a_signer_that_is_named_and_not_included_is_sought_among_the_known(tmp_path, reference):
    content_type, body = wire(tmp_path, b"x")
    body = with_soap(content_type, body, named_by(reference()))
    asked = []

    def known(message):
        asked.append(message.sender_party)
        return [certificate("another"), certificate(SIGNER)]

    result = received(tmp_path, content_type, body, known_signers=known)
    assert result.signing_certificate == certificate(SIGNER)
    assert asked == ["AP0001-SDK-TEST"]


@by_name
def test_a_signer_that_is_named_and_not_known_is_0101(tmp_path, reference):
    content_type, body = wire(tmp_path, b"x")
    body = with_soap(content_type, body, named_by(reference()))
    with pytest.raises(As4Error, match="neither included nor known") as refused:
        received(tmp_path, content_type, body, known_signers=lambda _: [certificate("another")])
    assert refused.value.kind.code == "EBMS:0101"


def test_a_certificate_in_a_key_identifier_is_included_and_nobody_is_asked(tmp_path):
    content_type, body = wire(tmp_path, b"x")
    reference = key_identifier(names.X509_V3, certificate(SIGNER).public_bytes(Encoding.DER))
    body = with_soap(content_type, body, named_by(reference))

    def known(message):
        raise AssertionError("asked for nothing")

    assert received(tmp_path, content_type, body, known_signers=known).signing_certificate == certificate(
        SIGNER
    )


@pytest.mark.parametrize("reference", ["<ds:KeyValue/>", "<ds:KeyName>ap1</ds:KeyName>"])
def test_a_key_without_a_certificate_is_0101_and_nobody_is_asked(tmp_path, reference):
    content_type, body = wire(tmp_path, b"x")
    body = with_soap(content_type, body, named_by(reference))

    def known(message):
        raise AssertionError("asked for nothing")

    with pytest.raises(As4Error, match="neither included nor known"):
        received(tmp_path, content_type, body, known_signers=known)


def test_another_signature_algorithm_is_refused_by_name_before_anybody_is_asked(tmp_path):
    content_type, body = wire(tmp_path, b"x")
    sha512 = b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"

    def change(soap: bytes) -> bytes:
        soap = named_by(by_issuer_and_serial())(soap)
        return soap.replace(b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", sha512)

    def known(message):
        raise AssertionError("asked for nothing")

    with pytest.raises(As4Error, match="rsa-sha512") as refused:
        received(tmp_path, content_type, with_soap(content_type, body, change), known_signers=known)
    assert refused.value.kind.code == "EBMS:0103"


@pytest.mark.parametrize(
    "prefixes", ["env", "S12 env eb", "xsd xsi", "#default", "ds ebbp eb env wsse wsu xenc xsd xsi xlink", ""]
)
def test_any_list_of_inclusive_namespaces_is_honoured(tmp_path, prefixes):
    """Signed anew with the list, by libxml2's canonicalisation of the elements where they stand."""
    content_type, body = wire(tmp_path, b"x")

    def sign_anew(soap: bytes) -> bytes:
        root = etree.fromstring(
            soap.replace(
                b"<env:Envelope ", b'<env:Envelope xmlns:xsd="urn:xsd" xmlns:xsi="urn:xsi" xmlns="urn:d" '
            )
        )
        signature = root.find(f".//{names.DS}Signature")
        info = signature.find(names.DS + "SignedInfo")
        for reference in info.findall(names.DS + "Reference"):
            if reference.get("URI").startswith("#"):
                (element,) = root.xpath(f"//*[@*[local-name()='Id']='{reference.get('URI')[1:]}']")
                include(reference.find(f"{names.DS}Transforms/{names.DS}Transform"))
                digest = hashlib.sha256(canonical(element)).digest()
                reference.find(names.DS + "DigestValue").text = base64.b64encode(digest).decode()
        include(info.find(names.DS + "CanonicalizationMethod"))
        value = key("ap1").sign(canonical(info), padding.PKCS1v15(), hashes.SHA256())
        signature.find(names.DS + "SignatureValue").text = base64.b64encode(value).decode()
        return etree.tostring(root, xml_declaration=True, encoding="UTF-8")

    def include(parent: etree._Element) -> None:
        etree.SubElement(parent, names.EC + "InclusiveNamespaces", nsmap={"ec": C14N_EXCLUSIVE}).set(
            "PrefixList", prefixes
        )

    def canonical(element: etree._Element) -> bytes:
        return etree.tostring(
            element,
            method="c14n",
            exclusive=True,
            inclusive_ns_prefixes=prefixes.split() or None,
            with_comments=False,
        )

    changed = with_soap(content_type, body, sign_anew)
    assert prefixes.encode() in changed
    assert received(tmp_path, content_type, changed).parts[0].path.read_bytes() == b"x"


UGLY = b"<?xml version='1.0'?><!-- c --><a b='1'   a=\"2\"><![CDATA[x<]]></a>\n"


@pytest.mark.parametrize("mime_type", ["application/xml", "text/xml; charset=utf-8", "application/xhe+xml"])
def test_xml_that_is_not_compressed_is_signed_in_its_canonical_form(tmp_path, mime_type):
    """As WSS4J signs and verifies it (SwA profile 1.1, 5.4.2); what arrives is what was sent all the same."""
    part = PartInfo("part@ap", mime_type, is_compressed=False)
    with packed(tmp_path, UGLY, message=a_user_message(parts=(part,))) as sent:
        result = received(tmp_path, sent.content_type, b"".join(sent.chunks()))
    canonical = etree.tostring(
        etree.fromstring(UGLY).getroottree(), method="c14n", exclusive=True, with_comments=False
    )
    digests = {reference.uri: reference.digest for reference in sent.references}
    assert digests["cid:part@ap"] == hashlib.sha256(canonical).digest()
    assert result.parts[0].path.read_bytes() == UGLY


@pytest.mark.parametrize(
    ("content", "mime_type"), [(b"no xml", "application/xml"), (UGLY, "application/octet-stream")]
)
def test_what_is_no_xml_or_does_not_say_so_is_signed_as_it_is(tmp_path, content, mime_type):
    part = PartInfo("part@ap", mime_type, is_compressed=False)
    with packed(tmp_path, content, message=a_user_message(parts=(part,))) as sent:
        result = received(tmp_path, sent.content_type, b"".join(sent.chunks()))
    digests = {reference.uri: reference.digest for reference in sent.references}
    assert digests["cid:part@ap"] == hashlib.sha256(content).digest()
    assert result.parts[0].path.read_bytes() == content


def test_xml_that_was_signed_as_it_is_is_read_too(tmp_path, monkeypatch):
    """Not everybody canonicalises."""
    part = PartInfo("part@ap", is_compressed=False)
    monkeypatch.setattr(PartInfo, "is_signed_canonically", False)
    with packed(tmp_path, UGLY, message=a_user_message(parts=(part,))) as sent:
        body = b"".join(sent.chunks())
    monkeypatch.undo()
    assert received(tmp_path, sent.content_type, body).parts[0].path.read_bytes() == UGLY


def test_a_receipt_may_name_its_signer_without_including_it(tmp_path):
    with packed(tmp_path, b"x") as sent:
        taken = received(tmp_path, sent.content_type, b"".join(sent.chunks()))
    receipt = signals.write_receipt(
        taken.user_message.message_id,
        taken.references,
        message_id="receipt@ap1",
        timestamp=taken.user_message.timestamp,
        signing_key=key(SIGNER),
        signing_certificate=certificate(SIGNER),
    )
    receipt = named_by(by_issuer_and_serial())(receipt)
    options = {
        "sent_references": sent.references,
        "sent_message_id": taken.user_message.message_id,
        "check_signer": lambda signer: None,
    }
    read = signals.read_signal(signals.CONTENT_TYPE, receipt, known_signers=[certificate(SIGNER)], **options)
    assert read.signer == certificate(SIGNER)
    with pytest.raises(As4Error, match=r"EBMS:0302.*neither included nor known"):
        signals.read_signal(signals.CONTENT_TYPE, receipt, **options)
