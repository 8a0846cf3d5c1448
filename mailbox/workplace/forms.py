"""What the addresses of a mailbox's list and of a conversation ask for, and what the list's filter says.

Names are English; addresses that somebody has kept from earlier versions have the Swedish ones, which are
understood as well.
"""

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext_lazy as lazy

from mailbox.conversations.forms import ListAddressField
from mailbox.forms import AddressForm, DayField, KeyField, KeysField, LineField, renamed
from transport.row_keys import row_key

LONGEST_NAME: Final = 100
MOST_MAILBOXES: Final = 200
_LONGEST_ADDRESS: Final = 2_000
_LONGEST_PAGE_KEY: Final = 120
_LARGEST_PAGE: Final = 999_999
_HASH_BITS: Final = 64
_EARLIER_NAMES: Final = {
    "vy": "view",
    "ordning": "order",
    "lage": "status",
    "etikett": "label",
    "funktion": "function",
    "sekretess": "confidential",
    "bilagor": "attachments",
    "fran": "since",
    "till": "until",
    "beteckning": "reference",
    "rensa": "clear",
    "efter": "after",
    "sida": "page",
    "meddelande": "message",
    "historik": "history",
}


class TextField(forms.CharField):
    """Text of an address, cut where it is too long; nothing where it holds what no text of ours does."""

    def __init__(self, longest: int = LONGEST_NAME) -> None:
        super().__init__(required=False, empty_value="")
        self._longest = longest

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value) or "")
        # What stands for bytes that were no text is no text either.
        if "\x00" in text or "\ufffd" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise ValidationError(self.error_messages["required"], code="invalid")
        return text[: self._longest]

    def run_validators(self, value: Any) -> None:
        """What Django's validators look for has been looked for."""


class HashField(forms.Field):
    """A keyed hash of a reference: 16 hexadecimal digits, of which the index has the signed number."""

    def to_python(self, value: Any) -> int | None:
        text = str(value or "")
        if not text:
            return None
        try:
            number = int(text, 16) if len(text) == 16 and text.isalnum() else None
        except ValueError:
            number = None
        if number is None:
            raise ValidationError("", code="invalid")
        return number - 2**_HASH_BITS if number >> (_HASH_BITS - 1) else number


class MailboxesField(forms.Field):
    """Keys of mailboxes in an address, with full stops between them; none stands for all mailboxes, and so do
    more than `MOST_MAILBOXES`."""

    def to_python(self, value: Any) -> tuple[int, ...]:
        text = str(value or "")
        if len(text) > _LONGEST_ADDRESS:
            return ()
        keys = sorted({key for part in text.split(".") if (key := row_key(part)) is not None})
        return tuple(keys) if len(keys) <= MOST_MAILBOXES else ()


class ListAddressForm(AddressForm):
    """Which view of a mailbox or across mailboxes, narrowed and ordered how, and which page of it. Across
    mailboxes a label is found by its name."""

    across = TextField()
    mailboxes = MailboxesField(required=False, initial=())
    label_name = TextField()
    view = TextField()
    order = TextField()
    status = TextField()
    label = KeyField(required=False)
    organisation = TextField()
    function = TextField()
    reference = HashField(required=False)
    confidential = TextField()
    attachments = TextField()
    since = DayField(required=False)
    until = DayField(required=False)
    after = TextField(_LONGEST_PAGE_KEY)
    page = forms.IntegerField(required=False, min_value=1, max_value=_LARGEST_PAGE, initial=1)


class ListFilterForm(forms.Form):
    """What the filter above a list says. A reference is not repeated: it becomes a hash in the address."""

    mailbox = KeysField(required=False)
    label_name = TextField()
    view = TextField()
    order = TextField()
    status = TextField()
    label = TextField()
    organisation = TextField()
    function = TextField()
    confidential = TextField()
    attachments = TextField()
    since = TextField()
    until = TextField()
    reference = TextField()
    clear = TextField()


class ConversationAddressForm(AddressForm):
    """Which page of a conversation, or the page with which message; how much of its history; and the list
    that it was opened from, as that list's address says."""

    page = KeyField(required=False)
    message = KeyField(required=False)
    history = TextField()
    list = TextField(_LONGEST_ADDRESS)


class SavedViewForm(forms.Form):
    """The name of a view across mailboxes, and the address of the list that it saves."""

    name = LineField(
        max_length=40,
        error_messages={
            "required": lazy("Skriv vyns namn."),
            "max_length": lazy("Namnet är för långt: högst 40 tecken."),
            "not_one_line": lazy("Ta bort radbrytningar och andra tecken som inte kan visas."),
        },
    )
    list = ListAddressField()


class SavedViewActionForm(forms.Form):
    """What is done with a saved view, and the list that is shown meanwhile."""

    action = forms.ChoiceField(choices=[("rename", ""), ("remove", "")])
    list = ListAddressField()


class SeenForm(AddressForm):
    """The newest message and the newest note, each of them if it has been in view."""

    message = KeyField(required=False)
    note = KeyField(required=False)


def with_english_names(given: QueryDict) -> QueryDict:
    """The same parameters by the names that they have now."""
    return renamed(given, _EARLIER_NAMES)
