"""eb:Messaging: writing it and reading it (ebMS 3.0 section 5.2, C3.2.1 2.3.1)."""

from datetime import datetime
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from transport.protocol.sdk_message.message import timestamp
from transport.protocol.xml.text import holds_elements, text_at, text_of

from ..identifiers import PARTICIPANT_SCHEME, ParticipantId, ParticipantIdInvalid
from ..moments import NotAMoment, read_moment
from . import names
from .content_ids import cid_url, content_id_of
from .errors import INVALID_HEADER, VALUE_INCONSISTENT, VALUE_NOT_RECOGNIZED, As4Error
from .messages import PartInfo, UserMessage
from .security import canonical

_MAX_ID: Final = 255
_MOST_PARTS: Final = 64
_NOBODY: Final = ParticipantId("")


def write_messaging(content: str, identity: str) -> bytes:
    """eb:Messaging around a user or signal message, canonical as it will stand in the header."""
    return canonical(
        f'<eb:Messaging xmlns:eb="{names.NS_EB}" xmlns:env="{names.NS_ENV}" xmlns:wsu="{names.NS_WSU}" '
        f'env:mustUnderstand="true" wsu:Id="{identity}">{content}</eb:Messaging>'
    )


def body(identity: str) -> bytes:
    """The empty body, canonical as it will stand in the envelope."""
    return canonical(f'<env:Body xmlns:env="{names.NS_ENV}" xmlns:wsu="{names.NS_WSU}" wsu:Id="{identity}"/>')


def envelope(messaging: bytes, security: str, body_element: bytes) -> bytes:
    """The SOAP 1.2 envelope, as it goes on the wire."""
    opening = f'<?xml version="1.0" encoding="UTF-8"?><env:Envelope xmlns:env="{names.NS_ENV}"><env:Header>'
    middle = security.encode() + b"</env:Header>" + body_element
    return opening.encode() + messaging + middle + b"</env:Envelope>"


def write_user_message(message: UserMessage) -> str:
    """eb:UserMessage."""
    parts = "".join(_part(part) for part in message.parts)
    return (
        f'<eb:UserMessage mpc="{names.DEFAULT_MPC}"><eb:MessageInfo>'
        f"<eb:Timestamp>{timestamp(message.timestamp)}</eb:Timestamp>"
        f"<eb:MessageId>{escape(message.message_id)}</eb:MessageId></eb:MessageInfo>"
        f"<eb:PartyInfo><eb:From>{_party(message.sender_party, message.sender_party_type)}"
        f"<eb:Role>{names.INITIATOR}</eb:Role></eb:From>"
        f"<eb:To>{_party(message.recipient_party, message.recipient_party_type)}"
        f"<eb:Role>{names.RESPONDER}</eb:Role></eb:To></eb:PartyInfo>"
        f"<eb:CollaborationInfo><eb:Service{_type(message.service_type)}>{escape(message.service)}</eb:Service>"
        f"<eb:Action>{escape(message.action)}</eb:Action>"
        f"<eb:ConversationId>{escape(message.conversation_id)}</eb:ConversationId></eb:CollaborationInfo>"
        f"<eb:MessageProperties>{_participant('originalSender', message.original_sender)}"
        f"{_participant('finalRecipient', message.final_recipient)}</eb:MessageProperties>"
        f"<eb:PayloadInfo>{parts}</eb:PayloadInfo></eb:UserMessage>"
    )


def signal_info(message_id: str, moment: datetime, ref_to_message_id: str | None) -> str:
    """eb:MessageInfo of a signal."""
    ref = f"<eb:RefToMessageId>{escape(ref_to_message_id)}</eb:RefToMessageId>" if ref_to_message_id else ""
    return (
        f"<eb:MessageInfo><eb:Timestamp>{timestamp(moment)}</eb:Timestamp>"
        f"<eb:MessageId>{escape(message_id)}</eb:MessageId>{ref}</eb:MessageInfo>"
    )


def header_of(root: etree._Element) -> tuple[etree._Element, etree._Element, etree._Element | None]:
    """The one eb:Messaging, the Body, and wsse:Security if there is one; raises `As4Error` EBMS:0009."""
    if root.tag != names.ENV + "Envelope":
        raise As4Error(INVALID_HEADER, "not a SOAP 1.2 envelope")
    messaging = root.findall(f"{names.ENV}Header/{names.EB}Messaging")
    bodies = root.findall(names.ENV + "Body")
    security = root.findall(f"{names.ENV}Header/{names.WSSE}Security")
    if len(messaging) != 1 or len(bodies) != 1 or len(security) > 1:
        raise As4Error(INVALID_HEADER, "not exactly one Messaging, Body and Security")
    return messaging[0], bodies[0], security[0] if security else None


def message_id_of(root: etree._Element) -> str | None:
    """The message's id as far as it can be told, before anything is verified."""
    path = f"{names.ENV}Header/{names.EB}Messaging/" + _path("UserMessage/MessageInfo/MessageId")
    found = (text_at(root, path) or "").strip()
    return found if 0 < len(found) <= _MAX_ID and found.isprintable() else None


