"""What administrators type, choose and ask for in addresses: one form for each thing that they do."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from addressbook import register
from mailbox.forms import AddressForm, DayField, KeyField, LineField
from transport.access_point.api import TransferEvent
from transport.message_api.api import FunctionRoute, Scope, function_patterns
from transport.message_service.api import OrganisationKey, ParticipantId, ParticipantIdInvalid

MOST_HOURS: Final = 8_760
if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

_MOST_PATTERNS: Final = 200
_LONGEST_PATTERN: Final = 500
_CHOOSE_ORGANISATION: Final = lazy("Välj organisation.")

FUNCTION_ERRORS: Final = {
    "too-large": lazy("Filen är för stor."),
    "not-utf-8": lazy("Filen är inte sparad som UTF-8."),
    "unreadable": lazy("Det går inte att läsa som CSV eller JSON."),
    "too-many-cells": lazy("Raden har fler fält än första raden."),
    "columns": lazy("Första raden ska ha kolumnerna identifier och name."),
    "twice": lazy("Samma funktionsadress står flera gånger."),
    "no-identifier": lazy("Funktionsadressen saknas."),
    "no-name": lazy("Namnet saknas."),
    "long-identifier": lazy("Funktionsadressen är för lång."),
    "long-name": lazy("Namnet är för långt."),
    "signs-identifier": lazy("Funktionsadressen har tecken som inte kan visas."),
    "signs-name": lazy("Namnet har tecken som inte kan visas."),
    "signs-description": lazy("Beskrivningen har tecken som inte kan visas."),
    "signs-categories": lazy("En kategori har tecken som inte kan visas, eller för många streck."),
    "signs-search_words": lazy("Ett sökord har tecken som inte kan visas."),
    "long-description": lazy("Beskrivningen är för lång."),
}


class NameField(LineField):
    """A line of text with one message for what is missing and what is too long."""

    default_error_messages = {
        "not_one_line": lazy("Ta bort radbrytningar och andra tecken som inte kan visas.")
    }

    def __init__(self, *, error: "_StrPromise | str" = "", **kwargs: Any) -> None:
        messages = {"required": error, "max_length": error} if error else {}
        super().__init__(error_messages=messages, **kwargs)


class FunctionAddressField(NameField):
    """A function address: opaque, but without white space."""

    def to_python(self, value: Any) -> str:
        return str(forms.CharField.to_python(self, value) or "")

    def validate(self, value: Any) -> None:
        super().validate(value)
        if any(sign.isspace() for sign in value):
            raise ValidationError(
                _("En funktionsadress har inga mellanslag. Kontrollera att den är rätt avskriven.")
            )


class OrganisationField(NameField):
    """The participant id of an organisation; the view says whether it is one of the person's."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(error=_CHOOSE_ORGANISATION, max_length=260, **kwargs)


def midnight(day: date) -> datetime:
    """When a day begins in Sweden."""
    return timezone.make_aware(datetime.combine(day, time.min))


class PeriodForm(AddressForm):
    """A period of whole days; either end may be open."""

    since = DayField(required=False, error_messages={"invalid": lazy("Skriv datumet som åååå-mm-dd.")})
    until = DayField(required=False, error_messages={"invalid": lazy("Skriv datumet som åååå-mm-dd.")})

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        since, until = given.get("since"), given.get("until")
        if since and until and until < since:
            self.add_error("until", _("Ange en dag som inte är före den första."))
        return given

    def moments(self) -> tuple[datetime | None, datetime | None]:
        """The midnight at which the period begins, and the one before which it ends."""
        self.full_clean()
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        return (
            midnight(since) if since else None,
            midnight(until + timedelta(days=1)) if until else None,
        )


class AccessLogForm(PeriodForm):
    """Which entries of the access log are shown. `before` is the key of the last entry of the page before."""

    actor = KeyField(required=False)
    person = KeyField(required=False)
    mailbox = KeyField(required=False)
    what = NameField(required=False, max_length=40)
    conversation = forms.UUIDField(
        required=False, error_messages={"invalid": lazy("Skriv hela id:t, så som det står i loggen.")}
    )
    before = KeyField(required=False)


class TransferLogForm(PeriodForm):
    """Which transfers are shown, or exported. `before` is the key of the last one of the page before."""

    id = NameField(required=False, max_length=255)
    kind = forms.ChoiceField(
        required=False,
        choices=TransferEvent.Kind.choices,
        error_messages={"invalid_choice": lazy("Välj en händelse.")},
    )
    before = KeyField(required=False)
    export = NameField(required=False, max_length=10)


class StatisticsForm(PeriodForm):
    """Over which period, and for which mailbox, the figures are; all of them where none is chosen."""

    mailbox = KeyField(required=False)


class PeopleForm(AddressForm):
    """Where the list of people goes on: after the person with this key."""

    after = KeyField(required=False)


class PageForm(AddressForm):
    """The number of a page."""

    page = KeyField(required=False, initial=1)


