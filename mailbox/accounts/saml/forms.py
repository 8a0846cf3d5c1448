"""Forms for the addresses of login by SAML, and for what providers and people send."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as lazy

from mailbox.accounts.forms import NextForm
from mailbox.forms import AddressForm

from .assignments import Assignment

_LONGEST_ENTITY_ID: Final = 1024
# As long as a body without a login may be.
_LONGEST_ANSWER: Final = 64 * 1024


class BeginForm(NextForm):
    """The provider that somebody chose, and the page that follows the login."""

    provider = forms.CharField(required=False, max_length=_LONGEST_ENTITY_ID, initial="")


class AnswerForm(AddressForm):
    """A provider's answer (SAML Bindings 3.5.4). Its RelayState is not read: the page that follows a login is
    kept in this browser's own cookie."""

    SAMLResponse = forms.CharField(required=False, max_length=_LONGEST_ANSWER, initial="")

    def document(self) -> bytes:
        """The response; empty where there is none."""
        try:
            text = "".join(str(self.understood()["SAMLResponse"]).split())
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return b""


class AssignmentForm(forms.Form):
    """The assignment that a person chooses: its place among those that the page shows."""

    assignment = forms.ChoiceField(
        error_messages={
            "required": lazy("Välj ett uppdrag."),
            "invalid_choice": lazy("Välj ett av uppdragen."),
        }
    )

    def __init__(self, data: Any, choices: Sequence[Assignment]) -> None:
        super().__init__(data)
        self._choices = choices
        numbers = [(str(number), each.label) for number, each in enumerate(choices)]
        cast(forms.ChoiceField, self.fields["assignment"]).choices = numbers

    def clean_assignment(self) -> Assignment:
        """The assignment itself."""
        try:
            return self._choices[int(self.cleaned_data["assignment"])]
        except (IndexError, ValueError):
            raise ValidationError(lazy("Välj ett av uppdragen.")) from None
