"""What another message service sends and is sent: the contract's objects as our messages, and back.

Nothing is believed that the service says about whose a message is: it is compared with what was asked for.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final
from uuid import UUID

from rest_framework import serializers as rest

from transport.causes import Cause
from transport.message_api import held_messages, new_messages, serializers
from transport.message_api.problems import Issue
from transport.message_service.states import OutgoingState
from transport.protocol.identifiers import PARTICIPANT_SCHEME, ParticipantId, ParticipantIdInvalid
from transport.protocol.sdk_message.message import Header, Identifier, Message, Party

from .problems import AnswerInvalid

_ERROR: Final = OutgoingState.MESSAGE_EXCHANGE_ERROR
# The reasons of a receipt that rejects (C3.2.4): in an event they say that it was one.
_REASONS: Final = frozenset({"BV", "SV", "SIG"})
_MOST_CAUSES: Final = 20
_LONGEST_TEXT: Final = 500
# A rejected message is one, however its status is named.
_STATES: Final = {
    "SCHEDULED_FOR_RESEND": OutgoingState.SCHEDULED_FOR_RESEND,
    "ACKNOWLEDGE": OutgoingState.ACKNOWLEDGE,
    "WAITING_FOR_RECEIPT": OutgoingState.WAITING_FOR_RECEIPT,
    "ACCEPTED": OutgoingState.ACCEPTED,
    "REJECTED": OutgoingState.REJECTED,
    "MESSAGE_EXCHANGE_ERROR": OutgoingState.MESSAGE_EXCHANGE_ERROR,
}
_ARRIVED_THERE: Final = frozenset({"ACKNOWLEDGE", "WAITING_FOR_RECEIPT"})


class NotOurs(Exception):
    """A message that the service gives us and that is not to be delivered; `code` says why."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class _Status(rest.Serializer[Any]):
    messageStatus = serializers.Text(max_length=64)
    messageId = serializers.Text()
    events = serializers.Events(required=False)


class _Listed(rest.Serializer[Any]):
    id = serializers.Text()
    attributes = _Status()


class _Attributes(serializers.NewAttributes):
    """A message that has arrived. What other suppliers call a status is no concern of its content."""

    messageStatus = serializers.Text(required=False)
    creationDateTime = serializers.Text()
    messageId = serializers.Text()
    conversationId = serializers.Text()
    label = serializers.Text(max_length=256, required=False)


class _Fetched(rest.Serializer[Any]):
    id = serializers.Text()
    attributes = _Attributes()


@dataclass(frozen=True, slots=True)
class Listed:
    """A message in a list: its ids, its status and its history."""

    resource_id: UUID
    message_id: UUID
    status: str
    issues: tuple[dict[str, str], ...]


@dataclass(frozen=True, slots=True)
class Reported:
    """What a status means for the sender: a state of ours (empty where nothing new is known), and why."""

    state: str
    cause: str = ""
    causes: tuple[dict[str, Any], ...] = ()
    lacks_receipt: bool = False

    @property
    def is_final(self) -> bool:
        return (
            self.state in (OutgoingState.ACCEPTED, OutgoingState.REJECTED, _ERROR) and not self.lacks_receipt
        )


def listed_in(page: dict[str, Any]) -> tuple[list[Listed], bool]:
    """The messages of a page, and whether others on it could not be read. Raises `AnswerInvalid`."""
    data = page.get("data")
    if not isinstance(data, list):
        raise AnswerInvalid
    found = [_listed(item) for item in data]
    return [item for item in found if item is not None], None in found


def listed_alone(answer: dict[str, Any]) -> Listed:
    """The message of an answer with one. Raises `AnswerInvalid`."""
    found = _listed(_only(answer))
    if found is None:
        raise AnswerInvalid
    return found


