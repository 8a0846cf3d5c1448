"""What administrators type and choose about directory services."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from mailbox.administration.forms import NameField, OrganisationField
from mailbox.forms import DayField, KeyField
from mailbox.models import Membership

from .tokens import LONGEST


class TokenForm(forms.Form):
    """A new token: the name that the log shows, and the last day on which it lets anybody in."""

    organisation = OrganisationField(required=False)
    name = NameField(max_length=60, error=lazy("Skriv ett namn på högst 60 tecken."))
    until = DayField(
        error_messages=dict.fromkeys(("required", "invalid"), lazy("Skriv datumet som åååå-mm-dd."))
    )

    def clean_until(self) -> date:
        day: date = self.cleaned_data["until"]
        today = timezone.localdate()
        if not today <= day <= today + LONGEST - timedelta(days=1):
            raise ValidationError(_("Välj en dag från i dag och högst 399 dagar framåt."))
        return day


class MappingForm(forms.Form):
    """A mailbox that a group gives, and the role in it."""

    mailbox = KeyField(error_messages=dict.fromkeys(("required", "invalid"), lazy("Välj en brevlåda.")))
    role = forms.ChoiceField(
        choices=Membership.Role.choices,
        error_messages=dict.fromkeys(("required", "invalid_choice"), lazy("Välj en roll.")),
    )


class ButtonForm(forms.Form):
    """The button that was pressed."""

    answer = forms.CharField(required=False, max_length=20)

    def pressed(self) -> str:
        """Empty where it cannot be understood."""
        self.full_clean()
        found: Any = self.cleaned_data.get("answer", "")
        return str(found)
