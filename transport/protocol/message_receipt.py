"""The message receipt: UBL 2.1 ApplicationResponse in the federation's profile (C3.2.4)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree

from transport.protocol.xml.text import text_at

from .errors import ProtocolError
from .findings import Finding, Reason
from .identifiers import (
    NS_CAC,
    NS_CBC,
    NS_RECEIPT,
    PARTICIPANT_SCHEME,
    PROCESS_ID,
    RECEIPT_CUSTOMIZATION_ID,
    ParticipantId,
    ParticipantIdInvalid,
)
from .moments import NotAMoment, nearest_moment

# For causes without an XPath (C3.2.4 3.1 g).
NO_PLACE: Final = "NA"
_MAX_CAUSES: Final = 20
_ZONE: Final = re.compile(r"(?:Z|[+-][0-9]{2}:[0-9]{2})\Z")
_PATHS: Final = {"cac": NS_CAC, "cbc": NS_CBC}


class ResponseCode(StrEnum):
    """Kvittenskod (C3.2.4 section 4.1)."""

    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"


class ReceiptMalformed(ProtocolError):
    """A required value of a receipt is missing or malformed; `element` names it."""

    def __init__(self, element: str) -> None:
        self.element = element
        super().__init__(f"the message receipt has no valid {element}")


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a message was rejected. `detail_code` is free text in the standard; ours are `Detail`'s."""

    reason: Reason
    text: str
    detail_code: str | None = None
    xpath: str = NO_PLACE


@dataclass(frozen=True, slots=True)
class MessageReceipt:
    """`sender` is the participant that acknowledges, `recipient` the one whose message it was."""

    receipt_id: str
    issued_at: datetime
    sender: ParticipantId
    recipient: ParticipantId
    ref_message_id: str
    code: ResponseCode
    causes: tuple[Cause, ...] = ()


def causes_of(findings: list[Finding]) -> tuple[Cause, ...]:
    """The causes that findings give a receipt, in their order; at most 20."""
    causes = [
        Cause(finding.reason, finding.text, finding.detail, finding.xpath or NO_PLACE)
        for finding in findings
        if finding.reason is not None and not finding.is_note
    ]
    return tuple(causes[:_MAX_CAUSES])


def write_receipt(receipt: MessageReceipt) -> bytes:
    """The receipt as canonical XML, which can be put into an envelope unchanged."""
    issued = receipt.issued_at.astimezone(UTC)
    lines = "".join(
        f"<cac:LineResponse><cac:LineReference>{_value('LineID', cause.xpath)}</cac:LineReference>"
        f"<cac:Response>{_value('ResponseCode', cause.reason)}<cac:Status>"
        f"{_value('StatusReasonCode', cause.detail_code) if cause.detail_code else ''}"
        f"{_value('StatusReason', cause.text)}</cac:Status></cac:Response></cac:LineResponse>"
        for cause in receipt.causes
    )
    return (
        f'<app:ApplicationResponse xmlns:app="{NS_RECEIPT}" xmlns:cac="{NS_CAC}" xmlns:cbc="{NS_CBC}">'
        f"{_value('CustomizationID', RECEIPT_CUSTOMIZATION_ID)}{_value('ProfileID', PROCESS_ID)}"
        f"{_value('ID', receipt.receipt_id)}{_value('IssueDate', issued.strftime('%Y-%m-%d'))}"
        f"{_value('IssueTime', issued.strftime('%H:%M:%S') + 'Z')}"
        f"{_party('SenderParty', receipt.sender)}{_party('ReceiverParty', receipt.recipient)}"
        f"<cac:DocumentResponse><cac:Response>{_value('ResponseCode', receipt.code)}</cac:Response>"
        f"<cac:DocumentReference>{_value('ID', receipt.ref_message_id)}</cac:DocumentReference>"
        f"{lines}</cac:DocumentResponse></app:ApplicationResponse>"
    ).encode()


def read_receipt(root: etree._Element) -> MessageReceipt:
    """The values of an ApplicationResponse; raises `ReceiptMalformed`. Rules are not checked."""
    if root.tag != f"{{{NS_RECEIPT}}}ApplicationResponse":
        raise ReceiptMalformed("root element ApplicationResponse")
    try:
        code = ResponseCode(_text(root, "cac:DocumentResponse/cac:Response/cbc:ResponseCode"))
    except ValueError:
        raise ReceiptMalformed("ResponseCode") from None
    return MessageReceipt(
        receipt_id=_text(root, "cbc:ID"),
        issued_at=_moment(_text(root, "cbc:IssueDate"), _text(root, "cbc:IssueTime")),
        sender=_participant(root, "cac:SenderParty"),
        recipient=_participant(root, "cac:ReceiverParty"),
        ref_message_id=_text(root, "cac:DocumentResponse/cac:DocumentReference/cbc:ID"),
        code=code,
        causes=tuple(_cause(line) for line in root.findall("cac:DocumentResponse/cac:LineResponse", _PATHS)),
    )


def _cause(line: etree._Element) -> Cause:
    try:
        reason = Reason(_text(line, "cac:Response/cbc:ResponseCode"))
    except ValueError:
        raise ReceiptMalformed("ResponseCode") from None
    return Cause(
        reason,
        _text(line, "cac:Response/cac:Status/cbc:StatusReason"),
        text_at(line, "cac:Response/cac:Status/cbc:StatusReasonCode", _PATHS),
        _text(line, "cac:LineReference/cbc:LineID"),
    )


def _value(name: str, text: str) -> str:
    return f"<cbc:{name}>{escape(text)}</cbc:{name}>"


def _party(name: str, participant: ParticipantId) -> str:
    endpoint = f'<cbc:EndpointID schemeID="{PARTICIPANT_SCHEME}">{escape(participant.value)}</cbc:EndpointID>'
    return f"<cac:{name}>{endpoint}</cac:{name}>"


def _text(root: etree._Element, path: str) -> str:
    text = (text_at(root, path, _PATHS) or "").strip()
    if not text:
        raise ReceiptMalformed(path.rpartition(":")[2])
    return text


def _participant(root: etree._Element, path: str) -> ParticipantId:
    try:
        return ParticipantId.parse(_text(root, path + "/cbc:EndpointID"))
    except ParticipantIdInvalid:
        raise ReceiptMalformed("EndpointID") from None


def _moment(date: str, time: str) -> datetime:
    """The date's own zone, if it has one, is not the time's."""
    try:
        return nearest_moment(f"{_ZONE.sub('', date)}T{time}")
    except NotAMoment:
        raise ReceiptMalformed("IssueTime") from None
