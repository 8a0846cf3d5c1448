"""Forms that others write and the specifications allow (eDelivery AS4 1.15 1.4.2.3, RFC 2392)."""

import io
import re
from pathlib import Path

import pytest

from tests.transport.protocol.build import NOON
from tests.transport.protocol.cases import case
from tests.transport.protocol.keys import certificate, key
from transport.protocol.as4 import signals
from transport.protocol.as4.content_ids import cid_url, content_id_of
from transport.protocol.as4.errors import OTHER, As4Error
from transport.protocol.as4.messages import ErrorSignal, PartInfo
from transport.protocol.checking import Kind, Means, check_file

from .build import a_user_message, packed, received, with_soap
from .test_signals import _read as read_signal_of
from .test_signals import exchange  # noqa: F401 - a fixture

_PART = 'multipart/related; type="application/soap+xml"; boundary="b"'


def _multipart(*parts: bytes, head: bytes = b"Content-Type: application/soap+xml; charset=UTF-8") -> bytes:
    return b"".join(b"--b\r\n" + head + b"\r\n\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


def _read_multipart(sent, body: bytes, content_type: str = _PART):
    message_id, references, _ = sent
    return signals.read_signal(
        content_type,
        body,
        sent_references=references,
        sent_message_id=message_id,
        check_signer=lambda _: None,
    )


def test_a_receipt_is_read_as_the_one_part_of_a_mime_message(exchange):  # noqa: F811
    expected = read_signal_of(exchange)
    assert _read_multipart(exchange, _multipart(exchange[2])) == expected
    base64_head = (
        b"Content-Type: application/soap+xml\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <r@x>"
    )
    import base64

    encoded = base64.encodebytes(exchange[2])
    assert _read_multipart(exchange, _multipart(encoded, head=base64_head)) == expected


def test_an_error_is_read_as_the_one_part_of_a_mime_message(exchange):  # noqa: F811
    body = signals.write_error(
        As4Error(OTHER, "x"),
        message_id="e@ap2",
        timestamp=NOON,
        signing_key=key("ap2"),
        signing_certificate=certificate("ap2"),
    )
    signal = _read_multipart(exchange, _multipart(body))
    assert isinstance(signal, ErrorSignal)
    assert signal.errors[0].code == "EBMS:0004"


@pytest.mark.parametrize("parts", [(), (b"one", b"two"), (b"<html/>",)])
def test_another_mime_message_is_no_signal(exchange, parts):  # noqa: F811
    with pytest.raises(As4Error, match="EBMS:0009"):
        _read_multipart(exchange, _multipart(*parts))
    with pytest.raises(As4Error, match="EBMS:0009"):
        _read_multipart(exchange, _multipart(exchange[2]), "multipart/related")
    with pytest.raises(As4Error, match="EBMS:0009"):
        _read_multipart(exchange, _multipart(exchange[2], head=b"Content-Type: text/html"))


_MOST_OF_ASCII = "".join(chr(number) for number in range(33, 127) if chr(number) not in '<>"&')


@pytest.mark.parametrize("content_id", ["a@b", "a b%@c", "50%25@x", "å@x", _MOST_OF_ASCII])
def test_a_content_id_is_what_its_url_names(content_id):
    assert content_id_of(cid_url(content_id)) == content_id
    assert content_id_of("CID:" + cid_url(content_id)[4:]) == content_id
    every = "cid:" + "".join(f"%{octet:02x}" for octet in content_id.encode("latin-1"))
    assert content_id_of(every) == content_id


@pytest.mark.parametrize("url", ["", "#a", "http://x/a", "cidx:a", "cid"])
def test_another_url_names_no_part(url):
    assert content_id_of(url) is None


@pytest.mark.parametrize("content_id", ["a@b", "50%25@ap.example", "a+b/c?d@x"])
def test_parts_are_found_by_urls_with_and_without_escapes(tmp_path, content_id):
    message = a_user_message(parts=(PartInfo(content_id),))
    with packed(tmp_path, b"x", message=message) as sent:
        body = b"".join(sent.chunks())
        result = received(tmp_path, sent.content_type, body)
    assert result.parts[0].info.content_id == content_id
    # CipherReference is no part of what is signed.
    every = b"cid:" + b"".join(b"%%%02X" % octet for octet in content_id.encode())
    changed = with_soap(
        sent.content_type, body, lambda s: re.sub(rb'(<xenc:CipherReference URI=")[^"]*', rb"\1" + every, s)
    )
    assert received(tmp_path, sent.content_type, changed).parts[0].path.read_bytes() == b"x"


def test_escapes_in_what_is_signed_name_the_same_part(tmp_path, monkeypatch):
    """A sender that escapes everywhere, as RFC 2392's own example does."""
    from transport.protocol.as4 import packing, soap

    for module in (packing, soap):
        monkeypatch.setattr(module, "cid_url", lambda identity: "cid:" + identity.replace("@", "%40"))
    message = a_user_message(parts=(PartInfo("foo4*foo1@bar.net"),))
    with packed(tmp_path, b"x", message=message) as sent:
        body = b"".join(sent.chunks())
    monkeypatch.undo()
    assert b'href="cid:foo4*foo1%40bar.net"' in body
    assert received(tmp_path, sent.content_type, body).parts[0].path.read_bytes() == b"x"


def test_a_receipt_may_spell_a_part_s_url_otherwise(exchange):  # noqa: F811
    message_id, references, _ = exchange
    from dataclasses import replace

    escaped = [replace(item, uri=item.uri.replace("@", "%40")) for item in references]
    assert (
        _read_multipart((message_id, escaped, None), _multipart(exchange[2])).ref_to_message_id == message_id
    )


def _checked(path: Path, tmp_path):
    with path.open("rb") as source:
        return check_file(source, tmp_path, Means())


@pytest.mark.parametrize("name", ["receipt-one-prefix.xml", "receipt-root-binds-xmldsig-too.xml"])
def test_a_receipt_holds_whatever_else_its_root_binds(shared, tmp_path, name):
    check = _checked(case(shared, name), tmp_path)
    assert check.kind is Kind.AS4_RECEIPT
    assert check.is_valid, check.findings


def test_a_receipt_whose_prefix_was_changed_after_signing_is_refused(shared, tmp_path):
    data = case(shared, "receipt-root-binds-xmldsig-too.xml").read_bytes()
    changed = data.replace(b"<ds:SignedInfo>", b"<ns5:SignedInfo>").replace(
        b"</ds:SignedInfo>", b"</ns5:SignedInfo>"
    )
    assert changed != data
    check = check_file(io.BytesIO(changed), tmp_path, Means())
    assert "EBMS:0101" in {finding.rule for finding in check.findings}


@pytest.mark.parametrize(
    "uri",
    [
        "http://www.w3.org/2000/09/xmldsig#",
        "http://docs.oasis-open.org/ebxml-bp/ebbp-signals-2.0",
        "http://www.w3.org/2003/05/soap-envelope",
    ],
)
def test_our_receipt_holds_whatever_else_its_root_binds(exchange, uri):  # noqa: F811
    """What a root binds and nothing uses is not in an exclusive canonical form."""
    for prefix in (b"a", b"zz"):
        bound = exchange[2].replace(
            b"<env:Envelope ", b'<env:Envelope xmlns:%s="%s" ' % (prefix, uri.encode()), 1
        )
        assert read_signal_of(exchange, bound) == read_signal_of(exchange)


@pytest.mark.parametrize("prefix", [b"a", b"e", b"zz"])
def test_another_prefix_of_the_same_namespace_is_not_what_was_signed(exchange, prefix):  # noqa: F811
    signature = b'<ds:Signature xmlns:%s="http://www.w3.org/2000/09/xmldsig#" ' % prefix
    bound = exchange[2].replace(b"<ds:Signature ", signature, 1)
    changed = bound.replace(b"ds:SignedInfo", prefix + b":SignedInfo")
    assert changed.count(prefix + b":SignedInfo") == 2
    with pytest.raises(As4Error, match="EBMS:0302"):
        read_signal_of(exchange, changed)
    assert read_signal_of(exchange, bound) == read_signal_of(exchange)


def test_what_cannot_be_canonicalised_is_a_finding(shared, tmp_path):
    check = _checked(case(shared, "as4-relative-namespace.xml"), tmp_path)
    assert not check.is_valid
    assert any("cannot be canonicalised" in finding.text for finding in check.findings)


def test_a_message_with_a_relative_namespace_is_0101(tmp_path):
    with packed(tmp_path, b"x") as sent:
        body = b"".join(sent.chunks()).replace(b"<env:Envelope ", b'<env:Envelope xmlns:rel="../x" ', 1)
        with pytest.raises(As4Error, match=r"EBMS:0101.*canonicalised"):
            received(tmp_path, sent.content_type, body)


@pytest.mark.parametrize(
    "text",
    ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-14:00", "2026-13-01T00:00:00Z", "9" * 5000, "\u0661"],
)
def test_a_message_of_an_impossible_time_is_0009(tmp_path, text, monkeypatch):
    from transport.protocol.as4 import soap

    monkeypatch.setattr(soap, "timestamp", lambda _: text)
    with packed(tmp_path, b"x") as sent:
        body = b"".join(sent.chunks())
        with pytest.raises(As4Error, match=r"EBMS:0009.*Timestamp"):
            received(tmp_path, sent.content_type, body)
