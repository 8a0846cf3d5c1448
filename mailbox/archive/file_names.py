"""The names of exported files: what a registrar looks for, and nothing that is confidential."""

from datetime import datetime
from typing import Final

from django.utils import timezone

from mailbox.attachments.file_names import safe_name
from mailbox.models import Conversation, Message, Registration
from transport.message_service.api import Organisation

_LONGEST_CASE_NUMBER: Final = 40
_LONGEST_SUBJECT: Final = 60
# Of a reference that is a case number, as drafts write it (`drafts.message_builder.REFERENCE_KINDS`).
CASE_NUMBER_ROOT: Final = "dnr"


def file_name_of(conversation: Conversation, made_at: datetime, *, kind: str = "arkivpaket") -> str:
    """The file name of a bundle or package, which `kind` is the first word of.

    It has the organisation, the time, the registered case number, and unless the conversation is
    confidential its subject. A case number that only stands in a message counts where nothing is
    registered and the conversation is not confidential.
    """
    parts = [kind, organisation_of(conversation), f"{timezone.localtime(made_at):%Y-%m-%d %H%M}"]
    case_number = registered_case_number(conversation)
    if not case_number and not conversation.is_confidential:
        case_number = _case_number_in_messages(conversation)
    parts.append(_in_a_name(case_number, _LONGEST_CASE_NUMBER))
    if not conversation.is_confidential:
        parts.append(_in_a_name(conversation.subject, _LONGEST_SUBJECT))
    return safe_name(" ".join(part for part in parts if part) + ".zip")


def organisation_of(conversation: Conversation) -> str:
    """The name of the organisation, or its participant identifier where the node has no name for it."""
    participant = conversation.mailbox.participant_id
    name = Organisation.objects.filter(participant_id=participant).values_list("name", flat=True).first()
    return name or participant


def registered_case_number(conversation: Conversation) -> str:
    """The case number that was registered last and holds, or empty."""
    registered = conversation.registrations.filter(kind=Registration.Kind.CASE, ended_at=None)
    latest = registered.order_by("-at", "-pk").first()
    return str(latest.case_number) if latest else ""


def _case_number_in_messages(conversation: Conversation) -> str:
    """Our newest case number in the conversation's messages, or empty."""
    for message in conversation.messages.order_by("-at", "-pk"):
        was_sent = message.direction == Message.Direction.OUT
        for reference in message.sender_references if was_sent else message.recipient_references:
            if reference["root"] == CASE_NUMBER_ROOT and reference["value"]:
                return str(reference["value"])
    return ""


def _in_a_name(text: str, longest: int) -> str:
    """The text as a part of a file name, of which a slash would begin another."""
    return " ".join(text.replace("/", "-").replace("\\", "-").split())[:longest]
