"""Writing and reading SDK messages, envelopes and receipts."""

import io
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from transport.protocol.findings import Detail, Reason
from transport.protocol.message_receipt import Cause, ResponseCode, read_receipt, write_receipt
from transport.protocol.message_receipt_rules import check_receipt
from transport.protocol.sdk_message.document import MessageMalformed, read_message
from transport.protocol.sdk_message.message import (
    BytesContent,
    CharacterNotAllowed,
    Document,
    Extension,
    File,
    write_message,
)
from transport.protocol.sdk_message.rules import check_message
from transport.protocol.xhe.envelope import read_envelope, write_envelope
from transport.protocol.xhe.rules import check_envelope
from transport.protocol.xml.safe_xml import parse

from .build import a_message, a_receipt, an_envelope


def _written(message) -> bytes:
    out = io.BytesIO()
    write_message(message, out)
    return out.getvalue()


def test_a_message_is_written_canonically_and_valid():
    data = _written(a_message(text="Hej & välkommen <b> ]]> \r\n åäö"))
    assert etree.tostring(parse(data), method="c14n") == data
    assert check_message(io.BytesIO(data)) == []


def test_what_is_written_is_read_back(tmp_path):
    message = a_message(files=(File("plan ä.pdf", "application/pdf", BytesContent(b"%PDF-1.7 x")),))
    read = read_message(io.BytesIO(_written(message)), tmp_path)
    assert read.header == message.header
    (file,) = read.files
    assert (file.name, file.content_type, file.content.size) == ("plan ä.pdf", "application/pdf", 10)
    with file.content.open() as content:
        assert content.read() == b"%PDF-1.7 x"


@given(st.binary(max_size=200_000))
@settings(max_examples=30, deadline=None)
def test_attachments_survive_whatever_they_hold(tmp_path_factory, data):
    message = a_message(files=(File("x", "application/pdf", BytesContent(data + b".")),))
    read = read_message(io.BytesIO(_written(message)), tmp_path_factory.mktemp("files"))
    with next(read.files).content.open() as content:
        assert content.read() == data + b"."


@given(st.text(min_size=1, max_size=300))
@settings(max_examples=100, deadline=None)
def test_texts_survive_or_are_refused_before_they_are_written(tmp_path_factory, text):
    message = a_message(text=text)
    try:
        data = _written(message)
    except CharacterNotAllowed:
        with pytest.raises((etree.XMLSyntaxError, ValueError)):
            etree.fromstring(
                f"<a>{text.replace('&', '').replace('<', '')}</a>".encode("utf-8", "surrogatepass")
            )
        return
    read = read_message(io.BytesIO(data), tmp_path_factory.mktemp("files"))
    assert read.documents[0].texts == (text,)


def test_extension_elements_survive(tmp_path):
    extension = Extension(
        "message[1]/messageHeader[1]",
        b'<e:extra xmlns:e="urn:example:elsewhere"><e:a b="c">d</e:a></e:extra>',
    )
    message = replace(a_message(), extensions=(extension,))
    data = _written(message)
    assert check_message(io.BytesIO(data)) == []
    assert read_message(io.BytesIO(data), tmp_path).extensions == (extension,)
    assert etree.tostring(parse(data), method="c14n") == data


def test_a_message_without_its_header_is_a_fact_not_a_crash(tmp_path):
    data = b'<m:messagePayload xmlns:m="urn:riv:infrastructure:messaging:MessageWithAttachments:3"/>'
    with pytest.raises(MessageMalformed, match="message"):
        read_message(io.BytesIO(data), tmp_path)


def test_a_message_over_thirty_megabytes_is_too_long():
    data = _written(a_message(files=(File("x", "application/pdf", BytesContent(b"x" * 24_000_000)),)))
    (finding,) = check_message(io.BytesIO(data))
    assert (finding.reason, finding.detail) == (Reason.BV, Detail.TOO_LONG)


def test_a_document_type_is_a_structure_finding():
    data = b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"
    (finding,) = check_message(io.BytesIO(data))
    assert (finding.reason, finding.detail) == (Reason.SV, Detail.STRUCTURE)


def test_base64_that_is_none_is_found():
    data = _written(a_message(files=(File("x", "application/pdf", BytesContent(b"abc")),)))
    for broken in (b"YWJ", b"YW=j", b"Y\xc3\xa5Jj", b"YWJj="):
        changed = data.replace(b"<tns:content>YWJj<", b"<tns:content>" + broken + b"<")
        assert [finding.rule for finding in check_message(io.BytesIO(changed))] == ["contentFiles"]


def test_an_envelope_is_written_canonically_and_read_back():
    envelope = an_envelope(is_encrypted=False)
    data = write_envelope(envelope, b'<a xmlns="urn:a">x</a>')
    root = parse(data)
    assert etree.tostring(root, method="c14n") == data
    assert check_envelope(root) == []
    assert read_envelope(root) == envelope


@pytest.mark.parametrize("code", list(ResponseCode))
def test_a_receipt_is_written_valid_and_read_back(code):
    causes = (Cause(Reason.BV, "rule <broken>", "invariant", "/a/b"), Cause(Reason.SIG, "signature"))
    receipt = a_receipt(code=code, causes=causes if code is ResponseCode.REJECTED else ())
    root = parse(write_receipt(receipt))
    assert check_receipt(root) == []
    assert read_receipt(root) == receipt


def test_documents_keep_their_order_and_index(tmp_path):
    documents = tuple(Document(str(uuid.uuid4()), f"Del {n}", str(n), (f"text {n}",)) for n in (2, 1, 3))
    message = replace(a_message(), documents=documents)
    assert read_message(io.BytesIO(_written(message)), tmp_path).documents == documents


def test_times_are_written_in_utc_with_three_digits():
    moment = datetime(2026, 6, 1, 12, 0, 0, 5000, tzinfo=UTC)
    message = a_message()
    header = replace(message.header, created_at=moment)
    assert b"2026-06-01T12:00:00.005Z" in _written(replace(message, header=header))
