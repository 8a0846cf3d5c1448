"""Opening what others sealed, and refusing what nobody did."""

import base64
import io
import re
import tracemalloc

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from transport.protocol.errors import ProtocolError
from transport.protocol.identifiers import NS_SDK_MESSAGE
from transport.protocol.xhe import opening
from transport.protocol.xhe.encryption import NotDecryptable
from transport.protocol.xhe.envelope import EnvelopeMalformed, write_envelope
from transport.protocol.xhe.signature import SignatureInvalid, SignatureMissing
from transport.protocol.xml.canonical import AlgorithmNotAllowed
from transport.protocol.xml.safe_xml import ENVELOPE_DOCUMENT, XmlProblem, XmlRefused

from . import libxmlsec
from .build import an_envelope
from .keys import certificate, key
from .libxmlsec import DS, XENC
from .sealed import a_payload, decoded, in_lines, opened, sealed, signed_anew, verified, with_cipher_text

# --- what others seal


@pytest.mark.parametrize("transform", libxmlsec.CANONICALISATIONS)
@pytest.mark.parametrize("size", [100, 100_000])
def test_we_verify_and_decrypt_what_libxmlsec_seals(transform, size):
    payload = a_payload(size)
    document = libxmlsec.seal(payload, transform=transform)
    assert b"\n" in re.search(rb"<xenc:CipherValue>([^<]*)<", document)[1]
    assert etree.tostring(etree.fromstring(opened(document)), method="c14n", exclusive=True) == payload


def test_a_payload_that_leaves_its_namespaces_to_the_envelope_stands_alone_when_opened():
    envelope = write_envelope(an_envelope(), b"<tns:messagePayload><tns:message/></tns:messagePayload>")
    declared = envelope.replace(b"<x:XHE ", b'<x:XHE xmlns:tns="%s" ' % NS_SDK_MESSAGE.encode())
    document = libxmlsec.seal(b"", root=etree.fromstring(declared))
    payload = opened(document)
    assert etree.fromstring(payload).find(f"{{{NS_SDK_MESSAGE}}}message") is not None


@pytest.mark.parametrize("size", [100, 100_000])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"&#13;\n", b"&#xD;\n", b"\n\t\t"])
def test_base64_may_be_wrapped_as_any_sender_wraps_it(size, line_end):
    payload = a_payload(size)
    document = with_cipher_text(sealed(payload), lambda text: line_end + in_lines(text, line_end) + line_end)
    assert opened(b'<?xml version="1.0" encoding="UTF-8"?>\n' + signed_anew(document)) == payload


@pytest.mark.parametrize("size", [100, 100_000])
@pytest.mark.parametrize("inside", [b"<!--c-->", b"<![CDATA[]]>", b"&#65;", b"<?p i?>"])
def test_ciphertext_that_has_to_be_parsed_takes_the_slow_way(size, inside):
    payload = a_payload(size)
    instead_of = b"A" if inside == b"&#65;" else b""
    document = with_cipher_text(sealed(payload), lambda text: _insert(text, inside, instead_of))
    assert opened(signed_anew(document)) == payload


