"""Whatever a parser is given: values, or its package's error, and nothing else."""

import contextlib
import io
import random
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.transport.protocol.as4.build import received, wire
from transport.protocol.as4 import signals
from transport.protocol.as4.errors import OTHER, As4Error
from transport.protocol.as4.mime import boundary_of, only_part
from transport.protocol.certificates import load_certificate, load_certificates
from transport.protocol.checking import Means, check_file
from transport.protocol.discovery import Naptr, smp_base_url
from transport.protocol.errors import ProtocolError
from transport.protocol.identifiers import CERTPUB_SIGNING, SDK_MESSAGE, ParticipantId
from transport.protocol.message_receipt import read_receipt, write_receipt
from transport.protocol.moments import LATEST, NotAMoment, nearest_moment, read_moment
from transport.protocol.sdk_message.document import MessageMalformed, message_of, read_document, read_message
from transport.protocol.sdk_message.message import BytesContent, File, write_message
from transport.protocol.sdk_message.rules import check_message, read_and_check
from transport.protocol.service_metadata import read_service_metadata
from transport.protocol.xhe.envelope import read_envelope
from transport.protocol.xhe.opening import verify_envelope
from transport.protocol.xml import safe_xml
from transport.protocol.xml.structure import is_date_time, is_time

from .build import ARBETSFORMEDLINGEN, HABO, NOON, a_message, a_receipt
from .keys import certificate, key
from .sealed import a_payload, sealed, signed_anew
from .test_service_metadata import an_endpoint, base64_of, information, published, signed

_TEXTS = (
    *(
        "",
        " ",
        "1" * 5_000,
        "-" + "9" * 5_000,
        "1e999",
        "24:00:00",
        "2024-02-29T24:00:00Z",
        "NaN",
        "\u0661\u0662",
    ),
    *(
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "9999-12-31T24:00:00Z",
        "0000-01-01T00:00:00Z",
    ),
    *(
        "-0044-03-15T00:00:00Z",
        "99999-01-01T00:00:00Z",
        "2026-11-29T12:00:00." + "3" * 5_000 + "Z",
        "cid:%",
        "#",
    ),
    *(
        "1" * 5_000 + "-01-01T00:00:00Z",
        "http://[",
        "////",
        "0203:" + "a" * 300,
        "A===",
        "&\ufffd",
        "\u2028",
        "=" * 99,
    ),
)
_ATTRIBUTES = (
    "Id",
    "URI",
    "Algorithm",
    "schemeID",
    "href",
    "scheme",
    "PrefixList",
    "ValueType",
    "name",
    "type",
)
_DER = Encoding.DER
_NAMESPACES = (b"../x", b"a b", b"%zz", b"http://[", b"", b"urn:x", b"\xc3\xa5")


def _changed(document: bytes, chance: random.Random) -> bytes:
    """A few changes of bytes or of the tree."""
    for _ in range(chance.randrange(1, 4)):
        change = chance.choice((_bytes_changed, _tree_changed, _tree_changed, _namespace_added))
        try:
            document = change(document, chance)
        except etree.XMLSyntaxError:
            document = _bytes_changed(document, chance)
    return document


def _bytes_changed(document: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(document) + 1)
    end = at + chance.choice([0, 1, 4, 400])
    piece = chance.choice(
        [
            b"",
            b"\0",
            b"&#0;",
            b"&",
            b"<",
            b"<!---->",
            b"<?x y?>",
            b"\xed\xa0\x80",
            b"\xff",
            b"9" * 5_000,
            b"<![CDATA[",
        ]
    )
    return document[:at] + piece + document[end:]


def _tree_changed(document: bytes, chance: random.Random) -> bytes:
    root = etree.fromstring(document, etree.XMLParser(resolve_entities=False))
    elements = [e for e in root.iter(etree.Element) if e is not root] or [root]
    element = chance.choice(elements)
    match chance.randrange(5):
        case 0:
            element.text = chance.choice(_TEXTS)
        case 1 if element is not root:
            element.getparent().remove(element)
        case 2 if element is not root:
            element.addnext(etree.fromstring(etree.tostring(element, with_tail=False)))
        case 3:
            element.set(chance.choice([*_ATTRIBUTES, *element.attrib]), chance.choice(_TEXTS))
        case _:
            chance.choice(elements).append(etree.fromstring(etree.tostring(element, with_tail=False)))
    return etree.tostring(root)


def _namespace_added(document: bytes, chance: random.Random) -> bytes:
    at = document.find(b">", chance.randrange(len(document)))
    declaration = b' xmlns:f%d="%s"' % (chance.randrange(9), chance.choice(_NAMESPACES))
    return (
        document if at < 1 or document[at - 1 : at] in b"/?" else document[:at] + declaration + document[at:]
    )


