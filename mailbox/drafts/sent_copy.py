"""A draft that is sent: the order to send it, and the copy that stays in its conversation."""

import uuid
from contextlib import suppress
from datetime import datetime

from django.utils.translation import gettext as _

from addressbook import personal
from mailbox.approval.rule import approval_of
from mailbox.attachments import uploads
from mailbox.conversations import assignment
from mailbox.delivery.inbound import add_to_conversation, references_of
from mailbox.models import (
    Attachment,
    Conversation,
    ConversationEvent,
    Document,
    Draft,
    DraftAttachment,
    FunctionMailbox,
    Person,
    WritingChoices,
)
from mailbox.models import Message as MessageRow
from mailbox.protection import acts
from transport.message_service.api import CharacterNotAllowed, Message, orders

from .message_builder import message_of
from .message_check import DraftIncomplete
from .recipients import promote_next


def send_to_first(draft: Draft, person: Person) -> MessageRow:
    """Send a locked draft to its first recipient, in the caller's transaction: the one way by which what
    somebody has written leaves a mailbox. Raises `ApprovalNeeded`, `DraftIncomplete`.

    With further recipients the next becomes the first, and the files are copied; with none the draft ends.
    """
    approval = approval_of(draft, person)
    is_last = not draft.further_recipients.exists()
    message = message_of(draft, person)
    try:
        orders.order(message, actor=person.name, ordered_at=_ordered_at(draft))
    except orders.MessageInvalid as error:
        raise DraftIncomplete({"__all__": _invalid(error)}) from None
    except CharacterNotAllowed:
        raise DraftIncomplete({"text": _("Texten innehåller ett tecken som inte kan skickas.")}) from None
    row = _store(draft, message, person, is_last=is_last)
    if approval is not None:
        assignment.record_event(row.conversation, ConversationEvent.What.APPROVED, approval.decided_by)
    personal.record_use(person.pk, draft.recipient_participant, draft.recipient_address)
    if is_last:
        DraftAttachment.objects.filter(draft=draft).delete()
        draft.delete()
    else:
        promote_next(draft)
        draft.version += 1
        draft.save()
    return row


def _ordered_at(draft: Draft) -> datetime | None:
    """When somebody pressed "Send"; of a draft that was to be sent later, when that time had come."""
    return draft.send_at if draft.is_sent_later else draft.changed_at


def _store(draft: Draft, message: Message, person: Person, *, is_last: bool) -> MessageRow:
    """Store the sent message in its conversation; the draft's files become its attachments, or are copied."""
    header = message.header
    conversation, _created = Conversation.objects.select_for_update().get_or_create(
        mailbox=draft.mailbox,
        conversation_id=uuid.UUID(header.conversation_id),
        defaults={
            "subject": draft.subject,
            "counterpart": f"{draft.recipient_organisation}, {draft.recipient_function}"[:520],
            "last_activity_at": header.created_at,
        },
    )
    row = MessageRow.objects.create(
        conversation=conversation,
        direction=MessageRow.Direction.OUT,
        message_id=uuid.UUID(header.message_id),
        ref_to_message_id=uuid.UUID(header.ref_to_message_id) if header.ref_to_message_id else None,
        subject=draft.subject,
        is_confidential=draft.is_confidential,
        counterpart_participant=draft.recipient_participant,
        counterpart_organisation=draft.recipient_organisation,
        counterpart_address=draft.recipient_address,
        counterpart_function=draft.recipient_function,
        sender_references=references_of(header.sender.attention),
        recipient_references=references_of(header.recipient.attention),
        recipient_persons=[{"root": "", "value": "", "label": name} for name in draft.persons],
        sender_persons=[{"root": "", "value": "", "label": person.name}],
        written_by=person,
        at=header.created_at,
        delivery_state="SCHEDULED",
        draft_number=draft.pk,
        mailing=draft.mailing,
    )
    document = Document.objects.create(
        message=row, position=1, name=draft.subject, texts=list(message.documents[0].texts)
    )
    attachments = list(draft.attachments.all())
    Attachment.objects.bulk_create(
        Attachment(
            document=document,
            name=item.name,
            content_type=item.content_type,
            size=item.size,
            sha256=item.sha256,
            file_name=stored.file_name,
            file_key=stored.file_key,
        )
        for item in attachments
        for stored in (
            item if is_last else uploads.copied(item, "attachments", draft.mailbox.participant_id),
        )
    )
    if draft.forwards is not None:
        acts.protect_as(conversation, draft.forwards.conversation, person)
    add_to_conversation(conversation, row, has_files=bool(attachments))
    if draft.answers_id is not None and assigns_on_answer(draft.mailbox):
        _assign(conversation, person)
    assignment.record_answer(conversation, person)
    return row


def assigns_on_answer(mailbox: FunctionMailbox) -> bool:
    """Whether a person who answers an unassigned conversation becomes its assignee."""
    chosen = (
        WritingChoices.objects.filter(mailbox=mailbox).values_list("assigns_on_answer", flat=True).first()
    )
    return chosen is not False


def _assign(conversation: Conversation, person: Person) -> None:
    if conversation.assignee_id is None and conversation.state == Conversation.State.OPEN:
        with suppress(assignment.AlreadyAssigned, assignment.NotAMember):
            assignment.assign(conversation.pk, person)


def _invalid(error: orders.MessageInvalid) -> str:
    rules = ", ".join(sorted({finding.rule for finding in error.findings}))
    if rules == "size":
        return _("Meddelandet är större än 30 MB med sina bilagor. Ta bort en bilaga.")
    return _("Meddelandet följer inte federationens regler och kan inte skickas (%(rules)s).") % {
        "rules": rules
    }
