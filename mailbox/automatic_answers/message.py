"""The message of an automatic answer: it has the mailbox's text, and nothing of what it answers (B1.3.3 4.3).

Neither subject, references nor persons of the question come back with it, so it is not confidential whatever
the question was. Its conversation and `refToMessageId` tell what it answers.
"""

import uuid

from django.utils import timezone
from django.utils.translation import gettext as _

from mailbox.models import Conversation, FunctionMailbox
from mailbox.models import Message as MessageRow
from mailbox.texts import markdown
from transport.message_service.api import (
    FUNCTION_ADDRESS_ROOT,
    PARTICIPANT_SCHEME,
    Attention,
    Header,
    Identifier,
    Message,
    MessageDocument,
    Organisation,
    Party,
    SubOrganization,
)

from .decision import MARK


def whole_text(mailbox: FunctionMailbox, text: str) -> str:
    """What the answer says: first what it is, then the mailbox's text."""
    first = _(
        "Det här är ett automatiskt svar från %(name)s. Det skickades utan att någon har läst meddelandet."
    ) % {"name": mailbox.name}
    return f"{first}\n\n{text.strip()}"


def answer_to(answered: MessageRow, conversation: Conversation, text: str) -> Message:
    """The automatic answer to a message that has arrived in the conversation."""
    mailbox = conversation.mailbox
    subject = _("Automatiskt svar")
    names = Organisation.objects.filter(participant_id=mailbox.participant_id)
    return Message(
        Header(
            created_at=timezone.now(),
            message_id=str(uuid.uuid4()),
            conversation_id=str(conversation.conversation_id),
            ref_to_message_id=str(answered.message_id),
            label=subject,
            is_confidential=False,
            generating_system=MARK,
            recipient=_party(
                answered.counterpart_participant,
                answered.counterpart_organisation,
                answered.counterpart_address,
                answered.counterpart_function,
            ),
            sender=_party(
                mailbox.participant_id,
                names.values_list("name", flat=True).first() or mailbox.participant_id,
                mailbox.address,
                mailbox.name,
            ),
        ),
        (
            MessageDocument(
                "SDK meddelande", subject, "1", (markdown.with_hard_breaks(whole_text(mailbox, text)),)
            ),
        ),
    )


def _party(participant: str, label: str, address: str, function: str) -> Party:
    sub_organization = SubOrganization(Identifier(FUNCTION_ADDRESS_ROOT, address), function or None)
    return Party(Identifier(PARTICIPANT_SCHEME, participant), label or None, Attention(sub_organization))
