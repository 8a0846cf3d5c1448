"""The SDK message's structure and rules (B1.3.3 sections 4 and 5, document 3.1).

Structure findings answer SV / structure, rules BV / invariant, as section 5.3 says.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from lxml import etree

from transport.protocol.findings import Detail, Finding, Reason
from transport.protocol.identifiers import FUNCTION_ADDRESS_ROOT, NS_SDK_MESSAGE, PARTICIPANT_SCHEME
from transport.protocol.xml.safe_xml import MEBIBYTE, XmlProblem, XmlRefused
from transport.protocol.xml.structure import (
    BOOLEAN_TYPES,
    DATE_TIME_TYPES,
    STRING_TYPES,
    Child,
    TextCheck,
    Type,
    any_text,
    check_structure,
    is_boolean,
    is_date_time,
    path_of,
    text_up_to,
)
from transport.protocol.xml.text import string_value

from .document import MessageDocument, read_document

# B1.3.3 4.3.3.3: the message with its attached files.
MAX_MESSAGE_BYTES: Final = 30 * MEBIBYTE
MAX_LABEL: Final = 256
_MAX_FINDINGS: Final = 100
_PREFIXES: Final = {NS_SDK_MESSAGE: "tns"}
_T: Final = f"{{{NS_SDK_MESSAGE}}}"

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
# "." before the fraction as the federation's own rule has it; XML Schema's type makes it a point.
_TIMESTAMP: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}.[0-9]{1,3}Z")


def _t(name: str, kind: Type, least: int = 1, most: int | None = 1) -> Child:
    return Child(_T + name, kind, least, most)


def _named(name: str) -> dict[str, TextCheck]:
    return {_T + name: any_text}


_DATE_TYPE: Final = re.compile(r"(19|20)[0-9]{2}(0[1-9]|1[012])(0[1-9]|[12][0-9]|3[01])")
_STRINGS: Final = {**STRING_TYPES, _T + "DateType": lambda text: _DATE_TYPE.fullmatch(text) is not None}
_TEXT: Final = Type(text=any_text, names=_STRINGS)
_LABEL: Final = Type(text=text_up_to(MAX_LABEL))
_II: Final = Type((_t("root", _TEXT), _t("extension", _TEXT)), names=_named("IIType"))
_PERSON: Final = Type(
    (_t("personId", _II, 0), _t("label", _LABEL, 0)), others=True, names=_named("AttentionPersonType")
)
_FUNCTION: Final = Type(
    (_t("organizationId", _II), _t("label", _LABEL, 0)), others=True, names=_named("subOrganizationType")
)
_REFERENCE: Final = Type(
    (_t("referenceId", _II), _t("label", _LABEL, 0)), others=True, names=_named("ReferenceType")
)
_ATTENTION: Final = Type(
    (_t("person", _PERSON, 0, None), _t("subOrganization", _FUNCTION), _t("reference", _REFERENCE, 0, None)),
    others=True,
    names=_named("AttentionDataType"),
)
_RECIPIENT: Final = Type(
    (_t("recipientID", _II), _t("label", _LABEL, 0), _t("attention", _ATTENTION)),
    others=True,
    names=_named("RecipientType"),
)
_SENDER: Final = Type(
    (_t("senderID", _II), _t("label", _LABEL, 0), _t("attention", _ATTENTION, 0)),
    others=True,
    names=_named("SenderType"),
)
_HEADER: Final = Type(
    (
        _t("creationDateTime", Type(text=is_date_time, names=DATE_TIME_TYPES)),
        _t("messageId", _TEXT),
        _t("conversationId", _TEXT),
        _t("refToMessageId", _TEXT, 0),
        _t("label", _TEXT, 0),
        _t("confidentiality", Type(text=is_boolean, names=BOOLEAN_TYPES)),
        _t("generatingSystem", _II, 0),
        _t("recipient", _RECIPIENT),
        _t("sender", _SENDER),
    ),
    others=True,
    names=_named("MessageHeaderType"),
)
_FILE: Final = Type(
    (_t("fileName", _TEXT), _t("contentType", _TEXT), _t("content", _TEXT)),
    others=True,
    names=_named("ContentAsBase64"),
)
_CONTENT_TEXT: Final = Type((_t("characterSequence", _TEXT),), others=True, names=_named("contentAsText"))
_DOCUMENT: Final = Type(
    (
        _t("documentID", _TEXT),
        _t("documentName", _TEXT, 0),
        _t("index", _TEXT, 0),
        _t("ContentFiles", _FILE, 0, None),
        _t("ContentText", _CONTENT_TEXT, 0, None),
    ),
    others=True,
    names=_named("DigitalDocumentType"),
)
_BODY: Final = Type((_t("documents", _DOCUMENT, 1, None),), others=True, names=_named("MessageBodyType"))
_MESSAGE: Final = Type(
    (_t("messageHeader", _HEADER), _t("messageBody", _BODY)), others=True, names=_named("MessageType")
)
_PAYLOAD: Final = Type((_t("message", _MESSAGE),), names=_named("MessagePayloadType"))


def check_message(source: BinaryIO, *, max_bytes: int = MAX_MESSAGE_BYTES) -> list[Finding]:
    """Everything that is wrong with a message, in bounded memory; empty when it is valid."""
    try:
        document = read_document(source, None)
    except XmlRefused as refusal:
        return [refused_message(refusal)]
    return check_document(document, max_bytes=max_bytes)


def read_and_check(
    source: BinaryIO, file_directory: Path, *, max_bytes: int = MAX_MESSAGE_BYTES
) -> tuple[MessageDocument | None, list[Finding]]:
    """Read once and check; the document is None where the XML itself was refused."""
    try:
        document = read_document(source, file_directory)
    except XmlRefused as refusal:
        return None, [refused_message(refusal)]
    return document, check_document(document, max_bytes=max_bytes)


def refused_message(refusal: XmlRefused) -> Finding:
    """The finding for XML that was not read to its end."""
    if refusal.problem is XmlProblem.TOO_LARGE:
        return Finding("size", "/", "the message is larger than is read", Reason.BV, Detail.TOO_LONG)
    return Finding("xml", "/", str(refusal), Reason.SV, Detail.STRUCTURE)


def check_document(document: MessageDocument, *, max_bytes: int = MAX_MESSAGE_BYTES) -> list[Finding]:
    """Structure and rules of a message that has been read; at most 100 findings."""
    findings: list[Finding] = []
    if document.size > max_bytes:
        text = f"the message is {document.size} bytes long, more than {max_bytes}"
        findings.append(Finding("size", "/tns:messagePayload", text, Reason.BV, Detail.TOO_LONG))

    def structure(element: etree._Element, text: str) -> None:
        if len(findings) < _MAX_FINDINGS:
            xpath = path_of(element, _PREFIXES)
            findings.append(Finding("structure", xpath, text, Reason.SV, Detail.STRUCTURE))

    check_structure(document.root, _T + "messagePayload", _PAYLOAD, structure)
    for rule, element, text in _broken_rules(document):
        if len(findings) >= _MAX_FINDINGS:
            break
        xpath = path_of(element, _PREFIXES)
        findings.append(Finding(rule, xpath, text, Reason.BV, Detail.INVARIANT))
    return findings


Broken = tuple[str, etree._Element, str]
RuleCheck = Callable[[etree._Element], Iterator[Broken]]


def _broken_rules(document: MessageDocument) -> Iterator[Broken]:
    yield from _empty_elements(document)
    for element in document.root.iter(etree.Element):
        check = _RULES.get(str(element.tag))
        if check is not None:
            yield from check(element)
    for element, file in document.files.items():
        if not file.begins_as_base64 or not file.is_base64:
            yield "contentFiles", element, "the content is not base64 (RFC 4648)"


def _empty_elements(document: MessageDocument) -> Iterator[Broken]:
    """Below messagePayload, nothing may be included but empty."""
    filled: set[etree._Element] = set()
    for element in document.root.iter(etree.Element):
        file = document.files.get(element)
        has_text = bool(element.text and element.text.strip(" \t\r\n"))
        if has_text or (file is not None and not file.is_blank):
            _fill(element, filled)
        if element.tail and element.tail.strip(" \t\r\n"):
            _fill(element.getparent(), filled)
    for payload in document.root.iter(_T + "messagePayload"):
        for element in payload.iterdescendants(etree.Element):
            if element not in filled:
                yield "verifyNonEmptyElements", element, "the element is included but empty"
        return


def _fill(element: etree._Element | None, filled: set[etree._Element]) -> None:
    while element is not None and element not in filled:
        filled.add(element)
        element = element.getparent()


def _is_uuid(rule: str) -> RuleCheck:
    def check(element: etree._Element) -> Iterator[Broken]:
        if not _UUID.fullmatch(string_value(element)):
            yield rule, element, "the value is not a UUID"

    return check


def _creation_time(element: etree._Element) -> Iterator[Broken]:
    if not _TIMESTAMP.fullmatch(string_value(element)):
        yield "creationDateTime", element, "the time does not have the form YYYY-MM-DDThh:mm:ss.sZ (UTC)"


def _header_label(element: etree._Element) -> Iterator[Broken]:
    parent = element.getparent()
    if parent is not None and parent.tag == _T + "messageHeader" and len(string_value(element)) > MAX_LABEL:
        yield "subjectlabel", element, f"the label is longer than {MAX_LABEL} characters"


def _conversation_exists(element: etree._Element) -> Iterator[Broken]:
    if len(element.findall(_T + "conversationId")) != 1:
        yield "conversationIdMustExist", element, "conversationId must be set, once"


def _root(element: etree._Element) -> Iterator[Broken]:
    parent = element.getparent()
    if parent is None:
        return
    rule = {_T + "recipientID": "recipientIdvalue", _T + "senderID": "senderIdvalue"}.get(str(parent.tag))
    if rule is not None and string_value(element) != PARTICIPANT_SCHEME:
        yield rule, element, f"the root must be {PARTICIPANT_SCHEME}"
    grandparent = parent.getparent()
    is_function = (
        parent.tag == _T + "organizationId"
        and grandparent is not None
        and grandparent.tag == _T + "subOrganization"
    )
    if is_function and string_value(element) != FUNCTION_ADDRESS_ROOT:
        yield "subOrgRoot", element, f"the root must be {FUNCTION_ADDRESS_ROOT}"


_RULES: Final[dict[str, RuleCheck]] = {
    _T + "creationDateTime": _creation_time,
    _T + "messageId": _is_uuid("MessageId"),
    _T + "conversationId": _is_uuid("conversationId"),
    _T + "refToMessageId": _is_uuid("refToMessageId"),
    _T + "label": _header_label,
    _T + "messageHeader": _conversation_exists,
    _T + "root": _root,
}
