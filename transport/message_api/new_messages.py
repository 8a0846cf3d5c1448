"""Building a message from a request, validated as far as the API can; the message service does the rest."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from transport.message_api.clients.tokens import Caller
from transport.protocol.identifiers import (
    FUNCTION_ADDRESS_ROOT,
    PARTICIPANT_SCHEME,
    ParticipantId,
    ParticipantIdInvalid,
)
from transport.protocol.sdk_message.message import (
    Attention,
    Document,
    File,
    Header,
    Identifier,
    Message,
    Party,
    PathContent,
    Person,
    Reference,
    SubOrganization,
)

from . import json_body
from .problems import BadRequest, Issue

_AT = "/data/attributes"


def message_of(attributes: dict[str, Any], caller: Caller, directory: Path) -> Message:
    """The message; its files are below `directory`. Raises `BadRequest`."""
    issues: list[Issue] = []
    sender = _participant(attributes, "sender", issues)
    recipient = _participant(attributes, "recipient", issues)
    if sender is not None and sender.value != caller.participant:
        issues.append(Issue("The client may not act for this organisation", f"{_AT}/sender"))
    sender_attention = attention_of(attributes.get("senderAttention"))
    if sender_attention is None:
        issues.append(Issue("The sending function is needed", f"{_AT}/senderAttention"))
    elif not caller.acts_for(sender_attention.sub_organization.identifier.extension):
        pointer = f"{_AT}/senderAttention/subOrganization/extension"
        issues.append(Issue("The client may not act for this function", pointer))
    message_id = _identity(attributes, "messageId", issues) or str(uuid.uuid4())
    created_at = _created_at(attributes, issues)
    documents = documents_of(attributes, directory, issues)
    if issues or sender is None or recipient is None:
        raise BadRequest(*issues)
    header = Header(
        created_at=created_at,
        message_id=message_id,
        conversation_id=_identity(attributes, "conversationId", issues) or message_id,
        ref_to_message_id=_identity(attributes, "refToMessageId", issues),
        recipient=Party(
            Identifier(PARTICIPANT_SCHEME, recipient.value),
            None,
            attention_of(attributes.get("recipientAttention")),
        ),
        sender=Party(
            Identifier(PARTICIPANT_SCHEME, sender.value), caller.client.organisation.name, sender_attention
        ),
        is_confidential=attributes["confidentiality"],
        label=attributes["label"],
        generating_system=system_of(attributes.get("generatingSystem")),
    )
    if issues:
        raise BadRequest(*issues)
    return Message(header, documents)


def resource_id_of(data: dict[str, Any]) -> UUID | None:
    """The `id` that the client gave its message. Raises `BadRequest`."""
    issues: list[Issue] = []
    identity = _uuid(data.get("id"), "/data/id", issues)
    if issues:
        raise BadRequest(*issues)
    return UUID(identity) if identity else None


def moment_of(text: str) -> datetime | None:
    """A time of ISO 8601, in UTC; None for anything else."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.utcoffset() == timedelta(0) else None


def _participant(attributes: dict[str, Any], name: str, issues: list[Issue]) -> ParticipantId | None:
    try:
        return ParticipantId.parse(attributes[name])
    except ParticipantIdInvalid:
        issues.append(Issue("Not a participant identifier", f"{_AT}/{name}"))
        return None


def _identity(attributes: dict[str, Any], name: str, issues: list[Issue]) -> str | None:
    return _uuid(attributes.get(name), f"{_AT}/{name}", issues)


def _uuid(text: str | None, pointer: str, issues: list[Issue]) -> str | None:
    if text is None:
        return None
    try:
        return str(UUID(text))
    except ValueError:
        issues.append(Issue("Not a UUID", pointer))
        return None


def _created_at(attributes: dict[str, Any], issues: list[Issue]) -> datetime:
    values = attributes.get("creationDateTime")
    moment = moment_of(values) if values is not None else timezone.now()
    if moment is None:
        issues.append(Issue("Not a time of ISO 8601 in UTC", f"{_AT}/creationDateTime"))
        return timezone.now()
    return moment


def attention_of(values: dict[str, Any] | None) -> Attention | None:
    """A party's function, persons and references. The contract has no way to leave an identifier or a label
    out but to leave it empty."""
    if values is None:
        return None
    part = values["subOrganization"]
    return Attention(
        SubOrganization(
            Identifier(part.get("root") or FUNCTION_ADDRESS_ROOT, part.get("extension", "").strip()),
            part.get("label") or None,
        ),
        tuple(
            Person(
                Identifier(item["root"], item["extension"]) if item["root"] or item["extension"] else None,
                item["label"] or None,
            )
            for item in values.get("attentionPerson", ())
        ),
        tuple(
            Reference(Identifier(item["root"], item["extension"]), item["label"] or None)
            for item in values.get("referenceId", ())
        ),
    )


def system_of(values: dict[str, Any] | None) -> Identifier | None:
    """The system that made the message."""
    return Identifier(values.get("root", ""), values.get("extension", "")) if values else None


def documents_of(attributes: dict[str, Any], directory: Path, issues: list[Issue]) -> tuple[Document, ...]:
    """The documents, whose files are decoded below the directory; what is wrong with them is added to
    `issues`."""
    accepted = {item.lower() for item in settings.SDK_ACCEPTED_CONTENT_TYPES}
    documents = []
    for number, values in enumerate(attributes.get("digitalDocument", ())):
        files = []
        for position, file in enumerate(values.get("contentFiles", ())):
            pointer = f"{_AT}/digitalDocument/{number}/contentFiles/{position}"
            if file["contentType"].partition(";")[0].strip().lower() not in accepted:
                issues.append(Issue("Files of this type are not sent from here", f"{pointer}/contentType"))
                continue
            path = directory / f"file-{number:04d}-{position:04d}"
            try:
                size = json_body.decode(file["content"], path)
            except json_body.BodyRefused as refused:
                issues.append(Issue(refused.why, f"{pointer}/content"))
                continue
            files.append(File(file["fileName"], file["contentType"], PathContent(path, size)))
        documents.append(
            Document(
                values["documentId"],
                values.get("documentName"),
                values.get("index"),
                tuple(values.get("contentTextBody", ())),
                tuple(files),
            )
        )
    return tuple(documents)