def message_in(
    answer: Any, *, resource_id: UUID, message_id: UUID, recipient: ParticipantId, directory: Path
) -> Message:
    """The message that was asked for, for this organisation of ours; its files are below the directory.

    Raises `AnswerInvalid` for what is not of the contract's form, `NotOurs` for another message than was
    asked for.
    """
    shape = _Fetched(data=_only(answer))
    if not shape.is_valid():
        raise AnswerInvalid
    data = shape.validated_data
    attributes = data["attributes"]
    if _uuid(data["id"]) != resource_id or _uuid(attributes["messageId"]) != message_id:
        raise NotOurs("another-message")
    if _participant(attributes["recipient"]) != recipient:
        raise NotOurs("another-recipient")
    issues: list[Issue] = []
    created_at = new_messages.moment_of(attributes["creationDateTime"])
    documents = new_messages.documents_of(attributes, directory, issues)
    conversation_id, refers_to = attributes["conversationId"], attributes.get("refToMessageId")
    if issues or created_at is None:
        raise NotOurs("content-invalid")
    return Message(
        Header(
            created_at=created_at,
            message_id=str(message_id),
            conversation_id=str(_uuid(conversation_id)),
            ref_to_message_id=str(_uuid(refers_to)) if refers_to else None,
            recipient=Party(
                Identifier(PARTICIPANT_SCHEME, recipient.value),
                None,
                new_messages.attention_of(attributes.get("recipientAttention")),
            ),
            sender=Party(
                Identifier(PARTICIPANT_SCHEME, _participant(attributes["sender"]).value),
                None,
                new_messages.attention_of(attributes.get("senderAttention")),
            ),
            is_confidential=attributes["confidentiality"],
            label=attributes.get("label") or None,
            generating_system=new_messages.system_of(attributes.get("generatingSystem")),
        ),
        documents,
    )


def write_new(message: Message, out: BinaryIO) -> None:
    """Write the body of `sendMessage`; attachments in chunks.

    The resource has the message's own id: what has been handed over is found by it.
    """
    attributes = held_messages.attributes_of(message.header)
    start = {"data": {"type": "messages", "id": message.header.message_id, "attributes": attributes}}
    out.write(json.dumps(start, ensure_ascii=False).encode()[:-3])
    out.write(b',"digitalDocument":')
    held_messages.DocumentsWriter(out).written(message.documents)
    out.write(b"}}}")


def reported(listed: Listed) -> Reported:
    """What a listed message's status means (KV Meddelandestatus)."""
    state = _STATES.get(listed.status)
    codes = [issue.get("typeCode", "") for issue in listed.issues]
    if state is None:
        return Reported("")
    if state != _ERROR and state != OutgoingState.REJECTED:
        return Reported(state)
    if state == OutgoingState.REJECTED or "REJECTED" in codes or _REASONS & set(codes):
        causes = tuple(_cause(issue) for issue in listed.issues if issue.get("typeCode") in _REASONS)
        names = sorted({f"{cause['reason']}/{cause['detail'] or '-'}" for cause in causes})
        return Reported(OutgoingState.REJECTED, ", ".join(names)[:100], causes[:_MOST_CAUSES])
    if _ARRIVED_THERE & set(codes):
        # The message is with the recipient, whose receipt has not come: it may still come.
        return Reported(OutgoingState.WAITING_FOR_RECEIPT, lacks_receipt=True)
    known = [issue.get("detail", "") for issue in listed.issues if issue.get("detail") in set(Cause)]
    return Reported(_ERROR, known[0] if known else Cause.REFUSED)


def _cause(issue: dict[str, str]) -> dict[str, Any]:
    """An issue of a rejection as `OutgoingMessage.causes` has it ("Mappning Kvittens och Event")."""

    def text(name: str) -> str:
        value = issue.get(name) or ""
        return "" if value == "NA" else value[:_LONGEST_TEXT]

    return {
        "reason": issue["typeCode"],
        "detail": text("title") or None,
        "text": text("detail"),
        "place": text("in"),
    }


def _listed(item: Any) -> Listed | None:
    shape = _Listed(data=item)
    if not shape.is_valid():
        return None
    data = shape.validated_data
    attributes = data["attributes"]
    try:
        issues = tuple(dict(issue) for issue in attributes.get("events", {}).get("eventIssues", ()))
        return Listed(
            UUID(data["id"]), UUID(attributes["messageId"]), attributes["messageStatus"].strip(), issues
        )
    except ValueError:
        return None


def _only(answer: Any) -> Any:
    """The message of an answer with one: the specification's examples have it in a list too."""
    data = answer.get("data") if isinstance(answer, dict) else None
    return data[0] if isinstance(data, list) and len(data) == 1 else data


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise AnswerInvalid from None


def _participant(text: str) -> ParticipantId:
    try:
        return ParticipantId.parse(text)
    except ParticipantIdInvalid:
        raise AnswerInvalid from None