class FormatForm(AddressForm):
    """The format of a file: `json`, or CSV."""

    format = forms.ChoiceField(required=False, choices=[("json", "JSON"), ("csv", "CSV")], initial="csv")


class MailboxForm(forms.Form):
    """A new mailbox."""

    organisation = OrganisationField(required=False)
    address = FunctionAddressField(
        max_length=500, error=lazy("Skriv funktionsadressen så som den står i federationens adressbok.")
    )
    name = NameField(max_length=256, error=lazy("Skriv ett namn på högst 256 tecken."))


class LimitForm(forms.Form):
    """After how many hours a waiting message makes a mailbox unattended."""

    hours = forms.RegexField(
        r"^[0-9]{1,4}$",
        error_messages=dict.fromkeys(
            ("required", "invalid"), lazy("Skriv ett antal timmar, mellan 1 och 8760.")
        ),
    )

    def clean_hours(self) -> int:
        hours = int(self.cleaned_data["hours"])
        if not 1 <= hours <= MOST_HOURS:
            raise ValidationError(_("Skriv ett antal timmar, mellan 1 och 8760."))
        return hours


class MembershipRuleForm(forms.Form):
    """A claim of the e-ID, and the value that makes a member."""

    claim = NameField(max_length=200, error=lazy("Skriv vad uppgiften heter hos e-legitimationstjänsten."))
    value = NameField(max_length=500, error=lazy("Skriv det värde som ger medlemskap."))


class SwitchForm(forms.Form):
    """Buttons that set something to `1` or to something else."""

    open = forms.CharField(required=False)
    locked = forms.CharField(required=False)
    held = forms.CharField(required=False)
    active = forms.CharField(required=False)
    enabled = forms.CharField(required=False)
    # Whether the button stands on the page of a person.
    person = forms.CharField(required=False)

    def is_on(self, name: str) -> bool:
        """Whether the button that was pressed sends `1`."""
        self.full_clean()
        return bool(self.cleaned_data.get(name) == "1")


class AnswerForm(forms.Form):
    """An answer to a proposal, or a decision; `seal` is of what was shown."""

    answer = forms.CharField(required=False, max_length=20)
    decision = forms.CharField(required=False, max_length=20)
    seal = forms.CharField(required=False, max_length=200)

    def given(self, name: str) -> str:
        """Empty where it cannot be understood."""
        self.full_clean()
        return str(self.cleaned_data.get(name, ""))


class RoleForm(forms.Form):
    """A role in an organisation."""

    role = NameField(max_length=20)
    organisation = OrganisationField()


class RetentionForm(forms.Form):
    """How many days a state is kept, None for ever; the mailbox's name confirms it."""

    days = forms.CharField(required=False)
    confirmation = forms.CharField(required=False, max_length=1_000)

    def __init__(self, data: Mapping[str, Any], *, shortest: int, longest: int) -> None:
        super().__init__(data)
        self.shortest, self.longest = shortest, longest

    def clean_days(self) -> int | None:
        text = self.cleaned_data["days"]
        if not text:
            return None
        if text.isascii() and text.isdigit() and len(text) < 7:
            days = int(text)
            if self.shortest <= days <= self.longest:
                return days
        raise ValidationError(
            _("Skriv ett antal dagar, minst %(least)d, eller lämna tomt för att inget ska gallras.")
            % {"least": self.shortest}
        )


class RoutingForm(forms.Form):
    """The catch-all mailbox of an organisation, and the way inside the node."""

    organisation = OrganisationField()
    catch_all = KeyField(
        required=False,
        error_messages={"invalid": lazy("Välj en öppen brevlåda i organisationen, eller ingen.")},
    )
    way = forms.CharField(required=False, max_length=20)


class ParticipantForm(forms.Form):
    """A counterpart whose way is tried, and from which organisation."""

    organisation = OrganisationField()
    participant = forms.CharField(
        error_messages={"required": lazy("Skriv motpartens id, till exempel 0203:habo.se.")}
    )

    def clean_participant(self) -> ParticipantId:
        try:
            return ParticipantId.parse(self.cleaned_data["participant"])
        except ParticipantIdInvalid:
            raise ValidationError(_("Skriv motpartens id, till exempel 0203:habo.se.")) from None


class CertificateRequestForm(forms.Form):
    """Whose certificate is asked for, and what for."""

    organisation = OrganisationField()
    purpose = forms.ChoiceField(choices=OrganisationKey.Purpose.choices)
    number = NameField(
        required=False,
        max_length=64,
        error=lazy("Organisationsnumret är för långt."),
        validators=[
            # A serialNumber is a PrintableString (RFC 5280 appendix A, X.680 41.4).
            RegexValidator(
                r"\A[A-Za-z0-9 '()+,./:=?-]*\Z",
                lazy("Ett organisationsnummer har bara siffror, bokstäver a-z och bindestreck."),
            )
        ],
    )


