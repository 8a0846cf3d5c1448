"""Who is named in a protected conversation, and why a manager opens one."""

from typing import Final

from django import forms
from django.utils.translation import gettext_lazy as lazy

from mailbox.conversations.forms import ListAddressField, TextField
from mailbox.forms import KeysField
from mailbox.models import ProtectedOpening

LONGEST_EXPLANATION: Final = 1_000
_CHOOSE: Final = lazy("Välj ett av alternativen.")


class ProtectionForm(forms.Form):
    """Whether the conversation is protected, and for whom: keys of people."""

    action = forms.ChoiceField(choices=[("protect", ""), ("end", "")], required=False)
    named = KeysField(required=False)
    list = ListAddressField()


class OpeningForm(forms.Form):
    """Why a manager opens a protected conversation: a reason that the access log has, and an explanation for
    those named in it."""

    reason = forms.ChoiceField(
        choices=ProtectedOpening.Reason.choices,
        error_messages={"required": _CHOOSE, "invalid_choice": _CHOOSE},
    )
    explanation = TextField(
        missing=lazy("Skriv varför du öppnar konversationen."),
        too_long=lazy("Texten är för lång: högst 1000 tecken."),
        longest=LONGEST_EXPLANATION,
    )