def _insert(text: bytes, inside: bytes, instead_of: bytes) -> bytes:
    at = text.index(instead_of, len(text) // 2)
    return text[:at] + inside + text[at + len(instead_of) :]


def test_line_ends_of_other_systems_do_not_break_a_signature():
    document = libxmlsec.seal(a_payload(100_000)).replace(b"\n", b"\r\n")
    assert b"messagePayload" in opened(document)


def test_a_utf16_document_is_opened():
    text = libxmlsec.seal(a_payload(100_000)).decode().replace("encoding='UTF-8'", "encoding='UTF-16'")
    assert b"messagePayload" in opened(text.encode("utf-16"))


def test_wrapped_base64_does_not_cost_memory():
    payload = a_payload(6_000_000)
    document = signed_anew(with_cipher_text(sealed(payload), lambda text: in_lines(text, b"&#13;\n")))
    source, out = io.BytesIO(document), io.BytesIO(b" " * len(payload))
    tracemalloc.start()
    opening.verify_envelope(source).write_payload(out, [key("recipient")])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert out.getvalue() == payload
    assert peak < 2_000_000


@pytest.mark.parametrize("name", ["message/xhe_encrypted_payload.xml", "message/xhe_unencrypted_payload.xml"])
def test_examples_that_were_reformatted_after_signing_are_refused(shared, name):
    document = (shared / "examples" / name).read_bytes()
    with pytest.raises(SignatureInvalid):
        verified(document)


def test_the_transport_models_own_example_holds(shared):
    document = (shared / "examples" / "xhe" / "XHE-tm-base-ext-sigenc.xml").read_bytes()
    envelope = verified(document)
    assert envelope.is_encrypted
    assert envelope.findings == ()
    assert envelope.encrypted_for is not None


# --- what was changed on the way


@pytest.mark.parametrize("size", [0, 60_000])
def test_every_flipped_bit_is_refused(size):
    document = sealed(a_payload(size))
    begin = document.index(b"<ds:KeyInfo><ds:X509Data>", document.index(b"<ds:Signature "))
    unsigned = range(begin, document.index(b"</ds:Signature>") + len(b"</ds:Signature>"))
    whole = verified(document).envelope
    for position in range(0, len(document), 7 if not size else 211):
        changed = bytearray(document)
        changed[position] ^= 1
        try:
            envelope = verified(bytes(changed)).envelope
        except ProtocolError:
            continue
        # KeyInfo is not signed; base64 of a certificate has bits that say nothing.
        assert position in unsigned
        assert envelope == whole


@pytest.mark.parametrize("size", [100, 100_000])
def test_ciphertext_of_another_message_is_refused(size):
    one, other = sealed(a_payload(size)), sealed(a_payload(size))
    (text,) = re.findall(
        rb"</xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>([^<]*)", other
    )
    with pytest.raises(SignatureInvalid):
        verified(with_cipher_text(one, lambda _: text))


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_comment_that_anybody_can_add_does_not_cut_a_value_off(size):
    payload = a_payload(size)
    document = sealed(payload)
    changed = document.replace(b"0203:habo.se<", b"0203:habo<!-- -->.se<").replace(
        b"funktion-b", b"funktion<!---->-b"
    )
    assert changed.count(b"<!--") == 2
    assert verified(changed).envelope == verified(document).envelope
    cut = with_cipher_text(changed, lambda text: text[:64] + b"<!-- -->" + text[64:])
    assert opened(cut) == payload


def test_a_processing_instruction_does_not_cut_a_value_off():
    document = signed_anew(sealed(a_payload()).replace(b"0203:habo.se<", b"0203:habo<?p i?>.se<"))
    assert verified(document).envelope.sender.value == "0203:habo.se"


def _two_signatures(root):
    root.append(etree.fromstring(etree.tostring(root.find(DS + "Signature"))))


def _moved_signature(root):
    root.find(".//{*}Header").append(root.find(DS + "Signature"))


def _wrapped(root):
    outer = etree.Element(root.tag, nsmap=root.nsmap)
    outer.extend([etree.fromstring(etree.tostring(child)) for child in root])
    root.append(outer)
    root.find(".//{*}FromParty//{*}ID").text = "0203:attacker.se"


def _wrapped_in_the_signature(root):
    """The signed document as an Object in its own signature, another around it."""
    inner = etree.fromstring(etree.tostring(root))
    signature = root.find(DS + "Signature")
    etree.SubElement(signature, DS + "Object").append(inner)
    root.find(".//{*}FromParty//{*}ID").text = "0203:attacker.se"


def _second_content(root):
    content = root.find(".//{*}PayloadContent")
    content.addnext(etree.fromstring(etree.tostring(content, with_tail=False)))


def _other_reference(root):
    root.find(f".//{DS}Reference").set("URI", "#x")


def _no_reference(root):
    info = root.find(f"{DS}Signature/{DS}SignedInfo")
    info.remove(info.find(DS + "Reference"))


def _second_reference(root):
    reference = root.find(f".//{DS}Reference")
    reference.addnext(etree.fromstring(etree.tostring(reference)))


def _second_signed_info(root):
    info = root.find(f"{DS}Signature/{DS}SignedInfo")
    info.addnext(etree.fromstring(etree.tostring(info)))


def _no_certificate(root):
    info = root.find(f"{DS}Signature/{DS}KeyInfo")
    info.getparent().remove(info)


def _stranger(root):
    text = base64.b64encode(certificate("stranger").public_bytes(serialization.Encoding.DER)).decode()
    root.find(f"{DS}Signature//{DS}X509Certificate").text = text


@pytest.mark.parametrize("size", [100, 100_000])
@pytest.mark.parametrize(
    "attack",
    [
        _two_signatures,
        _moved_signature,
        _wrapped,
        _wrapped_in_the_signature,
        _second_content,
        _other_reference,
        _no_reference,
        _second_reference,
        _second_signed_info,
        _no_certificate,
        _stranger,
    ],
)
def test_signature_wrapping_is_refused(attack, size):
    root = etree.fromstring(sealed(a_payload(size)))
    attack(root)
    with pytest.raises((SignatureInvalid, SignatureMissing, EnvelopeMalformed)):
        verified(etree.tostring(root))


@pytest.mark.parametrize(
    ("path", "algorithm"),
    [
        (f"{DS}Signature//{DS}SignatureMethod", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
        (f"{DS}Signature//{DS}SignatureMethod", "http://www.w3.org/2000/09/xmldsig#hmac-sha1"),
        (f"{DS}Signature//{DS}DigestMethod", "http://www.w3.org/2000/09/xmldsig#sha1"),
        (f"{DS}Signature//{DS}CanonicalizationMethod", "http://www.w3.org/2010/xml-c14n2"),
        (f"{DS}Signature//{DS}Transform", "http://www.w3.org/TR/1999/REC-xslt-19991116"),
        (f"{DS}Signature//{DS}Transform[2]", "http://www.w3.org/TR/1999/REC-xpath-19991116"),
        (f".//{XENC}EncryptedData/{XENC}EncryptionMethod", "http://www.w3.org/2009/xmlenc11#aes256-gcm"),
        (f".//{XENC}EncryptedKey/{XENC}EncryptionMethod", "http://www.w3.org/2001/04/xmlenc#rsa-1_5"),
        (f".//{XENC}EncryptedKey/{XENC}EncryptionMethod/{DS}DigestMethod", "urn:another-digest"),
    ],
)
def test_other_algorithms_are_refused_by_name(path, algorithm):
    root = etree.fromstring(sealed(a_payload()))
    root.find(path).set("Algorithm", algorithm)
    document = etree.tostring(root)
    with pytest.raises(AlgorithmNotAllowed, match=re.escape(algorithm)):
        verified(document if DS + "Signature" in path else signed_anew(document))


def test_a_document_without_signature_is_missing_one():
    with pytest.raises(SignatureMissing):
        verified(write_envelope(an_envelope(is_encrypted=False), a_payload()))


def test_a_document_over_the_limit_is_refused_unread(monkeypatch):
    monkeypatch.setattr(opening, "ENVELOPE_DOCUMENT", type(ENVELOPE_DOCUMENT)(max_bytes=100_000))
    with pytest.raises(XmlRefused) as refused:
        verified(sealed(a_payload(100_000)))
    assert refused.value.problem is XmlProblem.TOO_LARGE


# --- the fast way and the slow way

EDGE = 8_000
PIECES = [
    b"", b" ", b"\r", b"\n", b"\r\n", b"A", b"=", b"==", b"<", b">", b"&", b"]]>",
    b"\x00", b"\xc3\xa5", b"\xff", b"\xef\xbb\xbf",
    b"<!--x-->", b"<![CDATA[A]]>", b"<?p i?>", b"&#65;", b"&#13;", b"&#xD;", b"&#xd;", b"&#13", b"&amp;",
    b"<b></b>", b"</xenc:CipherValue>", b"<xenc:CipherValue>", b"</xenc:CipherValue><xenc:CipherValue>",
    b"<!DOCTYPE a>", b'<?xml version="1.0" encoding="ISO-8859-1"?>',
]  # fmt: skip


@st.composite
def changed_documents(draw):
    """An envelope with up to three changes, most of them in or near the ciphertext."""
    document = bytearray(sealed(b"<a>" + b"text" * 6_000 + b"</a>"))
    begin = document.index(b"<xenc:CipherValue>", document.index(b"</xenc:EncryptedKey></ds:KeyInfo>")) + 18
    end = document.index(b"<", begin)
    for _ in range(draw(st.integers(1, 3))):
        position = draw(
            st.one_of(
                st.integers(begin, end),
                st.integers(begin - 40, begin + 4),
                st.integers(end - 4, end + 40),
                st.integers(0, len(document) - 1),
                st.just(0),
            )
        )
        document[position : position + draw(st.integers(0, 3))] = draw(st.sampled_from(PIECES))
    return bytes(document)


def _verdict(document: bytes):
    """What a caller learns: the values and the payload, or that there are none."""
    try:
        envelope = verified(document)
        out = io.BytesIO()
        envelope.write_payload(out, [key("recipient")])
    except NotDecryptable:
        return envelope.envelope, NotDecryptable
    except ProtocolError:
        return None
    return envelope.envelope, out.getvalue()


@pytest.mark.parametrize("is_signed_anew", [False, True])
@given(changed_documents())
@settings(max_examples=150, deadline=None)
def test_the_fast_way_and_the_slow_way_agree(is_signed_anew, document):
    if is_signed_anew:
        try:
            document = signed_anew(document)
        except (etree.XMLSyntaxError, ValueError):
            return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "_EDGE", len(document))
        slow = _verdict(document)
        patch.setattr(opening, "_EDGE", EDGE)
        patch.setattr(opening, "_CHUNK", 64)
        assert _verdict(document) == slow


def test_the_fast_way_is_taken_for_what_we_seal():
    """Else the test above compares the slow way with itself."""
    document = sealed(a_payload(100_000))
    assert opening._Around.of(io.BytesIO(document)) is not None
    wrapped = with_cipher_text(document, lambda text: in_lines(text, b"&#13;\n"))
    assert opening._Around.of(io.BytesIO(signed_anew(wrapped))) is not None


# --- no oracle


def _failure(document: bytes, *names: str) -> tuple[type, str]:
    envelope = verified(document)
    with pytest.raises(NotDecryptable) as failure:
        envelope.write_payload(io.BytesIO(), [key(name) for name in names or ("recipient",)])
    assert failure.value.__cause__ is None
    return type(failure.value), str(failure.value)


def _other_text(change) -> bytes:
    """Our document with other ciphertext, rightly signed: what a malicious participant can make."""
    return signed_anew(with_cipher_text(sealed(a_payload(1000)), change))


def _in_bytes(change):
    return lambda text: base64.b64encode(change(decoded(text)))


def _other_wrapped_key(change) -> bytes:
    pattern = rb"(</ds:X509Data></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>)([^<]*)"
    document = sealed(a_payload(1000))
    return signed_anew(re.sub(pattern, lambda found: found[1] + change(found[2]), document, count=1))


def _key_of_length(length: int):
    def change(_: bytes) -> bytes:
        from transport.protocol.xhe import encryption

        return base64.b64encode(key("recipient").public_key().encrypt(b"k" * length, encryption._OAEP))

    return change


UNDECRYPTABLE = {
    "noise as wrapped key": lambda: _other_wrapped_key(lambda text: base64.b64encode(b"x" * 256)),
    "wrapped key too short": lambda: _other_wrapped_key(lambda text: text[:100]),
    "wrapped with PKCS 1.5": lambda: _other_wrapped_key(
        lambda _: base64.b64encode(key("recipient").public_key().encrypt(b"k" * 32, padding.PKCS1v15()))
    ),
    "a key of 16 bytes": lambda: _other_wrapped_key(_key_of_length(16)),
    "another key": lambda: _other_wrapped_key(_key_of_length(32)),
    "padding": lambda: _other_text(_in_bytes(lambda data: data[:-16])),
    "last block": lambda: _other_text(_in_bytes(lambda data: data[:-1] + bytes([data[-1] ^ 1]))),
    "a block in the middle": lambda: _other_text(_in_bytes(lambda data: data[:64] + b"x" * 16 + data[80:])),
    "half a block": lambda: _other_text(_in_bytes(lambda data: data[:-8])),
    "an IV alone": lambda: _other_text(_in_bytes(lambda data: data[:16])),
    "less than an IV": lambda: _other_text(_in_bytes(lambda data: data[:5])),
    "not base64": lambda: _other_text(lambda text: text[:50] + b"?" + text[51:]),
    "base64 that ends twice": lambda: _other_text(lambda text: b"QQ==" + text),
    "half a group": lambda: _other_text(lambda text: text + b"QQ"),
    "nothing": lambda: _other_text(lambda text: b""),
    "text": lambda: sealed(b"no XML"),
    "no payload": lambda: sealed(b""),
    "two elements": lambda: sealed(b"<a></a><b></b>"),
    "unbound prefix": lambda: sealed(b"<unbound:a></unbound:a>"),
    "a document type": lambda: sealed(b"<!DOCTYPE a><a></a>"),
    "too deep": lambda: sealed(b"<a>" * 100 + b"</a>" * 100),
    "broken at the end": lambda: sealed(b"<a>" + b"text" * 50_000 + b"</b>"),
}


@pytest.mark.parametrize("cause", UNDECRYPTABLE)
def test_every_failure_to_decrypt_looks_the_same(cause):
    assert _failure(UNDECRYPTABLE[cause]()) == (NotDecryptable, "the payload could not be decrypted")


def test_a_wrong_key_is_never_taken_for_a_right_one():
    """One padding in sixteen looks right by accident."""
    envelope = verified(sealed(a_payload()))
    for _ in range(60):
        with pytest.raises(NotDecryptable):
            envelope.write_payload(io.BytesIO(), [key("stranger"), key("sender")])
    with pytest.raises(NotDecryptable):
        envelope.write_payload(io.BytesIO(), [])


def test_a_key_that_does_not_fit_costs_a_whole_decryption():
    """What fails early and what fails late has done the same work: time tells nothing."""
    written = []

    class Count(io.BytesIO):
        def write(self, data):
            written[-1] += len(data)
            return len(data)

    for names in (["stranger"], ["recipient"]):
        written.append(0)
        envelope = verified(signed_anew(with_cipher_text(sealed(a_payload(200_000)), lambda text: text)))
        try:
            envelope.write_payload(Count(), [key(name) for name in names])
        except NotDecryptable:
            assert names == ["stranger"]
    assert abs(written[0] - written[1]) <= 16


def test_any_key_of_the_organisation_may_fit():
    document = sealed(a_payload())
    assert opened(document, "stranger", "recipient") == opened(document)


def test_an_old_key_still_opens_when_the_certificate_is_not_included():
    document = sealed(a_payload())
    pattern = rb"(</xenc:EncryptionMethod>)<ds:KeyInfo><ds:X509Data>.*?</ds:KeyInfo>(<xenc:CipherData>)"
    without, count = re.subn(pattern, rb"\1\2", document, count=1, flags=re.DOTALL)
    assert count == 1
    without = signed_anew(without)
    assert verified(without).encrypted_for is None
    assert opened(without, "stranger", "sender", "recipient") == opened(document)
