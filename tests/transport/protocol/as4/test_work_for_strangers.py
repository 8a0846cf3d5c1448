"""What an unknown sender can make us do: counted, not timed."""

import base64
import io
import re

import pytest
from lxml import etree

from transport.protocol.as4 import mime, security, unpacking
from transport.protocol.as4.errors import As4Error
from transport.protocol.as4.messages import SignedReference
from transport.protocol.as4.mime import MimeLimits, read_parts
from transport.protocol.as4.security import Reference, verify_elements
from transport.protocol.identifiers import C14N_EXCLUSIVE
from transport.protocol.xml.canonical import canonical_element
from transport.protocol.xml.safe_xml import SMALL_DOCUMENT, XmlProblem, XmlRefused, parse

from .build import received, wire, with_soap


class _Unknown(Exception):
    pass


def _refuse(_):
    raise _Unknown


class _Counted(io.BytesIO):
    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.count = 0

    def read(self, size=-1):
        data = super().read(size)
        self.count += len(data)
        return data


@pytest.fixture
def canonicalised(monkeypatch):
    """The elements that were canonicalised."""
    elements = []

    def counted(element, *arguments, **options):
        elements.append(element)
        return canonical_element(element, *arguments, **options)

    monkeypatch.setattr(security, "canonical_element", counted)
    return elements


def _with_references(count: int, uri: bytes = b"#heavy"):
    """The message with an element of many children and as many references to it."""
    reference = (
        b'<ds:Reference URI="%s"><ds:Transforms><ds:Transform Algorithm="%s"/></ds:Transforms>'
        b'<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
        b"<ds:DigestValue>AAAA</ds:DigestValue></ds:Reference>" % (uri, C14N_EXCLUSIVE.encode())
    )
    heavy = b'<x:heavy xmlns:x="urn:x" Id="heavy">' + b"<x:a/>" * 500 + b"</x:heavy>"

    def change(soap: bytes) -> bytes:
        soap = soap.replace(b"</ds:SignedInfo>", reference * count + b"</ds:SignedInfo>")
        return soap.replace(b"</wsse:Security>", heavy + b"</wsse:Security>")

    return change


def test_of_a_stranger_nothing_is_canonicalised_and_no_part_is_read(tmp_path, canonicalised):
    content_type, body = wire(tmp_path, b"x" * 10_000_000)
    body = with_soap(content_type, body, _with_references(900))
    body += b"\0" * 2_000_000
    source = _Counted(body)
    with pytest.raises(_Unknown):
        unpacking.read_user_message(
            content_type,
            source,
            directory=tmp_path,
            decryption_keys=[],
            check_signer=lambda *_: pytest.fail("the signature was verified"),
            check_issuer=_refuse,
        )
    assert canonicalised == []
    assert source.count < 512 * 1024


def test_a_signature_refers_to_no_more_than_the_parts_and_three(tmp_path, canonicalised):
    content_type, body = wire(tmp_path, b"x", b"y")
    changed = with_soap(content_type, body, _with_references(2))
    with pytest.raises(As4Error, match="too much") as refused:
        received(tmp_path, content_type, changed)
    assert refused.value.kind.code == "EBMS:0101"
    assert canonicalised == []
    # One more is looked at; that it is not in the signature is seen then.
    with pytest.raises(As4Error, match="the signature does not hold"):
        received(tmp_path, content_type, with_soap(content_type, body, _with_references(1)))


def test_parts_that_are_announced_without_end_allow_no_more_references(tmp_path, canonicalised):
    content_type, body = wire(tmp_path, b"x")

    def change(soap: bytes) -> bytes:
        part = re.search(rb"<eb:PartInfo.*?</eb:PartInfo>", soap)[0]
        soap = soap.replace(b"</eb:PayloadInfo>", part * 1000 + b"</eb:PayloadInfo>")
        return _with_references(900)(soap)

    with pytest.raises(As4Error, match="too much"):
        received(tmp_path, content_type, with_soap(content_type, body, change))
    assert canonicalised == []


def _reference(uri: str, transform: str = C14N_EXCLUSIVE, digest: bytes = b"") -> Reference:
    return Reference(SignedReference(uri, digest, b""), transform, (), security.hashes.SHA256())


