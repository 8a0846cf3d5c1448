"""AS4 user messages: packed, read, and refused by their EBMS codes."""

import io
import re
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.transport.protocol.keys import certificate, key
from transport.protocol.as4 import packing
from transport.protocol.as4.errors import As4Error
from transport.protocol.as4.messages import PartInfo
from transport.protocol.as4.mime import MimeLimits, boundary_of, read_parts
from transport.protocol.as4.unpacking import As4Limits, DecryptionKey, read_user_message
from transport.protocol.identifiers import C14N_EXCLUSIVE
from transport.protocol.xml.canonical import canonical_element

from .build import a_user_message, packed, received, wire, with_soap


def test_what_is_packed_is_read_back(tmp_path):
    contents = [b"<a>one</a>", b"\0" * 100_000, b""]
    message = a_user_message(parts=tuple(PartInfo(f"p{n}@x", is_compressed=n != 1) for n in range(3)))
    with packed(tmp_path, *contents, message=message) as sent:
        body = b"".join(sent.chunks())
        assert len(body) == sent.content_length
        assert b"".join(sent.chunks()) == body
        result = received(tmp_path, sent.content_type, body)
        assert {r.uri: r.digest for r in result.references} == {r.uri: r.digest for r in sent.references}
    assert result.user_message == message
    assert result.signing_certificate == certificate("ap1")
    assert [part.path.read_bytes() for part in result.parts] == contents
    assert [part.size for part in result.parts] == [len(content) for content in contents]


def test_the_packed_file_goes_when_the_message_is_closed(tmp_path):
    packed(tmp_path, b"x").close()
    assert list(tmp_path.iterdir()) == []


def test_the_header_has_the_profile_s_shape(tmp_path):
    content_type, body = wire(tmp_path, b"x")
    assert 'type="application/soap+xml"' in content_type
    assert b"\n" not in body.replace(b"\r\n", b"")[: body.index(b"<?xml")]
    root = etree.fromstring(re.search(rb"<\?xml.*</env:Envelope>", body, re.S)[0])
    ns = {
        "eb": "http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/",
        "env": "http://www.w3.org/2003/05/soap-envelope",
        "ds": "http://www.w3.org/2000/09/xmldsig#",
        "xenc": "http://www.w3.org/2001/04/xmlenc#",
    }
    assert root.xpath("string(//eb:Messaging/@env:mustUnderstand)", namespaces=ns) == "true"
    assert re.fullmatch(r"\S+T\S+\.\d{3}Z", root.xpath("string(//eb:Timestamp)", namespaces=ns))
    assert root.xpath("string(//eb:From/eb:Role)", namespaces=ns).endswith("/200704/initiator")
    assert root.xpath("string(//eb:UserMessage/@mpc)", namespaces=ns).endswith("/200704/defaultMPC")
    properties = root.xpath("//eb:MessageProperties/eb:Property/@name", namespaces=ns)
    assert properties == ["originalSender", "finalRecipient"]
    assert {m.get("Algorithm") for m in root.xpath("//xenc:EncryptionMethod", namespaces=ns)} == {
        "http://www.w3.org/2009/xmlenc11#rsa-oaep",
        "http://www.w3.org/2009/xmlenc11#aes128-gcm",
    }
    assert len(root.xpath("//ds:Reference", namespaces=ns)) == 3


def test_our_canonical_header_is_what_an_independent_canonicaliser_makes(tmp_path):
    """libxml2's exclusive canonicalisation of the element in its document, by XPath node set."""
    import base64

    from cryptography.hazmat.primitives import hashes

    _, body = wire(tmp_path, b"x")
    root = etree.fromstring(re.search(rb"<\?xml.*</env:Envelope>", body, re.S)[0])
    references = root.findall(".//{http://www.w3.org/2000/09/xmldsig#}Reference")
    for reference in references:
        uri = reference.get("URI")
        if uri.startswith("cid:"):
            continue
        (element,) = root.xpath(f"//*[@*[local-name()='Id']='{uri[1:]}']")
        digest = hashes.Hash(hashes.SHA256())
        data = etree.tostring(element, method="c14n", exclusive=True, with_comments=False)
        assert canonical_element(element, C14N_EXCLUSIVE) == data
        digest.update(data)
        told = reference.findtext("{http://www.w3.org/2000/09/xmldsig#}DigestValue")
        assert base64.b64decode(told) == digest.finalize()


