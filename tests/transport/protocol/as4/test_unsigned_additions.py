"""A comment is not signed: wherever one is put, what is read is what was signed, or nothing."""

import re

import pytest
from lxml import etree

from tests.transport.protocol.build import NOON
from tests.transport.protocol.keys import certificate, key
from transport.protocol.as4 import names, signals, soap
from transport.protocol.as4.errors import OTHER, As4Error
from transport.protocol.as4.inspection import inspect_soap
from transport.protocol.as4.messages import PartInfo

from .build import a_user_message, packed, received, with_soap

_ADDITIONS = (b"<!---->", b"<!-- evil@ap.example -->", b"<!--x-->\n<!--y-->")
_TEXT = re.compile(rb">([^<>]{2,})<")


@pytest.fixture(scope="module")
def sent(tmp_path_factory):
    """A packed message with everything that a header may say."""
    message = a_user_message(
        parts=(PartInfo("one@ap.example"), PartInfo("two@ap.example", is_compressed=False))
    )
    with packed(tmp_path_factory.mktemp("sent"), b"one", b"two", message=message) as packing:
        yield message, packing.content_type, b"".join(packing.chunks())


def _texts(document: bytes) -> list[re.Match[bytes]]:
    return list(_TEXT.finditer(document))


def test_a_comment_in_any_value_of_a_message_changes_nothing(sent, tmp_path):
    message, content_type, body = sent
    soap_part = body[body.index(b"<?xml") : body.index(b"</env:Envelope>")]
    places = _texts(soap_part)
    assert len(places) > 20
    for number, place in enumerate(places):
        middle = (place.start(1) + place.end(1)) // 2
        addition = _ADDITIONS[0 if b"<wsse" in soap_part[: place.start()][-300:] else number % 2]
        for at in {place.start(1), middle, place.end(1)}:
            changed = with_soap(content_type, body, lambda s, at=at, a=addition: s[:at] + a + s[at:])
            result = received(tmp_path, content_type, changed)
            assert result.user_message == message, soap_part[place.start() - 60 : place.end()]
            assert [part.path.read_bytes() for part in result.parts] == [b"one", b"two"]


def test_an_error_about_a_message_tells_the_whole_of_its_id(sent, tmp_path):
    message, content_type, body = sent
    identity = message.message_id.encode()
    changed = body.replace(identity, identity[:5] + b"<!---->" + identity[5:], 1)
    changed = changed.replace(b"0203:habo.se", b"0203:hebo.se")
    with pytest.raises(As4Error) as refused:
        received(tmp_path, content_type, changed)
    assert refused.value.ref_to_message_id == message.message_id


def test_whoever_may_have_signed_is_asked_with_whole_values(sent):
    message, _, body = sent
    document = body[body.index(b"<?xml") : body.index(b"</env:Envelope>") + 15]
    root = etree.fromstring(_TEXT.sub(rb">\1<!---->\1<", document))
    messaging, _, _ = soap.header_of(root)
    (party,) = messaging.iterfind(f".//{names.EB}From/{names.EB}PartyId")
    with pytest.raises(As4Error):
        soap.read_user_message(messaging)
    party_read = soap._text(messaging, "UserMessage/PartyInfo/From/PartyId")
    assert party_read == message.sender_party * 2
    assert party.text == message.sender_party


@pytest.mark.parametrize("addition", [b"<?x y?>", b"<x:y xmlns:x='urn:x'/>", b"<eb:y/>", b"&#x20;"])
def test_what_is_signed_may_not_be_added(sent, tmp_path, addition):
    message, content_type, body = sent
    identity = message.message_id.encode()
    changed = body.replace(identity, identity[:5] + addition + identity[5:], 1)
    with pytest.raises(As4Error, match="EBMS:0101"):
        received(tmp_path, content_type, changed)


def test_an_element_inside_a_value_is_refused():
    text = soap.write_messaging(soap.write_user_message(a_user_message()), "_m")
    for place in (
        b"</eb:MessageId>",
        b"</eb:ConversationId>",
        b"</eb:Service>",
        b"</eb:Property>",
        b"</eb:PartyId>",
    ):
        root = etree.fromstring(text.replace(place, b"<eb:x/>more" + place, 1))
        with pytest.raises(As4Error, match="EBMS:0009"):
            soap.read_user_message(root)


def test_an_instruction_that_was_signed_is_no_part_of_a_value():
    """As XML Schema and XPath read values."""
    message = a_user_message()
    written = soap.write_messaging(soap.write_user_message(message), "_m")
    identity = message.message_id.encode()
    root = etree.fromstring(written.replace(identity, identity[:3] + b"<?x y?>" + identity[3:], 1))
    assert soap.read_user_message(root) == message


@pytest.fixture
def receipt(sent, tmp_path):
    message, content_type, body = sent
    taken = received(tmp_path, content_type, body)
    written = signals.write_receipt(
        message.message_id,
        taken.references,
        message_id="receipt@ap2",
        timestamp=NOON,
        signing_key=key("ap2"),
        signing_certificate=certificate("ap2"),
    )
    return message, taken, written


def _read(message, taken, body: bytes):
    return signals.read_signal(
        signals.CONTENT_TYPE,
        body,
        sent_references=taken.references,
        sent_message_id=message.message_id,
        check_signer=lambda _: None,
    )


def test_a_comment_in_any_value_of_a_receipt_changes_nothing(receipt):
    message, taken, written = receipt
    original = _read(message, taken, written)
    for place in _texts(written):
        middle = (place.start(1) + place.end(1)) // 2
        changed = written[:middle] + b"<!---->" + written[middle:]
        assert _read(message, taken, changed) == original
        assert inspect_soap(etree.fromstring(changed)).findings == []


def test_a_comment_in_any_value_of_an_error_changes_nothing(receipt):
    message, taken, _ = receipt
    written = signals.write_error(
        As4Error(OTHER, "a detail", message.message_id),
        message_id="e@ap2",
        timestamp=NOON,
        signing_key=key("ap2"),
        signing_certificate=certificate("ap2"),
    )
    original = _read(message, taken, written)
    assert original.errors[0].detail == "a detail"
    for place in _texts(written):
        middle = (place.start(1) + place.end(1)) // 2
        assert _read(message, taken, written[:middle] + b"<!---->" + written[middle:]) == original
