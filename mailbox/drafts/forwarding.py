"""Forwarding a message: a new draft with its text and copies of its attachments."""

from io import BytesIO

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from mailbox import access_log
from mailbox.attachments import uploads
from mailbox.conversations import assignment
from mailbox.models import Attachment, Draft, Message, Person
from mailbox.texts import message_text

from . import canned_texts, draft_files
from .recipients import organisation_name


def begin(message: Message, person: Person) -> Draft:
    """A draft that forwards a message, without a recipient.

    An untouched one of the person's is used again.

    Raises `assignment.NotAMember`.
    """
    subject = message.subject
    with transaction.atomic():
        conversation = assignment.locked_for(message.conversation_id, person)
        mailbox = conversation.mailbox
        untouched = Draft.objects.filter(
            forwards=message, mailbox=mailbox, owner=person, is_untouched=True
        ).first()
        if untouched is not None:
            return untouched
        draft = Draft.objects.create(
            mailbox=mailbox,
            forwards=message,
            subject=subject if subject.lower().startswith("vb:") else f"Vb: {subject}"[:256],
            is_confidential=message.is_confidential,
            owner=person,
            created_by=person,
            changed_by=person,
            is_untouched=True,
        )
        whole = "".join(message_text.whole_text(message))
        text, is_cut = message_text.beginning_of(whole)
        texts = [text] if text else []
        if is_cut:
            texts.append(_("Texten är lång: den är bifogad i sin helhet."))
        draft.text = f"{canned_texts.signed(draft, person)}\n\n{_quoted(message, texts)}"
        draft.save(update_fields=["text"])
        rows = Attachment.objects.filter(document__message=message, is_blocked=False).order_by(
            "document__position", "pk"
        )
        for attachment in rows:
            draft_files.keep_file(
                draft, uploads.copied(attachment, "drafts", mailbox.participant_id), is_written=False
            )
        if is_cut:
            name, source = f"meddelandetext-{message.message_id}.txt", BytesIO(whole.encode())
            stored = uploads.store(source, name, "text/plain", "drafts", mailbox.participant_id)
            draft_files.keep_file(draft, stored, is_written=False)
        access_log.record(
            person,
            "message-forwarded",
            mailbox.participant_id,
            mailbox=mailbox,
            conversation=conversation,
            message=message,
        )
    return draft


def _quoted(message: Message, texts: list[str]) -> str:
    """The forwarded message in Markdown, below who sent it to whom and when."""
    mailbox = message.conversation.mailbox
    own = f"{mailbox.name}, {organisation_name(mailbox)}"
    counterpart = f"{message.counterpart_function}, {message.counterpart_organisation}"
    sender, recipient = (
        (counterpart, own) if message.direction == Message.Direction.IN else (own, counterpart)
    )
    lines = [
        f"**{_('Vidarebefordrat meddelande')}**",
        f"{_('Från')}: {sender}",
        f"{_('Till')}: {recipient}",
        f"{_('Datum')}: {date_format(timezone.localtime(message.at), 'j F Y H:i')}",
        f"{_('Ämne')}: {message.subject}",
    ]
    return "\n\n".join(["\n".join(lines), *texts])
