"""Checking that a draft can be sent, and the messages for what is wrong."""

from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from addressbook.lookup import function_address
from mailbox.models import Draft, FunctionMailbox
from transport.message_service.api import can_be_written
from transport.names import is_name

from .recipients import Recipient, recipients_of

# Kinds of reference (B1.3.3 4.3.2.3), by their code system.
REFERENCE_KINDS: Final = {
    "dnr": gettext_noop("Diarienummer"),
    "1.2.752.129.2.1.3.1": gettext_noop("Personnummer"),
    "1.2.752.129.2.1.3.3": gettext_noop("Samordningsnummer"),
    "1.2.752.74.9.1": gettext_noop("Nationell reservidentitet"),
    "unregistred": gettext_noop("Annan beteckning"),
}
# Send errors: values of `Draft.trouble`.
RECIPIENT_GONE: Final = "recipient"
INVALID: Final = "invalid"


class DraftIncomplete(Exception):
    """The draft cannot be sent yet: `errors` has a text for each field, `send_error` is the code."""

    def __init__(self, errors: dict[str, str], send_error: str = INVALID) -> None:
        self.errors = errors
        self.send_error = send_error
        super().__init__(", ".join(sorted(errors)))


def check(draft: Draft) -> None:
    """Check that the draft can be sent. Raises `DraftIncomplete`."""
    errors = {}
    recipients = recipients_of(draft)
    gone = [recipient for recipient in recipients if not _can_be_written_to(draft, recipient)]
    if not recipients:
        errors["recipient"] = _("Välj en mottagare.")
    elif gone and draft.is_inside:
        errors["recipient"] = _("Brevlådan tar inte längre emot något. Välj en annan mottagare.")
    elif gone and len(recipients) == 1:
        errors["recipient"] = _("Mottagaren finns inte längre i adressboken. Välj en annan.")
    elif gone:
        errors["recipient"] = _("Finns inte längre i adressboken, ta bort eller byt: %(names)s.") % {
            "names": "; ".join(f"{recipient.organisation}, {recipient.function}" for recipient in gone)
        }
    if not draft.subject.strip():
        errors["subject"] = _("Skriv ett ämne.")
    if not draft.text.strip():
        errors["text"] = _("Skriv ett meddelande.")
    if (draft.reference and not draft.reference_kind) or any(not root for root, _value in draft.references):
        errors["reference_kind"] = _("Välj typ av beteckning.")
    if (draft.reference_kind and not draft.reference) or any(not value for _root, value in draft.references):
        errors["reference"] = _("Skriv beteckningen, eller välj ingen.")
    for field, values in (
        ("subject", [draft.subject]),
        ("text", [draft.text]),
        ("reference", [value for _root, value in draft.references]),
        ("person_name", draft.persons),
    ):
        # The text alone may have several lines.
        if not all(map(can_be_written, values)) or not (field == "text" or all(map(is_name, values))):
            errors[field] = _("Här står ett osynligt tecken som inte kan skickas. Skriv om det.")
    if errors:
        raise DraftIncomplete(errors, RECIPIENT_GONE if gone and set(errors) == {"recipient"} else INVALID)


def _can_be_written_to(draft: Draft, recipient: Recipient) -> bool:
    if draft.is_inside:
        return FunctionMailbox.objects.filter(
            participant_id=draft.mailbox.participant_id, address=recipient.address, is_open=True
        ).exists()
    return bool(draft.answers_id) or function_address(recipient.participant, recipient.address) is not None
