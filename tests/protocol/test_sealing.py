"""Sealing and opening, held against libxmlsec1 and signxml."""

import base64
import io
import re
import tracemalloc

import pytest
import signxml
import xmlsec
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.protocol.build import a_message, a_receipt, an_envelope
from tests.protocol.keys import certificate, key
from transport.protocol import opening, sealing
from transport.protocol.canonical import AlgorithmNotAllowed
from transport.protocol.encryption import NotDecryptable
from transport.protocol.envelope import EnvelopeMalformed
from transport.protocol.errors import ProtocolError
from transport.protocol.message import BytesContent, File, write_message
from transport.protocol.message_receipt import write_receipt
from transport.protocol.signature import SignatureInvalid, SignatureMissing

DS = "{http://www.w3.org/2000/09/xmldsig#}"
XENC = "{http://www.w3.org/2001/04/xmlenc#}"


def a_payload(size: int = 0) -> bytes:
    out = io.BytesIO()
    files = (File("a.pdf", "application/pdf", BytesContent(b"%PDF" + b"x" * size)),) if size else ()
    write_message(a_message(files=files), out)
    return out.getvalue()


def sealed(payload: bytes, *, encrypted: bool = True) -> bytes:
    return sealing.sealed(
        an_envelope(is_encrypted=encrypted),
        payload,
        signing_key=key("sender"),
        signing_certificate=certificate("sender"),
        encryption_certificate=certificate("recipient") if encrypted else None,
    )


def opened(data: bytes, *names: str) -> bytes:
    out = io.BytesIO()
    opening.verified_bytes(data).write_payload(out, [key(name) for name in names or ("recipient",)])
    return out.getvalue()


def pem(name: str) -> bytes:
    return key(name).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def xmlsec_verify(root) -> None:
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(
        certificate("sender").public_bytes(serialization.Encoding.PEM), xmlsec.constants.KeyDataFormatCertPem
    )
    context.verify(root.find(DS + "Signature"))


def xmlsec_sealed(payload: bytes, transform=None) -> bytes:
    """An envelope that libxmlsec1 encrypted and signed."""
    envelope = an_envelope(is_encrypted=True)
    root = etree.fromstring(opening_free_envelope(envelope, payload))
    content = root.find(".//{*}PayloadContent")
    template = xmlsec.template.encrypted_data_create(
        root, xmlsec.constants.TransformAes256Cbc, type=xmlsec.constants.TypeEncElement, ns="xenc"
    )
    xmlsec.template.encrypted_data_ensure_cipher_value(template)
    info = xmlsec.template.encrypted_data_ensure_key_info(template, ns="ds")
    encrypted_key = xmlsec.template.add_encrypted_key(info, xmlsec.constants.TransformRsaOaep)
    xmlsec.template.encrypted_data_ensure_cipher_value(encrypted_key)
    data = xmlsec.template.add_x509_data(
        xmlsec.template.encrypted_data_ensure_key_info(encrypted_key, ns="ds")
    )
    xmlsec.template.x509_data_add_certificate(data)
    manager = xmlsec.KeysManager()
    public = xmlsec.Key.from_memory(
        certificate("recipient").public_bytes(serialization.Encoding.PEM),
        xmlsec.constants.KeyDataFormatCertPem,
    )
    manager.add_key(public)
    context = xmlsec.EncryptionContext(manager)
    context.key = xmlsec.Key.generate(xmlsec.constants.KeyDataAes, 256, xmlsec.constants.KeyDataTypeSession)
    context.encrypt_xml(template, content[0])
    node = xmlsec.template.create(
        root, xmlsec.constants.TransformInclC14N, xmlsec.constants.TransformRsaSha256
    )
    root.append(node)
    reference = xmlsec.template.add_reference(node, xmlsec.constants.TransformSha256, uri="")
    xmlsec.template.add_transform(reference, xmlsec.constants.TransformEnveloped)
    if transform is not None:
        xmlsec.template.add_transform(reference, transform)
    xmlsec.template.x509_data_add_certificate(
        xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(node))
    )
    signing = xmlsec.SignatureContext()
    signing.key = xmlsec.Key.from_memory(pem("sender"), xmlsec.constants.KeyDataFormatPem)
    signing.key.load_cert_from_memory(
        certificate("sender").public_bytes(serialization.Encoding.PEM), xmlsec.constants.KeyDataFormatPem
    )
    signing.sign(node)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)