def test_the_signer_is_judged_before_anything_is_decrypted(tmp_path):
    class Refused(Exception):
        pass

    def refuse(signer, message):
        assert signer == certificate("ap1")
        assert message.sender_party == "AP0001-SDK-TEST"
        raise Refused

    content_type, body = wire(tmp_path, b"x")
    with pytest.raises(Refused):
        received(tmp_path, content_type, body, check_signer=refuse, keys=[])


def test_an_old_key_still_opens(tmp_path):
    content_type, body = wire(tmp_path, b"x")
    keys = [DecryptionKey(key("newer"), certificate("newer")), DecryptionKey(key("ap2"), certificate("ap2"))]
    assert received(tmp_path, content_type, body, keys=keys).parts[0].path.read_bytes() == b"x"


def _code(tmp_path, content_type: str, body: bytes, **options) -> str:
    with pytest.raises(As4Error) as refused:
        received(tmp_path, content_type, body, **options)
    return refused.value.kind.code


def test_a_message_for_another_access_point_is_0102(tmp_path):
    content_type, body = wire(tmp_path, b"x")
    keys = [DecryptionKey(key("other"), certificate("other"))]
    assert _code(tmp_path, content_type, body, keys=keys) == "EBMS:0102"


def test_a_changed_header_is_0101(tmp_path):
    content_type, body = wire(tmp_path, b"x")
    changed = body.replace(b"0203:habo.se", b"0203:hebo.se")
    assert _code(tmp_path, content_type, changed) == "EBMS:0101"


def test_a_changed_part_is_0102(tmp_path):
    content_type, body = wire(tmp_path, b"x" * 1000)
    position = body.rindex(b"\r\n\r\n") + 30
    changed = body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]
    assert _code(tmp_path, content_type, changed) == "EBMS:0102"


def test_an_unsigned_message_is_0103(tmp_path):
    content_type, body = wire(tmp_path, b"x")
    changed = with_soap(content_type, body, lambda s: re.sub(rb"<ds:Signature .*?</ds:Signature>", b"", s))
    assert _code(tmp_path, content_type, changed) == "EBMS:0103"


def test_an_unencrypted_part_is_0103(tmp_path):
    content_type, body = wire(tmp_path, b"x")
    pattern = rb"<xenc:EncryptedData.*?</xenc:EncryptedData>"
    changed = with_soap(content_type, body, lambda s: re.sub(pattern, b"", s))
    assert _code(tmp_path, content_type, changed) == "EBMS:0103"


@pytest.mark.parametrize(
    ("ours", "other"),
    [
        (b"http://www.w3.org/2009/xmlenc11#aes128-gcm", b"http://www.w3.org/2001/04/xmlenc#aes128-cbc"),
        (b"http://www.w3.org/2009/xmlenc11#rsa-oaep", b"http://www.w3.org/2001/04/xmlenc#rsa-1_5"),
        (b"http://www.w3.org/2009/xmlenc11#mgf1sha256", b"http://www.w3.org/2009/xmlenc11#mgf1sha1"),
    ],
)
def test_another_algorithm_is_0103_by_name(tmp_path, ours, other):
    content_type, body = wire(tmp_path, b"x")
    changed = with_soap(content_type, body, lambda s: s.replace(ours, other))
    with pytest.raises(As4Error, match=re.escape(other.decode())) as refused:
        received(tmp_path, content_type, changed)
    assert refused.value.kind.code == "EBMS:0103"


