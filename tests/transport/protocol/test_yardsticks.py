"""Our validation says what the federation's XSD and Schematron say."""

import io
import re
import uuid
from dataclasses import replace

import pytest
from lxml import etree

from transport.protocol import message_receipt_rules
from transport.protocol.findings import Reason
from transport.protocol.message_receipt import Cause, ResponseCode, read_receipt, write_receipt
from transport.protocol.sdk_message import rules as sdk_message_rules
from transport.protocol.sdk_message.document import read_message
from transport.protocol.sdk_message.message import (
    BytesContent,
    Extension,
    File,
    Identifier,
    Message,
    Person,
    write_message,
)
from transport.protocol.xhe import rules
from transport.protocol.xhe.envelope import read_envelope, write_envelope
from transport.protocol.xml import safe_xml

from . import official
from .build import a_message, a_receipt, an_envelope
from .cases import case

_KINDS = {
    "messagePayload": (official.MESSAGE, lambda data: sdk_message_rules.check_message(io.BytesIO(data))),
    "XHE": (official.ENVELOPE, lambda data: rules.check_envelope(safe_xml.parse(data))),
    "ApplicationResponse": (
        official.RECEIPT,
        lambda data: message_receipt_rules.check_receipt(safe_xml.parse(data)),
    ),
}
# Where the specification's text and the federation's files disagree; docs/decisions.md tells why.
_STRICTER = {"R11-XHE", "contentFiles"}


def _examples(shared):
    for path in sorted((shared / "examples").rglob("*.xml")):
        try:
            root = etree.parse(str(path)).getroot()
        except etree.XMLSyntaxError:
            continue
        kind = etree.QName(root).localname
        if kind in _KINDS:
            yield path, kind


def _ours(kind: str, data: bytes) -> list:
    return [finding for finding in _KINDS[kind][1](data) if not finding.is_note]


def test_every_example_gets_the_official_verdict(shared):
    judged = 0
    for path, kind in _examples(shared):
        is_valid, broken = _KINDS[kind][0].verdict(shared, path.read_bytes())
        findings = _ours(kind, path.read_bytes())
        assert bool(findings) == (not is_valid or bool(broken)), (path.name, is_valid, broken, findings)
        judged += 1
    assert judged >= 11


def test_the_broken_example_breaks_the_same_rules(shared):
    data = (shared / "examples/message-test-data/TF2.4.1.xml").read_bytes()
    is_valid, broken = official.MESSAGE.verdict(shared, data)
    ours = {finding.rule for finding in _ours("messagePayload", data)}
    assert not is_valid
    assert ours == broken | {"structure"}


@pytest.mark.parametrize(
    ("example", "kind", "count"),
    [
        ("message-test-data/min.xml", "messagePayload", 1500),
        ("message/messageWithAttachments3.xml", "messagePayload", 1500),
        ("message/xhe_encrypted_payload.xml", "XHE", 1000),
        ("message/xhe_unencrypted_payload.xml", "XHE", 500),
        ("receipt/Kvittens_RE-AnnatFel.xml", "ApplicationResponse", 1200),
        ("receipt/Kvittens_AP-Accepterat.xml", "ApplicationResponse", 800),
    ],
)
def test_changed_examples_get_the_official_verdict(shared, example, kind, count):
    _compare(shared, (shared / "examples" / example).read_bytes(), kind, count)


def _compare(shared, data: bytes, kind: str, count: int) -> None:
    differing = []
    verdicts = set()
    for what, changed in official.mutations(data, seed=20261124, count=count):
        is_valid, broken = _KINDS[kind][0].verdict(shared, changed)
        findings = _ours(kind, changed)
        officially_broken = not is_valid or bool(broken)
        verdicts.add(officially_broken)
        if bool(findings) == officially_broken:
            continue
        if findings and {finding.rule for finding in findings} <= _STRICTER:
            continue
        differing.append((what, is_valid, broken, [(f.rule, f.xpath) for f in findings]))
    assert verdicts == {True, False}
    assert not differing


def _everything_in_a_message() -> bytes:
    """Attachments, references, refToMessageId and all else that the schema allows."""
    files = tuple(
        File(f"{name}.pdf", "application/pdf", BytesContent(b"%PDF-1.7" + bytes(60))) for name in ("å", "b")
    )
    message = a_message(files=files, ref_to=str(uuid.uuid4()))
    party = message.header.recipient
    attention = replace(
        party.attention,
        persons=(*party.attention.persons, Person(label="Bara ett namn"), Person()),
        references=party.attention.references * 2,
    )
    header = replace(
        message.header,
        recipient=replace(party, attention=attention),
        sender=replace(message.header.sender, attention=attention),
        generating_system=Identifier("1.2.3", "system"),
    )
    document = replace(message.documents[0], texts=("Hej", "# Rubrik"))
    extension = b'<e:more xmlns:e="urn:example:elsewhere" a="1"><e:b>text</e:b></e:more>'
    paths = (
        "message[1]",
        "message[1]/messageHeader[1]",
        "message[1]/messageHeader[1]/recipient[1]/attention[1]",
        "message[1]/messageBody[1]/documents[1]/ContentFiles[2]",
        "message[1]/messageBody[1]/documents[2]/ContentText[1]",
    )
    out = io.BytesIO()
    write_message(
        Message(header, (document, document), tuple(Extension(path, extension) for path in paths)), out
    )
    # A person of whom nothing is told would be empty.
    return out.getvalue().replace(b"<tns:person></tns:person>", b"")


