"""What the form proposes: the messages that are not registered, and the conversation's case numbers."""

from typing import Final

from django.db.models import Exists, OuterRef

from mailbox.models import Conversation, Message, RegisteredMessage, Registration

from . import case_numbers

# The latest messages whose references are looked at, and how many messages the form lists.
_LATEST: Final = 20
_MOST: Final = 5


def unregistered(conversation: Conversation, message: Message | None = None) -> list[int]:
    """The keys of the messages that are not registered, or of that one of them."""
    holding = RegisteredMessage.objects.filter(message=OuterRef("pk"), is_current=True)
    rows = conversation.messages.filter(~Exists(holding)).order_by("pk")
    if message is not None:
        rows = rows.filter(pk=message.pk)
    return list(rows.values_list("pk", flat=True))


def numbers_for(conversation: Conversation) -> list[str]:
    """Case numbers of the mailbox's form: those of the conversation's registrations, the latest first, then
    our references in its latest messages."""
    held = conversation.registrations.filter(kind=Registration.Kind.CASE, ended_at=None)
    found = [row.case_number for row in held.order_by("-at", "-pk")[:_LATEST]]
    for message in conversation.messages.order_by("-at", "-pk")[:_LATEST]:
        is_sent = message.direction == Message.Direction.OUT
        references = message.sender_references if is_sent else message.recipient_references
        found += [str(reference.get("value", "")) for reference in references]
    numbers = dict.fromkeys(number for text in found if (number := _of_form(conversation, text)))
    return list(numbers)[:_MOST]


def _of_form(conversation: Conversation, text: str) -> str:
    """The text as a case number of the mailbox's; empty where it is none."""
    pattern = conversation.mailbox.case_number_pattern
    if not text or len(text) > case_numbers.LONGEST_NUMBER or not any(sign.isdigit() for sign in text):
        return ""
    if not pattern:
        return text
    try:
        return case_numbers.parse(pattern).read(text)
    except case_numbers.Mismatch:
        return ""
