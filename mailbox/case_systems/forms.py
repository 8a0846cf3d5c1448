"""What people type and choose about case systems."""

from datetime import datetime
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from mailbox.forms import KeyField, KeysField, LineField
from mailbox.models import CaseSystem, CaseSystemMailbox
from transport.message_api.api import webhooks

from . import directory
from .sftp_session import LONGEST_ADDRESS, AddressInvalid, parse_address

Kind = CaseSystem.Kind
_ADDRESS_REASONS: Final[dict[str, str | Promise]] = {
    "no-address": lazy("Ogiltig adress."),
    "not-https": lazy("Adressen ska börja med https://."),
    "has-user": lazy("Adressen får inte innehålla användare eller lösenord."),
    "host": lazy("Den som driver installationen har inte tillåtit webbkrokar till den värden."),
}


class _NameField(LineField):
    def __init__(self) -> None:
        text = lazy("Skriv ett namn, högst 60 tecken.")
        super().__init__(max_length=60, error_messages={"required": text, "max_length": text})


class _AddressField(LineField):
    """The address of a web hook, to a host that the operator allows; may be empty."""

    def __init__(self) -> None:
        super().__init__(
            required=False, max_length=500, error_messages={"max_length": lazy("Adressen är för lång.")}
        )

    def clean(self, value: Any) -> str:
        url = str(super().clean(value))
        if url:
            try:
                webhooks.check_address(url)
            except webhooks.AddressNotAllowed as error:
                raise ValidationError(str(_ADDRESS_REASONS.get(error.reason, error.reason))) from None
        return url


class _SftpAddressField(LineField):
    """The address of an SFTP server, to a host that may be connected to; may be empty."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            max_length=LONGEST_ADDRESS,
            error_messages={"max_length": lazy("Adressen är för lång.")},
        )

    def clean(self, value: Any) -> str:
        text = str(super().clean(value)).removesuffix("/")
        if text:
            try:
                parse_address(text)
            except AddressInvalid:
                raise ValidationError(_("Skriv adressen så här: sftp://användare@server/katalog.")) from None
        return text


class NewCaseSystemForm(forms.Form):
    """A case system that is added; its kind and folder stay."""

    organisation = LineField(max_length=260, error_messages={"required": lazy("Välj organisation.")})
    name = _NameField()
    kind = forms.ChoiceField(
        choices=Kind.choices,
        error_messages=dict.fromkeys(("required", "invalid_choice"), lazy("Välj ett av alternativen.")),
    )
    folder = forms.CharField(
        required=False,
        max_length=40,
        validators=[
            RegexValidator(
                r"\A[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z",
                lazy("Använd bara små bokstäver a till z, siffror och bindestreck."),
            )
        ],
        error_messages={"max_length": lazy("Namnet är för långt.")},
    )
    address = _AddressField()
    sftp_address = _SftpAddressField()

    def clean(self) -> dict[str, Any]:
        """What the chosen kind needs; of the other kinds nothing is kept."""
        given = super().clean() or self.cleaned_data
        if given.get("kind") == Kind.SFTP:
            given["address"] = given["folder"] = ""
            self.errors.pop("address", None)
            self.errors.pop("folder", None)
            if not given.get("sftp_address") and "sftp_address" not in self.errors:
                self.add_error("sftp_address", _("Skriv serverns adress."))
            return given
        given["sftp_address"] = ""
        self.errors.pop("sftp_address", None)
        if given.get("kind") == Kind.DIRECTORY:
            given["address"] = ""
            self.errors.pop("address", None)
            if "folder" in given and not given["folder"]:
                self.add_error("folder", _("Skriv vad katalogen ska heta."))
            elif not directory.is_usable():
                self.add_error(
                    "kind", _("Den som driver installationen har inte gett ärendesystem någon katalog.")
                )
        elif given.get("kind") == Kind.WEBHOOK:
            given["folder"] = ""
            self.errors.pop("folder", None)
        return given


class CaseSystemForm(forms.Form):
    """What can be changed of a case system."""

    name = _NameField()
    address = _AddressField()
    mailboxes = KeysField(required=False)


class ConfirmForm(forms.Form):
    """Which state of a case system is confirmed."""

    changed_at = forms.CharField(required=False)

    def moment(self) -> datetime | None:
        """When what the page showed was set."""
        self.full_clean()
        try:
            return parse_datetime(self.cleaned_data.get("changed_at", ""))
        except ValueError:
            return None


class HostKeyForm(forms.Form):
    """The key of an SFTP server that an administrator has compared; empty fetches the one that it shows."""

    host_key = LineField(required=False, max_length=4_000)


class OrderForm(forms.Form):
    """Which case system a conversation is handed over to."""

    case_system = KeyField(error_messages={"required": lazy("Välj ett ärendesystem.")})


class MailboxForm(forms.Form):
    """By what a mailbox's conversations are handed over, for each case system that it may use."""

    def __init__(self, data: Any, rows: list[CaseSystemMailbox]) -> None:
        super().__init__(data)
        for row in rows:
            self.fields[f"system-{row.case_system_id}"] = forms.ChoiceField(
                choices=[("order", ""), *CaseSystemMailbox.DeliversAt.choices],
                error_messages=dict.fromkeys(
                    ("required", "invalid_choice"), lazy("Välj ett av alternativen.")
                ),
            )

    def chosen(self) -> dict[int, str]:
        """By the case system's key."""
        return {
            int(name.removeprefix("system-")): "" if value == "order" else value
            for name, value in self.cleaned_data.items()
        }
