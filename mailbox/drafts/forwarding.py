"""Forwarding a message: a new draft with its texts, and copies of its files."""

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

from . import canned_texts, composer, message_builder


def begin(message: Message, person: Person) -> Draft:
    """A draft that forwards a message; to whom is chosen in it: somebody else's function, or one's own.

    Raises `handling.NotAMember`.
    """
    subject = message.subject
    with transaction.atomic():
        conversation = assignment.locked_for(message.conversation_id, person)
        mailbox = conversation.mailbox
        draft = Draft.objects.create(
            mailbox=mailbox,
            forwards=message,
            subject=subject if subject.lower().startswith("vb:") else f"Vb: {subject}"[:256],
            is_confidential=message.is_confidential,
            created_by=person,
            changed_by=person,
        )
        whole = "".join(message_text.whole_text(message))
        text, is_cut = message_text.beginning_of(whole)
        texts = [text] if text else []
        if is_cut:
            texts.append(_("Texten är lång: den är bifogad i sin helhet."))
        draft.text = f"{canned_texts.signed(draft, person)}\n\n{_told(message, texts)}"
        draft.save(update_fields=["text"])
        rows = Attachment.objects.filter(document__message=message, is_blocked=False).order_by(
            "document__position", "pk"
        )
        for attachment in rows:
            composer.keep_file(draft, uploads.copied(attachment, "drafts", mailbox.participant_id))
        if is_cut:
            name, source = f"meddelandetext-{message.message_id}.txt", BytesIO(whole.encode())
            composer.keep_file(
                draft, uploads.store(source, name, "text/plain", "drafts", mailbox.participant_id)
            )
        access_log.note(
            person,
            "message-forwarded",
            mailbox.participant_id,
            mailbox=mailbox,
            conversation=conversation,
            message=message,
        )
    return draft


def _told(message: Message, texts: list[str]) -> str:
    """Who wrote what to whom, and when, in Markdown."""
    mailbox = message.conversation.mailbox
    ours = f"{mailbox.name}, {message_builder.own_name(mailbox)}"
    theirs = f"{message.counterpart_function}, {message.counterpart_organisation}"
    sender, recipient = (theirs, ours) if message.direction == Message.Direction.IN else (ours, theirs)
    lines = [
        f"**{_('Vidarebefordrat meddelande')}**",
        f"{_('Från')}: {sender}",
        f"{_('Till')}: {recipient}",
        f"{_('Datum')}: {date_format(timezone.localtime(message.at), 'j F Y H:i')}",
        f"{_('Ämne')}: {message.subject}",
    ]
    return "\n\n".join(["  \n".join(lines), *texts])