def test_every_element_is_referred_to_once_whatever_it_is_called(canonicalised):
    element = etree.fromstring(f'<a Id="one" wsu:Id="two" xmlns:wsu="{security.names.NS_WSU}"/>')
    by_id = security.elements_by_id(element)
    digest = security.sha256(canonical_element(element, C14N_EXCLUSIVE))
    covered, _ = verify_elements([_reference("#one", digest=digest)], by_id)
    assert covered == [element]
    canonicalised.clear()
    for names in (("#one", "#one"), ("#one", "#two")):
        with pytest.raises(As4Error, match="twice"):
            verify_elements([_reference(name, digest=digest) for name in names], by_id)
    assert len(canonicalised) == 2


def test_every_part_is_referred_to_once_whatever_it_is_called():
    transform = security.names.ATTACHMENT_SIGNATURE
    with pytest.raises(As4Error, match="twice"):
        verify_elements([_reference("cid:a%40b", transform), _reference("cid:a@b", transform)], {})


def test_more_encrypted_data_than_parts_is_refused_before_a_key_is_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking.PartOpener, "_unwrap", lambda *_: pytest.fail("a key was opened"))
    content_type, body = wire(tmp_path, b"x")

    def change(soap: bytes) -> bytes:
        data = re.search(rb"<xenc:EncryptedData.*?</xenc:EncryptedData>", soap)[0]
        more = b"".join(data.replace(b'Id="ED-', b'Id="E%d-' % n) for n in range(100))
        return soap.replace(b"</wsse:Security>", more + b"</wsse:Security>")

    with pytest.raises(As4Error, match="more is encrypted"):
        received(tmp_path, content_type, with_soap(content_type, body, change))


@pytest.mark.parametrize("begin", [b"&", b"&#xd", b"AAAA&", b"&#xd;&"])
def test_a_base64_part_that_begins_a_reference_and_never_ends_it_is_refused_at_once(tmp_path, begin):
    head = b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    source = _Counted(head + begin + b"A" * 1_900_000)
    with pytest.raises(As4Error, match="base64"):
        list(read_parts(source, "b", tmp_path, MimeLimits()))
    assert source.count <= 4 * 64 * 1024


def test_a_base64_decoder_holds_no_more_than_a_group_and_a_reference():
    decode = mime._Base64()
    for piece in (b"QUJD&#", b"xd;QUJ", b"D&", b"#x", b"D;", b"Q", b"UJD&#13", b";"):
        decode(piece)
        assert len(decode._carry) < 8
    assert decode(None) == b""


def test_a_certificate_path_is_not_followed_without_end(monkeypatch):
    steps = []
    split = security.der_content

    def counted(data, at):
        steps.append(at)
        return split(data, at)

    monkeypatch.setattr(security, "der_content", counted)
    inner = b"\x30\x00" * 500_000
    path = b"\x30\x83" + len(inner).to_bytes(3, "big") + inner
    token = etree.Element(security.names.WSSE + "BinarySecurityToken", ValueType=security.names.X509_PKI_PATH)
    token.text = base64.b64encode(path).decode()
    with pytest.raises(As4Error, match="path"):
        security._token_certificate(token)
    assert len(steps) < 20


def test_namespaces_in_scope_are_counted():
    """Each is looked up at every element that is canonicalised."""
    many = " ".join(f'xmlns:n{number}="urn:{number}"' for number in range(129))
    with pytest.raises(XmlRefused) as refused:
        parse(f"<a {many}/>".encode(), SMALL_DOCUMENT)
    assert refused.value.problem is XmlProblem.TOO_MANY_NAMESPACES
    nested = "".join(f'<a{n} xmlns:n{n}="urn:{n}" xmlns="urn:d{n}">' for n in range(60))
    nested += "".join(f"</a{n}>" for n in reversed(range(60)))
    assert parse(nested.encode(), SMALL_DOCUMENT) is not None
    apart = '<b xmlns:n="urn:n"/>' * 1000
    assert len(parse(f"<a>{apart}</a>".encode(), SMALL_DOCUMENT)) == 1000


@pytest.mark.parametrize(
    "value", [';="' * 50_000, "multipart/related; a*" + "9" * 5_000 + "=x; boundary=b", "\0", "\ud800", ""]
)
def test_a_content_type_of_any_length_and_form_is_0007(value):
    with pytest.raises(As4Error, match="EBMS:0007"):
        mime.boundary_of(value)


def test_a_content_type_is_read_as_it_is_written():
    assert mime.content_type_of('Multipart/Related; type="a;b\\"c"; Boundary="x y"') == (
        "multipart/related",
        {"type": 'a;b"c', "boundary": "x y"},
    )
