"""What is said of somebody who becomes a member."""

from datetime import datetime
from typing import Any, Final

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from mailbox.administration.forms import NameField, midnight
from mailbox.forms import DayField, KeyField
from mailbox.models import Membership

from .personal_number import is_personal_number

# The claims that hold a personal number, by the Swedish OIDC and SAML attributes; another is any text.
_PERSONAL_NUMBER_CLAIMS: Final = ("personalIdentityNumber", "urn:oid:1.2.752.29.4.13")


class SubjectField(NameField):
    """What the e-ID says of who a person is: a personal or coordination number, unless another claim is
    configured (`SDK_OIDC_PERSON_CLAIM`, `SDK_SAML_PERSON_ATTRIBUTE`)."""

    default_error_messages = {
        "number": lazy(
            "Det är inget personnummer eller samordningsnummer. Skriv alla tolv siffror: ååååmmddnnnn."
        )
    }

    def validate(self, value: Any) -> None:
        super().validate(value)
        claims = (
            [settings.SDK_OIDC_PERSON_CLAIM] if settings.OIDC_ISSUER or not settings.SDK_SAML_METADATA else []
        )
        claims += [settings.SDK_SAML_PERSON_ATTRIBUTE] if settings.SDK_SAML_METADATA else []
        is_number = all(claim.endswith(_PERSONAL_NUMBER_CLAIMS) for claim in claims)
        if value and is_number and not is_personal_number(value):
            raise ValidationError(self.error_messages["number"], code="number")


class MemberForm(forms.Form):
    """A new member: somebody who is known here already, or a personal number and a name."""

    person = KeyField(required=False)
    subject = SubjectField(required=False, max_length=500)
    name = NameField(required=False, max_length=256, error=lazy("Skriv ett namn på högst 256 tecken."))
    role = forms.ChoiceField(
        choices=Membership.Role.choices,
        required=False,
        error_messages={"invalid_choice": lazy("Välj en roll.")},
    )
    until = DayField(
        required=False,
        error_messages={"invalid": lazy("Ange en dag som inte har varit, eller lämna tomt.")},
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("person") is None:
            if not given.get("subject") and "subject" not in self.errors:
                self.add_error(
                    "subject", _("Skriv personens identitet i e-legitimationen, till exempel personnummer.")
                )
            if not given.get("name") and "name" not in self.errors:
                self.add_error("name", _("Skriv personens namn."))
        until = given.get("until")
        if until and midnight(until) <= timezone.now():
            self.add_error("until", _("Ange en dag som inte har varit, eller lämna tomt."))
        return given

    def ends_at(self) -> datetime | None:
        """The midnight at which the membership ends."""
        until = self.cleaned_data["until"]
        return midnight(until) if until else None


class PersonMembershipForm(MemberForm):
    """A mailbox that somebody who is known becomes a member of."""

    mailbox = KeyField(error_messages={"required": lazy("Välj en brevlåda.")})
