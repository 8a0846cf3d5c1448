"""A mailbox's signature and canned texts, and the placeholders in them."""

import re
from typing import Final

from django.utils import timezone
from django.utils.formats import date_format

from mailbox.models import Draft, FunctionMailbox, Person, WritingChoices
from transport.message_service.api import Organisation

# The words that may stand in braces in a text.
PLACEHOLDERS: Final = ("mottagare", "ärende", "ämne", "namn", "funktion", "organisation", "datum")
_BRACED: Final = re.compile(r"\{(\w{1,30})\}")


def placeholders_in(text: str) -> list[str]:
    """The known placeholders in a text, with their braces, each once."""
    found = (match for match in _BRACED.findall(text) if match in PLACEHOLDERS)
    return list(dict.fromkeys(f"{{{name}}}" for name in found))


def unknown_in(text: str) -> list[str]:
    """Words in braces that are no placeholders, with their braces, each once."""
    found = (match for match in _BRACED.findall(text) if match not in PLACEHOLDERS)
    return list(dict.fromkeys(f"{{{name}}}" for name in found))


def placeholder_names() -> str:
    """All placeholders with their braces, as one line."""
    return ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)


def filled(text: str, draft: Draft, person: Person) -> str:
    """A text with its placeholders filled in for a draft.

    Placeholders without a value yet stay; the review before sending points them out.
    """
    mailbox = draft.mailbox
    recipients = (
        [f"{draft.recipient_function}, {draft.recipient_organisation}"] if draft.recipient_address else []
    )
    recipients += [
        f"{recipient.function}, {recipient.organisation}" for recipient in draft.further_recipients.all()
    ]
    own = Organisation.objects.filter(participant_id=mailbox.participant_id).values_list("name", flat=True)
    values = {
        "mottagare": "; ".join(recipients),
        "ärende": ", ".join(value for _root, value in draft.references),
        "ämne": draft.subject,
        "namn": person.name,
        "funktion": mailbox.name,
        "organisation": own.first() or "",
        "datum": date_format(timezone.localdate(), "j F Y"),
    }
    return _BRACED.sub(lambda match: values.get(match[1]) or match[0], text.replace("\r\n", "\n"))


def signature_of(mailbox: FunctionMailbox) -> str:
    """The function's signature, with its placeholders."""
    choices = WritingChoices.objects.filter(mailbox=mailbox).first()
    return choices.signature if choices else ""


def signed(draft: Draft, person: Person) -> str:
    """The text of a new draft: empty lines and the signature; empty where the mailbox has no signature."""
    signature = signature_of(draft.mailbox)
    return f"\n\n{filled(signature, draft, person)}" if signature else ""


def text_to_begin_with(draft: Draft, person: Person) -> str:
    """The draft's text, or the text of a new draft if nobody has written in it."""
    is_untouched = draft.version == 1 or not (draft.subject or draft.recipient_address)
    return signed(draft, person) if is_untouched and not draft.text else draft.text


def with_addition(draft: Draft, addition: str, person: Person) -> str:
    """The draft's text with a canned text added at its end, before the signature."""
    signature = signed(draft, person)
    text = text_to_begin_with(draft, person).rstrip()
    ending = signature if signature and text.endswith(signature.strip()) else ""
    before = text.removesuffix(ending.strip()).rstrip() if ending else text
    return "\n\n".join(part for part in (before, filled(addition, draft, person).strip()) if part) + ending