@cache
def _message() -> bytes:
    out = io.BytesIO()
    write_message(a_message(files=(File("a", "text/plain", BytesContent(b"x")),)), out)
    return out.getvalue()


@cache
def _sent() -> tuple[str, bytes]:
    with tempfile.TemporaryDirectory() as directory:
        return wire(Path(directory), b"<a/>")


@cache
def _soap() -> bytes:
    _, body = _sent()
    return body[body.index(b"<?xml") : body.index(b"</env:Envelope>") + len(b"</env:Envelope>")]


def _with_soap(soap: bytes) -> bytes:
    return _sent()[1].replace(_soap(), soap)


@cache
def _signal(kind: str) -> bytes:
    options = {
        "message_id": "r@ap2",
        "timestamp": NOON,
        "signing_key": key("ap2"),
        "signing_certificate": certificate("ap2"),
    }
    if kind == "error":
        return signals.write_error(As4Error(OTHER, "x", "m@ap1"), **options)
    with tempfile.TemporaryDirectory() as directory:
        taken = received(Path(directory), *_sent())
    return signals.write_receipt("m@ap1", taken.references, **options)


def _read_message(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        read_message(io.BytesIO(data), Path(directory))


def _judge_message(data: bytes) -> None:
    """As reception does: what nothing is found in can be read."""
    with tempfile.TemporaryDirectory() as directory:
        document, findings = read_and_check(io.BytesIO(data), Path(directory))
        if document is not None and not findings:
            try:
                message_of(document)
            except MessageMalformed:
                pytest.fail("nothing was found in a message that cannot be read")


def _read_as4(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        received(Path(directory), _sent()[0], _with_soap(data))


def _read_body(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        received(Path(directory), _sent()[0], data)


def _read_signal(data: bytes) -> None:
    signals.read_signal(
        signals.CONTENT_TYPE, data, sent_references=(), sent_message_id="m@ap1", check_signer=lambda _: None
    )


def _open(data: bytes) -> None:
    verified = verify_envelope(io.BytesIO(data))
    assert isinstance(verified.findings, tuple)
    verified.write_payload(io.BytesIO(), [key("recipient")])


def _open_signed_anew(data: bytes) -> None:
    """So that more is reached than the signature."""
    try:
        data = signed_anew(data)
    except (etree.LxmlError, ValueError):
        return
    _open(data)


def _check(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        check_file(io.BytesIO(data), Path(directory), Means(keys=[key("recipient")]))


def _read_metadata(data: bytes) -> None:
    read_service_metadata(data, HABO, SDK_MESSAGE)


@cache
def _metadata() -> bytes:
    return signed(_information())


def _information() -> str:
    return information(extensions=published(CERTPUB_SIGNING, base64_of("sender")))


def _read_metadata_signed_anew(data: bytes) -> None:
    """So that more is reached than the signature."""
    try:
        body = signed(data.decode())
    except (etree.LxmlError, ValueError):
        return
    _read_metadata(body)


def _parsed(reader):
    return lambda data: reader(safe_xml.parse(data))


_PARSERS = {
    "message": (_message, _read_message),
    "message judged": (_message, _judge_message),
    "message rules": (_message, lambda data: check_message(io.BytesIO(data))),
    "envelope": (lambda: sealed(a_payload(), encrypted=False), _open),
    "envelope signed anew": (lambda: sealed(a_payload()), _open_signed_anew),
    "envelope values": (lambda: sealed(a_payload()), _parsed(read_envelope)),
    "message receipt": (lambda: write_receipt(a_receipt()), _parsed(read_receipt)),
    "AS4 user message": (_soap, _read_as4),
    "AS4 receipt": (lambda: _signal("receipt"), _read_signal),
    "AS4 error": (lambda: _signal("error"), _read_signal),
    "service metadata": (_metadata, _read_metadata),
    "service metadata signed anew": (lambda: _information().encode(), _read_metadata_signed_anew),
    "file: message": (_message, _check),
    "file: envelope": (lambda: sealed(a_payload()), _check),
    "file: receipt": (lambda: write_receipt(a_receipt()), _check),
    "file: AS4": (_soap, _check),
}
_GIVEN: dict[str, bytes] = {}


@pytest.mark.parametrize("name", _PARSERS)
@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_changed_document_gives_values_or_the_package_s_error(name, seed):
    make, read = _PARSERS[name]
    document = _GIVEN.setdefault(name, make())
    with contextlib.suppress(ProtocolError):
        read(_changed(document, random.Random(seed)))


_TIMES = {
    "creationDateTime": _PARSERS["message"],
    "CreationDateTime": _PARSERS["envelope values"],
    "IssueDate": _PARSERS["message receipt"],
    "IssueTime": _PARSERS["message receipt"],
    "ServiceExpirationDate": (
        lambda: information(an_endpoint(ends="2040-01-01T00:00:00Z")).encode(),
        _read_metadata_signed_anew,
    ),
}


@pytest.mark.parametrize("text", _TEXTS)
@pytest.mark.parametrize("element", _TIMES)
def test_an_odd_time_in_a_document_is_a_time_or_the_package_s_error(element, text):
    make, read = _TIMES[element]
    root = etree.fromstring(make())
    times = [found for found in root.iter(etree.Element) if etree.QName(found).localname == element]
    assert times
    for time in times:
        time.text = text
    with contextlib.suppress(ProtocolError):
        read(etree.tostring(root))


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_changed_mime_message_gives_values_or_the_package_s_error(seed):
    chance = random.Random(seed)
    body = _sent()[1]
    for _ in range(3):
        body = _bytes_changed(body, chance)
    for read in (_read_body, lambda data: only_part(_sent()[0], data), _check):
        with contextlib.suppress(ProtocolError):
            read(body)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.integers(0, 2**32)))
def test_bytes_of_any_kind_are_a_certificate_or_none(data):
    if isinstance(data, int):
        chance = random.Random(data)
        changed = bytearray(certificate("sender").public_bytes(_DER))
        for _ in range(chance.randrange(1, 4)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        data = bytes(changed)
    for load in (load_certificate, load_certificates):
        with contextlib.suppress(ProtocolError):
            load(data)


@settings(max_examples=200, deadline=None)
@given(st.text(), st.text(alphabet="!^.*$uhtp:/[]@\\1\ud800"))
def test_texts_of_any_kind_are_what_they_say_or_the_package_s_error(text, regexp):
    readers = (
        ParticipantId.parse,
        boundary_of,
        read_moment,
        lambda value: smp_base_url([Naptr(1, 1, "U", "Meta:SMP", value)]),
    )
    for read in readers:
        for value in (text, regexp):
            with contextlib.suppress(ProtocolError):
                read(value)


@pytest.mark.parametrize("text", _TEXTS)
def test_every_odd_time_is_a_time_or_none(text):
    try:
        moment = nearest_moment(text)
    except NotAMoment:
        assert not is_date_time(text)
    else:
        assert moment.tzinfo is UTC


def test_the_end_of_a_day_is_the_next_one_s_beginning():
    assert read_moment("2024-02-29T24:00:00Z") == datetime(2024, 3, 1, tzinfo=UTC)
    assert nearest_moment("9999-12-31T24:00:00Z") == LATEST
    assert is_time("24:00:00." + "0" * 5_000)
    assert not is_time("24:00:00." + "0" * 5_000 + "1")
    assert is_date_time("2" + "0" * 5_000 + "-02-29T00:00:00Z")
    receipt = write_receipt(a_receipt())
    at_midnight = receipt.replace(b"12:00:00Z", b"24:00:00Z")
    read = read_receipt(safe_xml.parse(at_midnight))
    assert read.issued_at.hour == 0
    assert read.issued_at.day == NOON.day + 1


def test_a_message_with_a_relative_namespace_is_read(tmp_path):
    """It is valid; only what would have to be canonicalised cannot have one."""
    data = _message().replace(b"</tns:message>", b'<r:e xmlns:r="../x" r:a="1"/></tns:message>')
    document = read_document(io.BytesIO(data), tmp_path)
    (extension,) = message_of(document).extensions
    assert b"../x" in extension.xml
    with pytest.raises(ProtocolError):
        write_message(message_of(document), io.BytesIO())


@pytest.mark.parametrize("namespace", [b"a b", b"%zz", b"http://["])
def test_a_namespace_that_is_no_uri_is_refused(tmp_path, namespace):
    data = _message().replace(b"</tns:message>", b'<r:e xmlns:r="%s"/></tns:message>' % namespace)
    with pytest.raises(safe_xml.XmlRefused):
        read_document(io.BytesIO(data), tmp_path)


def test_an_envelope_with_a_relative_namespace_has_no_signature_that_holds():
    data = sealed(a_payload()).replace(b"<x:XHE ", b'<x:XHE xmlns:rel="../x" ', 1)
    with pytest.raises(ProtocolError, match="canonical form"):
        verify_envelope(io.BytesIO(data))
    assert read_envelope(safe_xml.parse(data)).recipient == ARBETSFORMEDLINGEN