def read_user_message(messaging: etree._Element) -> UserMessage:
    """The values of the one eb:UserMessage; raises `As4Error`."""
    found = messaging.findall(names.EB + "UserMessage")
    if len(found) != 1 or len(messaging.findall("*")) != 1:
        raise As4Error(INVALID_HEADER, "not exactly one UserMessage")
    message = found[0]
    service = _one(message, "CollaborationInfo/Service")
    is_test = _value_of(service, "Service") == names.TEST_SERVICE
    return UserMessage(
        message_id=_identity(message, "MessageInfo/MessageId"),
        timestamp=moment_of(message),
        conversation_id=_identity(message, "CollaborationInfo/ConversationId"),
        sender_party=_text(message, "PartyInfo/From/PartyId"),
        sender_party_type=_one(message, "PartyInfo/From/PartyId").get("type"),
        recipient_party=_text(message, "PartyInfo/To/PartyId"),
        recipient_party_type=_one(message, "PartyInfo/To/PartyId").get("type"),
        service=_value_of(service, "Service"),
        service_type=service.get("type"),
        action=_text(message, "CollaborationInfo/Action"),
        # A test is between access points: some name participants in it that are none, and send nothing along.
        original_sender=_NOBODY if is_test else _property(message, "originalSender"),
        final_recipient=_NOBODY if is_test else _property(message, "finalRecipient"),
        parts=parts_of(message, may_be_none=is_test),
    )


def count_parts(messaging: etree._Element) -> int:
    """How many parts the header announces, as far as there can be so many."""
    return min(len(messaging.findall(_path("UserMessage/PayloadInfo/PartInfo"))), _MOST_PARTS)


def moment_of(message: etree._Element) -> datetime:
    """The eb:Timestamp, in UTC; raises `As4Error`."""
    try:
        return read_moment(_text(message, "MessageInfo/Timestamp"))
    except NotAMoment:
        raise As4Error(INVALID_HEADER, "Timestamp is not a time") from None


def _part(part: PartInfo) -> str:
    properties = {"MimeType": part.mime_type}
    if part.is_compressed:
        properties["CompressionType"] = names.GZIP
    if part.character_set:
        properties["CharacterSet"] = part.character_set
    written = "".join(
        f"<eb:Property name={quoteattr(name)}>{escape(value)}</eb:Property>"
        for name, value in properties.items()
    )
    return (
        f"<eb:PartInfo href={quoteattr(cid_url(part.content_id))}>"
        f"<eb:PartProperties>{written}</eb:PartProperties></eb:PartInfo>"
    )


def _party(identifier: str, kind: str | None) -> str:
    return f"<eb:PartyId{_type(kind)}>{escape(identifier)}</eb:PartyId>"


def _type(kind: str | None) -> str:
    return f" type={quoteattr(kind)}" if kind else ""


def _participant(name: str, participant: ParticipantId) -> str:
    return f'<eb:Property name="{name}" type="{PARTICIPANT_SCHEME}">{escape(participant.value)}</eb:Property>'


def _path(path: str) -> str:
    return "/".join(names.EB + step for step in path.split("/"))


def _one(element: etree._Element, path: str) -> etree._Element:
    found = element.findall(_path(path))
    if len(found) != 1:
        raise As4Error(INVALID_HEADER, f"not exactly one {path}")
    return found[0]


def _value_of(element: etree._Element, name: str) -> str:
    if holds_elements(element):
        raise As4Error(INVALID_HEADER, f"there is an element inside {name}")
    return text_of(element).strip()


def _text(element: etree._Element, path: str) -> str:
    text = _value_of(_one(element, path), path)
    if not text:
        raise As4Error(INVALID_HEADER, f"{path} is empty")
    return text


def _identity(element: etree._Element, path: str) -> str:
    text = _text(element, path)
    if len(text) > _MAX_ID or not text.isprintable():
        raise As4Error(INVALID_HEADER, f"{path} is too long or not printable")
    return text


def _property(message: etree._Element, name: str) -> ParticipantId:
    values = [
        _value_of(item, "Property")
        for item in message.findall(_path("MessageProperties/Property"))
        if item.get("name") == name
    ]
    if len(values) != 1:
        raise As4Error(VALUE_INCONSISTENT, f"not exactly one message property {name}")
    try:
        return ParticipantId.parse(values[0])
    except ParticipantIdInvalid:
        raise As4Error(
            VALUE_NOT_RECOGNIZED, f"message property {name} is no participant identifier"
        ) from None


def parts_of(message: etree._Element, *, may_be_none: bool = False) -> tuple[PartInfo, ...]:
    """The parts that an eb:UserMessage announces; raises `As4Error`."""
    parts = []
    for part in message.findall(_path("PayloadInfo/PartInfo")):
        content_id = content_id_of(part.get("href") or "")
        if content_id is None:
            raise As4Error(VALUE_NOT_RECOGNIZED, "a PartInfo does not refer to an attachment")
        properties = {
            item.get("name"): _value_of(item, "Property")
            for item in part.findall(_path("PartProperties/Property"))
        }
        compression = properties.get("CompressionType")
        if compression not in (None, names.GZIP):
            raise As4Error(VALUE_NOT_RECOGNIZED, "CompressionType is not application/gzip")
        mime_type = properties.get("MimeType")
        if not mime_type:
            raise As4Error(VALUE_NOT_RECOGNIZED, "a PartInfo has no MimeType")
        parts.append(PartInfo(content_id, mime_type, compression is not None, properties.get("CharacterSet")))
    if not parts and not may_be_none:
        raise As4Error(VALUE_INCONSISTENT, "the message has no payload")
    if len({part.content_id for part in parts}) != len(parts):
        raise As4Error(VALUE_INCONSISTENT, "two PartInfo refer to the same attachment")
    return tuple(parts)