def _everything_in_an_envelope() -> bytes:
    """All that XHE 1.0 allows and the profile does not forbid."""
    written = write_envelope(an_envelope(is_encrypted=False), b'<e:payload xmlns:e="urn:e">x</e:payload>')
    written = written.replace(b"</xhb:ID><xhb:Cre", b"</xhb:ID><xhb:UUID>u</xhb:UUID><xhb:Cre", 1)
    attributes = b' listID="l" listName="n" listAgencyID="a" listURI="urn:u" languageID="sv-SE" name="x">'
    code = b"<xhb:ID>p</xhb:ID><xhb:DocumentTypeCode" + attributes
    written = written.replace(b"<xhb:DocumentTypeCode>", code, 1)
    service = b'<xhb:HandlingServiceID schemeName="n" schemeURI="urn:u">'
    written = written.replace(b"<xhb:HandlingServiceID>", service, 1)
    written = written.replace(
        b"<xhb:InstanceEncryptionIndicator>",
        b"<xhb:ValidationVersionID>1</xhb:ValidationVersionID><xhb:InstanceEncryptionIndicator>",
        1,
    )
    location = b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:e e.xsd">'
    return written.replace(b"<xha:PayloadContent>", b"<xha:PayloadContent" + location, 1)


def _everything_in_a_receipt() -> bytes:
    causes = (
        Cause(Reason.SV, "text", "structure", "/tns:messagePayload"),
        Cause(Reason.SIG, "text", None),
        Cause(Reason.BV, "text", "egen kod"),
    )
    return write_receipt(a_receipt(code=ResponseCode.REJECTED, causes=causes))


@pytest.mark.parametrize(
    ("written", "kind", "count"),
    [
        (_everything_in_a_message, "messagePayload", 1500),
        (_everything_in_an_envelope, "XHE", 1000),
        (_everything_in_a_receipt, "ApplicationResponse", 1000),
    ],
)
def test_changed_documents_with_all_that_is_allowed_get_the_official_verdict(shared, written, kind, count):
    data = written()
    assert _KINDS[kind][0].verdict(shared, data) == (True, set())
    assert _ours(kind, data) == []
    _compare(shared, data, kind, count)


def test_a_message_with_a_type_attribute_is_valid(shared):
    assert _ours("messagePayload", case(shared, "message-xsi-type.xml").read_bytes()) == []


def test_a_comment_inside_a_value_is_no_part_of_it(shared):
    data = case(shared, "receipt-comment-in-value.xml").read_bytes()
    assert _ours("ApplicationResponse", data) == []
    assert read_receipt(safe_xml.parse(data)).code is ResponseCode.ACCEPTED


@pytest.mark.parametrize("added", [b"<!-- c -->", b"<?target data?>", b"<![CDATA[]]>"])
@pytest.mark.parametrize(
    ("written", "kind"),
    [
        (_everything_in_a_message, "messagePayload"),
        (_everything_in_an_envelope, "XHE"),
        (_everything_in_a_receipt, "ApplicationResponse"),
    ],
)
def test_what_stands_inside_every_value_and_is_none_changes_nothing(tmp_path, written, kind, added):
    """Neither in what is found nor in what is read: checking a file and taking it in see the same."""
    data = written()
    changed = re.sub(rb">([^<>]+)</", lambda m: b">" + m[1][:2] + added + m[1][2:] + b"</", data)
    assert changed.count(added) > 10
    assert _ours(kind, changed) == _ours(kind, data) == []
    if kind == "messagePayload":
        (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
        original = read_message(io.BytesIO(data), tmp_path / "a")
        read = read_message(io.BytesIO(changed), tmp_path / "b")
        assert read.header == original.header
        contents = [[f.content.path.read_bytes() for f in message.files] for message in (read, original)]
        assert contents[0] == contents[1]
        assert [d.texts for d in read.documents] == [d.texts for d in original.documents]
    else:
        reader = read_envelope if kind == "XHE" else read_receipt
        assert reader(safe_xml.parse(changed)) == reader(safe_xml.parse(data))


def test_findings_never_quote_what_they_are_about(shared):
    secret = "191212121212"
    for path, kind in _examples(shared):
        root = etree.parse(str(path)).getroot()
        for element in root.iter(etree.Element):
            if not len(element):
                element.text = secret
        for finding in _ours(kind, etree.tostring(root)):
            assert secret not in finding.text + finding.xpath + finding.rule