def opening_free_envelope(envelope, payload: bytes) -> bytes:
    from transport.protocol.envelope import write_envelope

    return write_envelope(envelope, payload)


@pytest.mark.parametrize("size", [0, 1, 47, 48 * 1024, 200_000])
def test_what_is_sealed_can_be_opened(size):
    payload = a_payload(size)
    data = sealed(payload)
    verified = opening.verified_bytes(data)
    assert verified.findings == ()
    assert verified.is_encrypted
    assert verified.encrypted_for == certificate("recipient")
    assert verified.signing_certificate == certificate("sender")
    assert opened(data) == payload


def test_a_sealed_envelope_is_canonical():
    data = sealed(a_payload())
    assert etree.tostring(etree.fromstring(data), method="c14n") == data


def test_libxmlsec_verifies_and_decrypts_what_we_seal():
    payload = a_payload(10_000)
    root = etree.fromstring(sealed(payload))
    xmlsec_verify(root)
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory(pem("recipient"), xmlsec.constants.KeyDataFormatPem))
    decrypted = xmlsec.EncryptionContext(manager).decrypt(root.find(f".//{XENC}EncryptedData"))
    assert etree.tostring(decrypted, method="c14n").startswith(b"<tns:messagePayload")
    assert decrypted.findtext(".//{*}label") == "Kallelse"


@pytest.mark.parametrize(
    "transform", [None, xmlsec.constants.TransformInclC14N, xmlsec.constants.TransformExclC14N]
)
def test_we_verify_and_decrypt_what_libxmlsec_seals(transform):
    payload = a_payload(10_000)
    data = xmlsec_sealed(payload, transform)
    assert b"\n" in re.search(rb"<xenc:CipherValue>([^<]*)<", data)[1]
    assert etree.fromstring(opened(data)).findtext(".//{*}label") == "Kallelse"


def test_signxml_verifies_what_we_seal():
    root = etree.fromstring(sealed(a_payload()))
    result = signxml.XMLVerifier().verify(root, x509_cert=certificate("sender"))
    assert result.signed_xml is not None


def test_line_ends_of_other_systems_do_not_break_a_signature():
    data = xmlsec_sealed(a_payload(10_000)).replace(b"\n", b"\r\n")
    assert opened(data)


def test_a_utf16_document_takes_the_slow_way_and_is_opened():
    data = xmlsec_sealed(a_payload(1000))
    text = data.decode().replace("encoding='UTF-8'", "encoding='UTF-16'")
    assert opened(text.encode("utf-16"))


def test_a_receipt_is_signed_and_stands_in_the_clear():
    receipt = write_receipt(a_receipt())
    data = sealed(receipt, encrypted=False)
    xmlsec_verify(etree.fromstring(data))
    verified = opening.verified_bytes(data)
    assert not verified.is_encrypted
    out = io.BytesIO()
    verified.write_payload(out)
    assert etree.tostring(etree.fromstring(out.getvalue()), method="c14n", exclusive=True) == etree.tostring(
        etree.fromstring(receipt), method="c14n", exclusive=True
    )


def test_every_flipped_bit_is_refused():
    data = sealed(a_payload())
    allowed = opening.verified_bytes(data).envelope
    for position in range(0, len(data), 7):
        changed = bytearray(data)
        changed[position] ^= 1
        try:
            verified = opening.verified_bytes(bytes(changed))
        except ProtocolError:
            continue
        # Only what the signature does not cover, its own KeyInfo's surroundings, may be changed unseen.
        assert verified.envelope == allowed
        assert (
            b"KeyInfo" in data[position - 400 : position + 2000]
            or b"Signature" in data[position - 60 : position + 60]
        )
        assert opened(bytes(changed)) == opened(data)


def test_ciphertext_of_another_message_is_refused():
    one, other = sealed(a_payload(100)), sealed(a_payload(100))
    pattern = rb"(</ds:KeyInfo><xenc:CipherData><xenc:CipherValue>)([^<]*)"
    swapped = re.sub(pattern, rb"\g<1>" + re.search(pattern, other)[2], one)
    with pytest.raises(SignatureInvalid):
        opening.verified_bytes(swapped)


def _two_signatures(root):
    root.append(etree.fromstring(etree.tostring(root.find(DS + "Signature"))))


def _moved_signature(root):
    root.find(".//{*}Header").append(root.find(DS + "Signature"))


def _wrapped(root):
    outer = etree.Element(root.tag, nsmap=root.nsmap)
    outer.extend([etree.fromstring(etree.tostring(child)) for child in root])
    root.append(outer)
    root.find(".//{*}FromParty//{*}ID").text = "0203:attacker.se"


