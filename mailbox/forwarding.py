"""Forwarding a message: a new draft with its texts, and copies of its files."""

from io import BytesIO

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from . import access_log, compose, files, handling, outgoing, reading, wording
from .models import Attachment, Draft, Message, Person


def begin(message: Message, person: Person) -> Draft:
    """A draft that forwards a message; to whom is chosen in it: somebody else's function, or one's own.

    Raises `handling.NotAMember`.
    """
    subject = message.subject
    with transaction.atomic():
        conversation = handling.locked_for(message.conversation_id, person)
        mailbox = conversation.mailbox
        draft = Draft.objects.create(
            mailbox=mailbox,
            forwards=message,
            subject=subject if subject.lower().startswith("vb:") else f"Vb: {subject}"[:256],
            is_confidential=message.is_confidential,
            created_by=person,
            changed_by=person,
        )
        whole = "".join(reading.whole_text(message))
        text, is_cut = reading.beginning_of(whole)
        texts = [text] if text else []
        if is_cut:
            texts.append(_("Texten är lång: den är bifogad i sin helhet."))
        draft.text = f"{wording.signed(draft, person)}\n\n{_told(message, texts)}"
        draft.save(update_fields=["text"])
        rows = Attachment.objects.filter(document__message=message, is_blocked=False).order_by(
            "document__position", "pk"
        )
        for attachment in rows:
            compose.keep_file(draft, files.copied(attachment, "drafts", mailbox.participant_id))
        if is_cut:
            name, source = f"meddelandetext-{message.message_id}.txt", BytesIO(whole.encode())
            compose.keep_file(
                draft, files.store(source, name, "text/plain", "drafts", mailbox.participant_id)
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
    ours = f"{mailbox.name}, {outgoing.own_name(mailbox)}"
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
