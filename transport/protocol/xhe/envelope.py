"""The envelope, XHE 1.0 in the federation's profile (C3.2.2 section 2): values, writing, reading."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree

from transport.protocol.errors import ProtocolError
from transport.protocol.identifiers import (
    FEDERATION_SDK,
    NS_XHA,
    NS_XHB,
    NS_XHE,
    PARTICIPANT_SCHEME,
    PROCESS_ID,
    PROCESS_SCHEME,
    XHE_CUSTOMIZATION_ID,
    XHE_VERSION_ID,
    DocumentType,
    ParticipantId,
    ParticipantIdInvalid,
)
from transport.protocol.moments import NotAMoment, nearest_moment
from transport.protocol.sdk_message.message import timestamp
from transport.protocol.xml.text import text_of

XML_CONTENT: Final = "application/xml"
_PATHS: Final = {"x": NS_XHE, "xha": NS_XHA, "xhb": NS_XHB}


class EnvelopeMalformed(ProtocolError):
    """What an envelope must say is missing or not of its form; `element` names it."""

    def __init__(self, element: str) -> None:
        self.element = element
        super().__init__(f"the envelope has no valid {element}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What stands on an envelope.

    `message_id` is a UUID as text, the same as that of the SDK message within. `created_at` is aware.
    `document_type` and the process are what SMP is asked for; `document_type_code` is the payload's
    root element as an EQName. `handling_service_id` is the function address.
    """

    message_id: str
    created_at: datetime
    sender: ParticipantId
    recipient: ParticipantId
    document_type: DocumentType
    document_type_code: str
    is_encrypted: bool
    handling_service_id: str | None = None
    process_id: str = PROCESS_ID
    process_scheme: str = PROCESS_SCHEME
    federation_id: str = FEDERATION_SDK
    content_type_code: str = XML_CONTENT


def write_envelope(envelope: Envelope, payload: bytes) -> bytes:
    """The whole envelope without signature, canonical, with `payload` as PayloadContent's child.

    `payload` is a canonical element that declares the namespaces it uses.
    """
    scope = "".join(
        f"<xha:BusinessScopeCriterion>{_value('BusinessScopeCriterionTypeCode', code)}"
        f"{_value('BusinessScopeCriterionValue', value)}</xha:BusinessScopeCriterion>"
        for code, value in (
            ("DOCUMENTID", envelope.document_type.identifier),
            ("DOCUMENTID_SCHEME", envelope.document_type.scheme),
            ("PROCESSID", envelope.process_id),
            ("PROCESSID_SCHEME", envelope.process_scheme),
            ("FEDERATIONID", envelope.federation_id),
        )
    )
    service = (
        _value("HandlingServiceID", envelope.handling_service_id) if envelope.handling_service_id else ""
    )
    head = (
        f'<x:XHE xmlns:x="{NS_XHE}" xmlns:xha="{NS_XHA}" xmlns:xhb="{NS_XHB}">'
        f"{_value('XHEVersionID', XHE_VERSION_ID)}{_value('CustomizationID', XHE_CUSTOMIZATION_ID)}"
        f"<xha:Header>{_value('ID', envelope.message_id)}"
        f"{_value('CreationDateTime', timestamp(envelope.created_at))}"
        f"<xha:BusinessScope>{scope}</xha:BusinessScope>"
        f"{_party('FromParty', envelope.sender)}{_party('ToParty', envelope.recipient)}</xha:Header>"
        f"<xha:Payloads><xha:Payload>{_value('DocumentTypeCode', envelope.document_type_code)}"
        f"{_value('ContentTypeCode', envelope.content_type_code)}{service}"
        f"{_value('InstanceEncryptionIndicator', 'true' if envelope.is_encrypted else 'false')}"
        f"<xha:PayloadContent>"
    )
    tail = "</xha:PayloadContent></xha:Payload></xha:Payloads></x:XHE>"
    return head.encode() + payload + tail.encode()


def read_envelope(root: etree._Element) -> Envelope:
    """The values of an XHE root element; raises `EnvelopeMalformed`. It judges no rules."""
    if root.tag != f"{{{NS_XHE}}}XHE":
        raise EnvelopeMalformed("root element XHE")
    payload = "xha:Payloads/xha:Payload/"
    scope = _business_scope(root)
    return Envelope(
        message_id=_text(root, "xha:Header/xhb:ID"),
        created_at=_moment(_text(root, "xha:Header/xhb:CreationDateTime")),
        sender=_participant(root, "xha:Header/xha:FromParty"),
        recipient=_participant(root, "xha:Header/xha:ToParty"),
        document_type=DocumentType(_criterion(scope, "DOCUMENTID"), _criterion(scope, "DOCUMENTID_SCHEME")),
        document_type_code=_text(root, payload + "xhb:DocumentTypeCode"),
        is_encrypted=_text(root, payload + "xhb:InstanceEncryptionIndicator") in {"true", "1"},
        handling_service_id=_optional(root, payload + "xhb:HandlingServiceID"),
        process_id=_criterion(scope, "PROCESSID"),
        process_scheme=_criterion(scope, "PROCESSID_SCHEME"),
        federation_id=_criterion(scope, "FEDERATIONID"),
        content_type_code=_text(root, payload + "xhb:ContentTypeCode"),
    )


def _value(name: str, text: str) -> str:
    return f"<xhb:{name}>{escape(text)}</xhb:{name}>"


def _party(name: str, participant: ParticipantId) -> str:
    identifier = f'<xhb:ID schemeID="{PARTICIPANT_SCHEME}">{escape(participant.value)}</xhb:ID>'
    return f"<xha:{name}><xha:PartyIdentification>{identifier}</xha:PartyIdentification></xha:{name}>"


def _optional(root: etree._Element, path: str) -> str | None:
    """The text of the one element at the path; None where there is none."""
    found = root.findall(path, _PATHS)
    if len(found) > 1:
        raise EnvelopeMalformed(path.rpartition(":")[2])
    return text_of(found[0]).strip() or None if found else None


def _text(root: etree._Element, path: str) -> str:
    text = _optional(root, path)
    if text is None:
        raise EnvelopeMalformed(path.rpartition(":")[2])
    return text


def _participant(root: etree._Element, path: str) -> ParticipantId:
    try:
        return ParticipantId.parse(_text(root, path + "/xha:PartyIdentification/xhb:ID"))
    except ParticipantIdInvalid:
        raise EnvelopeMalformed(path.rpartition(":")[2]) from None


def _business_scope(root: etree._Element) -> list[tuple[str | None, str | None]]:
    criteria = root.findall("xha:Header/xha:BusinessScope/xha:BusinessScopeCriterion", _PATHS)
    return [
        (
            _optional(criterion, "xhb:BusinessScopeCriterionTypeCode"),
            _optional(criterion, "xhb:BusinessScopeCriterionValue"),
        )
        for criterion in criteria
    ]


def _criterion(scope: list[tuple[str | None, str | None]], code: str) -> str:
    values = [value for known, value in scope if known == code]
    if len(values) != 1 or values[0] is None:
        raise EnvelopeMalformed(f"business scope {code}")
    return values[0]


def _moment(text: str) -> datetime:
    try:
        return nearest_moment(text)
    except NotAMoment:
        raise EnvelopeMalformed("CreationDateTime") from None
