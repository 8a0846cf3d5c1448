"""Texts that a mailbox begins from: its signature and canned texts, with placeholders that are filled in."""

import re
from typing import Final

from django.utils import timezone
from django.utils.formats import date_format

from mailbox.models import Draft, FunctionMailbox, Person, WritingChoices
from transport.message_service.api import Organisation

# What may stand in braces in a text.
PLACEHOLDERS: Final = ("mottagare", "ärende", "ämne", "namn", "funktion", "organisation", "datum")
_BRACED: Final = re.compile(r"\{(\w{1,30})\}")


def placeholders_in(text: str) -> list[str]:
    """The known placeholders that stand in a text, in braces, each once."""
    found = (match for match in _BRACED.findall(text) if match in PLACEHOLDERS)
    return list(dict.fromkeys(f"{{{name}}}" for name in found))


def unknown_in(text: str) -> list[str]:
    """What stands in braces and is no placeholder."""
    found = (match for match in _BRACED.findall(text) if match not in PLACEHOLDERS)
    return list(dict.fromkeys(f"{{{name}}}" for name in found))


def placeholder_names() -> str:
    """The placeholders as they are written, for people to read."""
    return ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)


def filled(text: str, draft: Draft, person: Person) -> str:
    """A text for a draft. What is not known yet stays in its braces, and is pointed out before it is sent."""
    mailbox = draft.mailbox
    recipients = (
        [f"{draft.recipient_function}, {draft.recipient_organisation}"] if draft.recipient_address else []
    )
    recipients += [f"{one.function}, {one.organisation}" for one in draft.further_recipients.all()]
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
    """What a new draft begins with: room to write in, and the signature; nothing where there is none."""
    signature = signature_of(draft.mailbox)
    return f"\n\n{filled(signature, draft, person)}" if signature else ""


def text_to_begin_with(draft: Draft, person: Person) -> str:
    """The draft's text; in one that nobody has written in, what it begins with."""
    is_untouched = draft.version == 1 or not (draft.subject or draft.recipient_address)
    return signed(draft, person) if is_untouched and not draft.text else draft.text


def with_addition(draft: Draft, addition: str, person: Person) -> str:
    """The draft's text with a canned text at its end, but before the signature."""
    signature = signed(draft, person)
    text = text_to_begin_with(draft, person).rstrip()
    ending = signature if signature and text.endswith(signature.strip()) else ""
    before = text.removesuffix(ending.strip()).rstrip() if ending else text
    return "\n\n".join(part for part in (before, filled(addition, draft, person).strip()) if part) + ending
