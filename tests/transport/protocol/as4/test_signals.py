"""Receipts and errors: what they cover, who signs them, and what is refused."""

import re

import pytest

from tests.transport.protocol.build import NOON
from tests.transport.protocol.keys import certificate, key
from transport.protocol.as4 import signals
from transport.protocol.as4.errors import NOT_SERVICED, OTHER, As4Error
from transport.protocol.as4.messages import ErrorSignal

from .build import packed, received


@pytest.fixture
def exchange(tmp_path):
    """A sent message, and the receipt that the other side signs for it."""
    with packed(tmp_path, b"one", b"two") as sent:
        body = b"".join(sent.chunks())
        taken = received(tmp_path, sent.content_type, body)
    receipt = signals.write_receipt(
        taken.user_message.message_id,
        taken.references,
        message_id="receipt@ap2",
        timestamp=NOON,
        signing_key=key("ap2"),
        signing_certificate=certificate("ap2"),
    )
    return taken.user_message.message_id, sent.references, receipt


def _read(exchange, body: bytes | None = None, **changed):
    message_id, references, receipt = exchange
    options = {
        "sent_references": references,
        "sent_message_id": message_id,
        "check_signer": lambda signer: None,
        **changed,
    }
    return signals.read_signal(signals.CONTENT_TYPE, body or receipt, **options)


def test_a_receipt_covers_what_was_sent(exchange):
    read = _read(exchange)
    assert (read.message_id, read.ref_to_message_id, read.timestamp) == ("receipt@ap2", exchange[0], NOON)
    assert read.signer == certificate("ap2")
    assert len(read.signature) == 256


def test_a_receipt_s_signer_is_judged(exchange):
    judged = []
    _read(exchange, check_signer=judged.append)
    assert judged == [certificate("ap2")]


def test_a_receipt_for_less_is_0302(exchange):
    with pytest.raises(As4Error, match="EBMS:0302"):
        _read(exchange, sent_references=exchange[1][:-1])


def test_a_receipt_for_another_message_is_0302(exchange):
    with pytest.raises(As4Error, match="EBMS:0302"):
        _read(exchange, sent_message_id="another@ap1")


def test_a_changed_digest_in_a_receipt_is_0302(exchange):
    digest = re.search(rb"<ds:DigestValue>([^<]*)", exchange[2])[1]
    other = digest.replace(digest[:1], b"B" if digest[:1] != b"B" else b"C", 1)
    with pytest.raises(As4Error, match="EBMS:0302"):
        _read(exchange, exchange[2].replace(digest, other, 1))


def test_an_unsigned_receipt_is_0302(exchange):
    unsigned = re.sub(rb"<wsse:Security.*</wsse:Security>", b"", exchange[2])
    with pytest.raises(As4Error, match="EBMS:0302"):
        _read(exchange, unsigned)


def test_an_error_says_its_code_and_detail(exchange):
    error = As4Error(OTHER, NOT_SERVICED, exchange[0])
    body = signals.write_error(
        error,
        message_id="e@ap2",
        timestamp=NOON,
        signing_key=key("ap2"),
        signing_certificate=certificate("ap2"),
    )
    signal = _read(exchange, body)
    assert isinstance(signal, ErrorSignal)
    assert signal.ref_to_message_id == exchange[0]
    assert (signal.signer, len(signal.signature)) == (certificate("ap2"), 256)
    assert b"<eb:ErrorDetail>NOT_SERVICED</eb:ErrorDetail>" in body
    assert [(e.code, e.severity, e.detail) for e in signal.errors] == [
        ("EBMS:0004", "failure", "NOT_SERVICED")
    ]


def test_an_unsigned_error_with_a_soap_fault_is_read(exchange):
    body = b"""<S:Envelope xmlns:S="http://www.w3.org/2003/05/soap-envelope"
      xmlns:eb="http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/"><S:Header><eb:Messaging>
      <eb:SignalMessage><eb:MessageInfo><eb:Timestamp>2026-01-01T00:00:00Z</eb:Timestamp>
      <eb:MessageId>x</eb:MessageId></eb:MessageInfo><eb:Error errorCode="EBMS:4001" severity="failure"
      shortDescription="Duplicate"/></eb:SignalMessage></eb:Messaging></S:Header>
      <S:Body><S:Fault><S:Code><S:Value>S:Receiver</S:Value></S:Code></S:Fault></S:Body></S:Envelope>"""
    signal = _read(exchange, body)
    assert signal.errors[0].code == "EBMS:4001"
    assert signal.signer is None


def test_an_error_that_was_changed_after_signing_has_no_signer(exchange):
    body = signals.write_error(
        As4Error(OTHER, NOT_SERVICED, exchange[0]),
        message_id="e@ap2",
        timestamp=NOON,
        signing_key=key("ap2"),
        signing_certificate=certificate("ap2"),
    )
    signal = _read(exchange, body.replace(b"EBMS:0004", b"EBMS:4001"))
    assert signal.errors[0].code == "EBMS:4001"
    assert signal.signer is None


def test_what_a_signed_error_says_is_not_cut_by_a_comment(exchange):
    """Comments are not signed: they may not change what is read."""
    body = signals.write_error(
        As4Error(OTHER, "was already handled", exchange[0]),
        message_id="e@ap2",
        timestamp=NOON,
        signing_key=key("ap2"),
        signing_certificate=certificate("ap2"),
    )
    signal = _read(exchange, body.replace(b"was already", b"was<!-- --> already"))
    assert signal.signer == certificate("ap2")
    assert signal.errors[0].detail == "was already handled"


def test_an_error_may_name_its_message_beside_the_error_alone(exchange):
    body = b"""<S:Envelope xmlns:S="http://www.w3.org/2003/05/soap-envelope"
      xmlns:eb="http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/"><S:Header><eb:Messaging>
      <eb:SignalMessage><eb:Error errorCode="EBMS:0004" severity="failure" refToMessageInError="m@ap1"/>
      </eb:SignalMessage></eb:Messaging></S:Header><S:Body/></S:Envelope>"""
    assert _read(exchange, body).ref_to_message_id == "m@ap1"


def test_what_is_wrong_is_read_from_an_attribute_too(exchange):
    """As C3.2.1 2.5 c words it."""
    body = b"""<S:Envelope xmlns:S="http://www.w3.org/2003/05/soap-envelope"
      xmlns:eb="http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/"><S:Header><eb:Messaging>
      <eb:SignalMessage><eb:Error errorCode="EBMS:0004" severity="failure" errorDetail="NOT_SERVICED"/>
      </eb:SignalMessage></eb:Messaging></S:Header><S:Body/></S:Envelope>"""
    assert _read(exchange, body).errors[0].detail == "NOT_SERVICED"


@pytest.mark.parametrize("body", [b"<html/>", b"not xml", b"<!DOCTYPE a><a/>"])
def test_what_is_no_signal_is_0009(exchange, body):
    with pytest.raises(As4Error, match="EBMS:0009"):
        _read(exchange, body)
    with pytest.raises(As4Error, match="EBMS:0009"):
        signals.read_signal(
            "text/html", body, sent_references=(), sent_message_id="x", check_signer=lambda s: None
        )