def _second_content(root):
    content = root.find(".//{*}PayloadContent")
    content.addnext(etree.fromstring(etree.tostring(content, with_tail=False)))


def _other_reference(root):
    root.find(f".//{DS}Reference").set("URI", "#x")


def _no_certificate(root):
    info = root.find(f"{DS}Signature/{DS}KeyInfo")
    info.getparent().remove(info)


def _stranger(root):
    text = base64.b64encode(certificate("stranger").public_bytes(serialization.Encoding.DER)).decode()
    root.find(f"{DS}Signature//{DS}X509Certificate").text = text


@pytest.mark.parametrize(
    "attack",
    [
        _two_signatures,
        _moved_signature,
        _wrapped,
        _second_content,
        _other_reference,
        _no_certificate,
        _stranger,
    ],
)
def test_signature_wrapping_is_refused(attack):
    root = etree.fromstring(sealed(a_payload()))
    attack(root)
    with pytest.raises((SignatureInvalid, SignatureMissing, EnvelopeMalformed)):
        opening.verified_bytes(etree.tostring(root))


@pytest.mark.parametrize(
    ("path", "algorithm"),
    [
        (f"{DS}Signature//{DS}SignatureMethod", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
        (f"{DS}Signature//{DS}DigestMethod", "http://www.w3.org/2000/09/xmldsig#sha1"),
        (f"{DS}Signature//{DS}CanonicalizationMethod", "http://www.w3.org/2010/xml-c14n2"),
        (f"{DS}Signature//{DS}Transform", "http://www.w3.org/TR/1999/REC-xslt-19991116"),
    ],
)
def test_other_algorithms_are_refused_by_name(path, algorithm):
    root = etree.fromstring(sealed(a_payload()))
    root.find(path).set("Algorithm", algorithm)
    with pytest.raises(AlgorithmNotAllowed, match=re.escape(algorithm)):
        opening.verified_bytes(etree.tostring(root))


def test_every_failure_to_decrypt_looks_the_same():
    verified = opening.verified_bytes(sealed(a_payload(1000)))
    messages = set()
    for keys in ([], [key("stranger")], [key("stranger"), key("sender")]):
        with pytest.raises(NotDecryptable) as failure:
            verified.write_payload(io.BytesIO(), keys)
        messages.add((type(failure.value), str(failure.value)))
    assert len(messages) == 1


def test_an_old_key_still_opens_when_the_certificate_is_not_included():
    data = sealed(a_payload())
    assert opened(data, "stranger", "recipient") == opened(data)


def test_a_document_without_signature_is_missing_one():
    with pytest.raises(SignatureMissing):
        opening.verified_bytes(opening_free_envelope(an_envelope(is_encrypted=False), a_payload()))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_the_fast_way_never_takes_what_the_slow_way_refuses(data):
    document = bytearray(sealed(b"<a></a>"))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(document) - 1))
        piece = data.draw(
            st.sampled_from([b"", b" ", b"\r\n", b"<!--x-->", b"&#65;", b"<![CDATA[A]]>", b"A", b"="])
        )
        document[position : position + data.draw(st.integers(0, 2))] = piece
    changed = bytes(document)

    def verdict(slow: bool):
        finder = opening._find_cipher_text
        if slow:
            opening._find_cipher_text = lambda source: None
        try:
            return opening.verified_bytes(changed).envelope
        except ProtocolError:
            return None
        finally:
            opening._find_cipher_text = finder

    fast = verdict(slow=False)
    if fast is not None:
        assert fast == verdict(slow=True)


def test_memory_does_not_grow_with_the_payload(tmp_path):
    path, out = tmp_path / "payload", tmp_path / "sealed"
    path.write_bytes(a_payload(12_000_000))
    certificate("sender"), certificate("recipient")
    tracemalloc.start()
    with path.open("rb") as payload, out.open("wb") as target:
        sealing.seal(
            an_envelope(),
            payload,
            target,
            signing_key=key("sender"),
            signing_certificate=certificate("sender"),
            encryption_certificate=certificate("recipient"),
        )
    sealing_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    with out.open("rb") as source, (tmp_path / "opened").open("wb") as target:
        opening.verify_envelope(source).write_payload(target, [key("recipient")])
    opening_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "opened").read_bytes() == path.read_bytes()
    assert sealing_peak < 5_000_000
    assert opening_peak < 5_000_000
