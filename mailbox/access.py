"""The one place that decides what a person may see.

- A person sees a function mailbox as its member, and in no other way.
- Conversations, messages, attachments and drafts are seen by those who see their mailbox.
- An administrator of an organisation sees its mailboxes' names and members, and no message: to read, one
  has to be a member like everybody else, which the administrative log shows.
- A person who is locked or logged out sees nothing.

Views, events, search and exports begin with these querysets; what is not in them does not exist (404).
"""

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from .models import Attachment, Conversation, Draft, DraftAttachment, FunctionMailbox, Message, Person

Viewer = Person | AnonymousUser


def mailboxes_of(person: Viewer) -> QuerySet[FunctionMailbox]:
    """Mailboxes that the person is a member of."""
    if not isinstance(person, Person) or not person.is_active:
        return FunctionMailbox.objects.none()
    return FunctionMailbox.objects.filter(memberships__person=person)


def conversations_of(person: Viewer) -> QuerySet[Conversation]:
    return Conversation.objects.filter(mailbox__in=mailboxes_of(person))


def messages_of(person: Viewer) -> QuerySet[Message]:
    return Message.objects.filter(conversation__mailbox__in=mailboxes_of(person))


def attachments_of(person: Viewer) -> QuerySet[Attachment]:
    return Attachment.objects.filter(document__message__conversation__mailbox__in=mailboxes_of(person))


def drafts_of(person: Viewer) -> QuerySet[Draft]:
    return Draft.objects.filter(mailbox__in=mailboxes_of(person))


def draft_attachments_of(person: Viewer) -> QuerySet[DraftAttachment]:
    return DraftAttachment.objects.filter(draft__mailbox__in=mailboxes_of(person))


def administered_by(person: Viewer) -> list[str]:
    """Participant ids of the organisations that the person administers."""
    if not isinstance(person, Person) or not person.is_active:
        return []
    return list(person.organisation_roles.values_list("participant_id", flat=True).order_by("participant_id"))
