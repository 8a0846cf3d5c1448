"""What is being written in a conversation, for the foot of its thread; and who can write at all."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django import template
from django.template.context import Context

from mailbox import access
from mailbox.drafts import composer
from mailbox.models import Conversation, Message, Person
from mailbox.texts import markdown

register = template.Library()
_BEGINNING: Final = 120


@dataclass(frozen=True, slots=True)
class DraftInConversation:
    """A draft as it is shown in its conversation; of a confidential one no words are shown."""

    pk: int
    owner: str
    is_own: bool
    changed_at: datetime
    beginning: str
    # When it is sent, if its sender has chosen a later time.
    send_at: datetime | None


@dataclass(frozen=True, slots=True)
class Composer:
    """The foot of a thread: drafts in it, and the message that an answer would answer."""

    drafts: list[DraftInConversation]
    answerable: Message | None
    to: str
    is_supplement: bool


def composer_of(conversation: Conversation, person: Person) -> Composer:
    """What the foot of a conversation's thread shows the person."""
    rows = conversation.messages.exclude(counterpart_address="").order_by("-pk")
    incoming = rows.filter(direction=Message.Direction.IN).first()
    answerable = incoming or rows.first()
    drafts = [
        DraftInConversation(
            row.pk,
            row.owner.name if row.owner else "",
            row.owner_id in {None, person.pk},
            row.changed_at,
            "" if row.is_confidential else " ".join(markdown.without_marks(row.text).split())[:_BEGINNING],
            row.send_at,
        )
        for row in composer.drafts_in(conversation)
        if row.send_at is None or row.is_sent_later
    ]
    to = f"{answerable.counterpart_function}, {answerable.counterpart_organisation}" if answerable else ""
    return Composer(drafts, answerable, to, is_supplement=incoming is None)


@register.simple_tag(takes_context=True)
def drafts_in_conversation(context: Context) -> Composer:
    """`composer_of` the page's conversation and its reader."""
    return composer_of(context["conversation"], context["request"].user)


@register.simple_tag(takes_context=True)
def can_write(context: Context) -> bool:
    """Whether the person works in any mailbox; asked once for a page."""
    request: Any = context.get("request")
    if request is None:
        return False
    if not hasattr(request, "can_write"):
        request.can_write = access.mailboxes_to_work_in(request.user).exists()
    return bool(request.can_write)