class CertificateImportForm(forms.Form):
    """A certificate; with a purpose and a passphrase where the file is PKCS#12."""

    organisation = OrganisationField()
    purpose = forms.ChoiceField(choices=OrganisationKey.Purpose.choices, required=False)
    passphrase = forms.CharField(required=False, strip=False, max_length=1_000)
    certificate = forms.FileField(allow_empty_file=True)


class FunctionForm(forms.Form):
    """A function address of the register; `entry()` is what it says, once it is valid."""

    organisation = OrganisationField(required=False)
    identifier = forms.Field(required=False)
    name = forms.Field(required=False)
    description = forms.Field(required=False)
    categories = forms.Field(required=False)
    search_words = forms.Field(required=False)

    def __init__(self, data: Mapping[str, Any], *, identifier: str = "") -> None:
        super().__init__(data)
        self._identifier = identifier

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        texts = {name: str(given.get(name) or "") for name in self.fields}
        try:
            self._entry = register.entry_of(
                self._identifier or texts["identifier"],
                texts["name"],
                texts["description"],
                texts["categories"],
                texts["search_words"],
            )
        except register.FileRefused as refused:
            self.add_error(refused.reason.partition("-")[2], FUNCTION_ERRORS[refused.reason])
        return given

    def entry(self) -> register.Entry:
        """The entry of a valid form."""
        return self._entry


class SuccessorForm(forms.Form):
    """The function that takes over from one that is closed."""

    successor = KeyField(required=False)

    def key(self) -> int | None:
        """None where nothing, or no key, was chosen."""
        self.full_clean()
        found: int | None = self.cleaned_data.get("successor")
        return found


class ImportForm(forms.Form):
    """A file of the register."""

    organisation = OrganisationField()
    file = forms.FileField(allow_empty_file=True)


class ClientForm(forms.Form):
    """A new message client."""

    organisation = OrganisationField()
    client_id = forms.RegexField(
        r"\A[A-Za-z0-9_.:/@-]{1,200}\Z",
        error_messages=dict.fromkeys(
            ("required", "invalid"), lazy("Skriv ett namn av bokstäver a-z, siffror, punkt och bindestreck.")
        ),
    )
    name = NameField(required=False, max_length=200, error=lazy("Skriv ett namn på högst 200 tecken."))


class ClientAccessForm(forms.Form):
    """What a message client is called, which functions it sees (a pattern a line), and what it may do."""

    name = NameField(required=False, max_length=200, error=lazy("Skriv ett namn på högst 200 tecken."))
    functions = forms.Field(required=False)
    scope = forms.MultipleChoiceField(
        choices=[(scope.value, scope.value) for scope in Scope],
        required=False,
        error_messages={"invalid_choice": lazy("Välj vad klienten får göra.")},
    )

    def clean_functions(self) -> list[str]:
        lines = str(self.cleaned_data["functions"] or "").splitlines()
        patterns = [line.strip() for line in lines if line.strip()]
        for pattern in patterns:
            NameField().validate(pattern)
        if len(patterns) > _MOST_PATTERNS or any(len(pattern) > _LONGEST_PATTERN for pattern in patterns):
            raise ValidationError(_("Det är för många eller för långa funktionsadresser."))
        if not all(map(function_patterns.is_pattern, patterns)):
            most = function_patterns.MOST_STARS
            raise ValidationError(_("En rad får ha högst %(n)d stjärnor.") % {"n": most})
        return patterns

    def clean_scope(self) -> list[str]:
        return [scope.value for scope in Scope if scope.value in self.cleaned_data["scope"]]


class ClientKeyForm(forms.Form):
    """A public key of a message client, or the id of one that it has."""

    key = forms.CharField(
        required=False,
        max_length=100_000,
        error_messages={"max_length": lazy("Texten är ingen publik nyckel i PEM eller JWK.")},
    )
    replace = forms.CharField(required=False, max_length=1)
    kid = forms.CharField(required=False, max_length=500)


class WebhookForm(forms.Form):
    """Where a message client is told of news; empty for nowhere."""

    address = NameField(required=False, max_length=500, error=lazy("Adressen är för lång."))


class RouteForm(forms.Form):
    """Which message clients a function belongs to."""

    organisation = OrganisationField()
    function = NameField(max_length=500, error=lazy("Skriv en funktionsadress."))
    to = forms.ChoiceField(
        choices=FunctionRoute.To.choices,
        error_messages=dict.fromkeys(("required", "invalid_choice"), lazy("Välj vems funktionen är.")),
    )


class IdentityForm(forms.Form):
    """The name that an organisation shows, and its logo; without a file the logo stays, or is removed."""

    organisation = OrganisationField()
    name = NameField(max_length=100, error=lazy("Skriv ett namn på högst 100 tecken."))
    logo = forms.FileField(required=False, allow_empty_file=True)
    remove_logo = forms.CharField(required=False, max_length=1)