def test_a_missing_part_is_0007(tmp_path):
    content_type, body = wire(tmp_path, b"x", b"y")
    boundary = b"--" + boundary_of(content_type).encode()
    pieces = body.split(boundary)
    changed = boundary.join([*pieces[:2], *pieces[3:]])
    assert _code(tmp_path, content_type, changed) == "EBMS:0007"


def test_a_part_too_many_is_0007(tmp_path):
    content_type, body = wire(tmp_path, b"x")
    boundary = b"--" + boundary_of(content_type).encode()
    extra = boundary + b"\r\nContent-ID: <extra@x>\r\n\r\nx\r\n"
    changed = body.replace(boundary + b"--", extra + boundary + b"--")
    assert _code(tmp_path, content_type, changed) == "EBMS:0007"


@pytest.mark.parametrize("cut", [0, 10, 500, -1, -30])
def test_half_a_message_is_0007(tmp_path, cut):
    content_type, body = wire(tmp_path, b"x" * 1000)
    assert _code(tmp_path, content_type, body[:cut].rstrip(b"-\r\n")) == "EBMS:0007"


def test_a_broken_gzip_is_0303(tmp_path, monkeypatch):
    class Identity:
        def compress(self, data):
            return data

        def flush(self):
            return b""

    monkeypatch.setattr(packing.isal_zlib, "compressobj", lambda **_: Identity())
    content_type, body = wire(tmp_path, b"this is no gzip")
    monkeypatch.undo()
    assert _code(tmp_path, content_type, body) == "EBMS:0303"


def test_a_gzip_that_unpacks_to_a_hundred_times_its_size_is_0303(tmp_path):
    content_type, body = wire(tmp_path, b"\0" * 20_000_000)
    assert len(body) < 200_000
    assert _code(tmp_path, content_type, body) == "EBMS:0303"


def test_a_moved_messaging_is_refused(tmp_path):
    """Wrapping: the signed Messaging is put aside and another stands in its place."""
    content_type, body = wire(tmp_path, b"x")

    def wrap(soap: bytes) -> bytes:
        messaging = re.search(rb"<eb:Messaging.*?</eb:Messaging>", soap, re.S)[0]
        other = messaging.replace(b"0203:habo.se", b"0203:evil.se")
        other = re.sub(rb'wsu:Id="[^"]*"', b'wsu:Id="other"', other, count=1)
        return soap.replace(messaging, other).replace(
            b"</wsse:Security>", b"<x:a xmlns:x='urn:x'>" + messaging + b"</x:a></wsse:Security>"
        )

    assert _code(tmp_path, content_type, with_soap(content_type, body, wrap)) == "EBMS:0103"


def test_an_id_that_stands_twice_is_refused(tmp_path):
    content_type, body = wire(tmp_path, b"x")

    def double(soap: bytes) -> bytes:
        identity = re.search(rb'<env:Body[^>]*wsu:Id="([^"]*)"', soap)[1]
        element = b'<x:a xmlns:x="urn:x" Id="' + identity + b'"/></wsse:Security>'
        return soap.replace(b"</wsse:Security>", element)

    assert _code(tmp_path, content_type, with_soap(content_type, body, double)) == "EBMS:0101"


def test_habits_of_other_senders_are_read(tmp_path):
    """Parts in another order, LF alone, no Content-ID on the root, base64 with character references."""
    import base64

    content_type, body = wire(tmp_path, b"one" * 100, b"two" * 100)
    boundary = boundary_of(content_type).encode()
    pieces = body.split(b"--" + boundary)
    root = re.sub(rb"Content-ID: <[^>]*>\r\n", b"", pieces[1], count=1).replace(b"\r\n", b"\n")

    def as_base64(piece: bytes) -> bytes:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        text = base64.encodebytes(content[: len(content)]).replace(b"\n", b"&#xd;\n")
        head = head.replace(b": binary", b": base64")
        return b"\n" + head.replace(b"\r\n", b"\n") + b"\n\n" + text

    original = {}
    for piece in pieces[2:4]:
        start = piece.index(b"\r\n\r\n") + 4
        original[piece] = piece[:start] + piece[start:-2]
    other = [as_base64(original[pieces[3]]), as_base64(original[pieces[2]])]
    changed = (b"--" + boundary).join([b"", root, *other, b"--\n"])
    result = received(tmp_path, content_type, changed)
    assert [part.path.read_bytes() for part in result.parts] == [b"one" * 100, b"two" * 100]


def test_ten_thousand_parts_are_refused(tmp_path):
    body = b"".join(b"--b\r\nContent-ID: <%d>\r\n\r\nx\r\n" % n for n in range(10_000)) + b"--b--"
    with pytest.raises(As4Error, match="64 parts"):
        list(read_parts(io.BytesIO(body), "b", tmp_path, MimeLimits()))
    assert len(list(tmp_path.iterdir())) == 64


class _Endless(io.RawIOBase):
    def __init__(self, start: bytes) -> None:
        self._start = start
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        self.given += size
        start, self._start = self._start, b""
        return start or b"a" * size


def test_endless_headers_are_refused_in_bounded_memory(tmp_path):
    source = _Endless(b"--b\r\nX: ")
    with pytest.raises(As4Error, match="headers too long"):
        list(read_parts(source, "b", tmp_path, MimeLimits()))
    assert source.given < 1_000_000


def test_an_endless_part_is_refused(tmp_path):
    source = _Endless(b"--b\r\n\r\n")
    with pytest.raises(As4Error, match="first part"):
        list(read_parts(source, "b", tmp_path, MimeLimits(max_first_part=500_000)))
    assert source.given < 1_000_000


@given(st.binary(max_size=400), st.integers(1, 50))
@settings(max_examples=200, deadline=None)
def test_parts_survive_any_chunking(tmp_path_factory, content, size):
    class Trickle(io.BytesIO):
        def read(self, _=-1):
            return super().read(size)

    body = b"--b-1\r\nContent-ID: <x>\r\n\r\n" + content.replace(b"\n--b-1", b"") + b"\r\n--b-1--\r\n"
    (part,) = read_parts(Trickle(body), "b-1", tmp_path_factory.mktemp("p"), MimeLimits())
    assert part.path.read_bytes() == content.replace(b"\n--b-1", b"")


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_damage_is_an_as4_error(tmp_path_factory, data):
    directory = tmp_path_factory.mktemp("as4")
    content_type, body = wire(directory, b"content" * 20)
    changed = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(changed) - 1))
        changed[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        result = received(directory, content_type, bytes(changed))
    except As4Error:
        return
    assert result.parts[0].path.read_bytes() == b"content" * 20


def test_memory_stays_bounded_for_thirty_megabytes(tmp_path):
    import os

    source = tmp_path / "source"
    source.write_bytes(os.urandom(30_000_000))
    certificate("ap1"), certificate("ap2")
    (tmp_path / "in").mkdir()
    tracemalloc.start()
    with source.open("rb") as stream:
        message = packing.write_user_message(
            a_user_message(),
            [stream],
            work_directory=tmp_path,
            signing_key=key("ap1"),
            signing_certificate=certificate("ap1"),
            encryption_certificate=certificate("ap2"),
        )
    with message, (tmp_path / "wire").open("w+b") as sent:
        for chunk in message.chunks():
            sent.write(chunk)
        sent.seek(0)
        result = read_user_message(
            message.content_type,
            sent,
            directory=tmp_path / "in",
            decryption_keys=[DecryptionKey(key("ap2"), certificate("ap2"))],
            check_signer=lambda *_: None,
            limits=As4Limits(),
        )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.parts[0].path.read_bytes() == source.read_bytes()
    assert peak < 6_000_000


def test_an_inconsistent_header_names_what_is_wrong(tmp_path):
    message = replace(a_user_message(), message_id="x" * 300)
    with packed(tmp_path, b"x", message=message) as sent:
        body = b"".join(sent.chunks())
        with pytest.raises(As4Error, match="MessageId") as refused:
            received(tmp_path, sent.content_type, body)
    assert refused.value.kind.code == "EBMS:0009"
