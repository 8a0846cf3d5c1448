"""What is asked for in the addresses of figures and costs, and what administrators type."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from mailbox.administration.forms import NameField, OrganisationField, PeriodForm
from mailbox.administration.members.forms import MemberForm
from mailbox.forms import AddressForm, DayField, KeyField, KeysField, LineField
from mailbox.models import Department

from .counterparts import ORDERS
from .periods import DAYS, MONTH, MOST_DAYS, QUARTER, YEAR, Period, days_of, last_month, period_of

FIRST_YEAR, LAST_YEAR = 1990, 2200
_MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_AMOUNT: Final = re.compile(r"[0-9]{1,8}(,[0-9]{1,4})?")
_WRITE_DAY: Final = lazy("Skriv datumet som åååå-mm-dd.")


class MonthField(forms.Field):
    """The first day of a month, written as 2026-03."""

    default_error_messages = {"invalid": lazy("Skriv månaden som åååå-mm.")}

    def to_python(self, value: Any) -> date | None:
        text = str(value or "").strip()
        if not text:
            return None
        match = _MONTH.fullmatch(text)
        if match is None or not FIRST_YEAR <= int(match[1]) <= LAST_YEAR:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return date(int(match[1]), int(match[2]), 1)


class FiguresForm(PeriodForm):
    """Of what and over which period the figures are. A month also says which quarter or year it is."""

    unit = LineField(required=False, max_length=260, initial="")
    period = forms.ChoiceField(
        choices=[(each, each) for each in (MONTH, QUARTER, YEAR, DAYS)],
        required=False,
        initial=MONTH,
        error_messages={"invalid_choice": lazy("Välj vilken period det gäller.")},
    )
    month = MonthField(required=False)

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        if given.get("period") == DAYS and not {"since", "until"} & self.errors.keys():
            since, until = given.get("since"), given.get("until")
            if not since or not until:
                self.add_error("since" if not since else "until", _("Ange både första och sista dagen."))
            elif (until - since).days >= MOST_DAYS:
                self.add_error("until", _("Välj högst tio år."))
        return given

    def chosen_period(self, today: date) -> Period:
        """The period that is asked for; the last whole month where it cannot be understood."""
        given = self.understood()
        kind, month = given["period"], given["month"] or last_month(today).begins
        if kind != DAYS:
            return period_of(kind, month)
        if {"since", "until"} & self.errors.keys():
            return last_month(today)
        return days_of(given["since"], given["until"])


class CounterpartsForm(FiguresForm):
    """In which order counterparts are, and a part of their names."""

    order = forms.ChoiceField(choices=[(each, each) for each in ORDERS], required=False, initial=ORDERS[0])
    question = LineField(required=False, max_length=100, initial="")


class CostsForm(AddressForm):
    """Of what and of which year the costs are."""

    unit = LineField(required=False, max_length=260, initial="")
    year = forms.RegexField(r"^[0-9]{4}$", required=False)

    def clean_year(self) -> int | None:
        text = self.cleaned_data["year"]
        if not text:
            return None
        year = int(text)
        if not FIRST_YEAR <= year <= LAST_YEAR:
            raise ValidationError(_("Ogiltigt datum."))
        return year


class MonthlyForm(forms.Form):
    """Whether somebody wants a unit's figures by mail."""

    unit = LineField(max_length=260)
    wanted = forms.CharField(required=False, max_length=5)


class DepartmentForm(forms.Form):
    """A department's name, and the department that it belongs to."""

    name = NameField(max_length=120, error=lazy("Skriv ett namn på högst 120 tecken."))
    parent = KeyField(required=False, error_messages={"invalid": lazy("Välj en avdelning i listan.")})

    def __init__(self, data: Any, parents: Sequence[Department]) -> None:
        super().__init__(data)
        self._parents = {row.pk: row for row in parents}

    def clean_parent(self) -> Department | None:
        key = self.cleaned_data["parent"]
        if key is None:
            return None
        if key not in self._parents:
            raise ValidationError(_("Välj en avdelning i listan."))
        return self._parents[key]


class NewDepartmentForm(DepartmentForm):
    """A department that is added; its organisation is said where the person administers several."""

    organisation = OrganisationField(required=False)


class MailboxesForm(forms.Form):
    """The mailboxes that belong to a department."""

    mailboxes = KeysField(required=False)


class LeaderForm(MemberForm):
    """A new leader: somebody who is known here already, or a personal number and a name."""

    role = None  # type: ignore[assignment]
    until = None  # type: ignore[assignment]
    monthly = forms.CharField(required=False, max_length=5)


class LeaderChangeForm(forms.Form):
    """What is to become of a leader: removed, or the monthly figures begun or ended."""

    action = forms.ChoiceField(choices=[(each, each) for each in ("remove", "send", "stop")])


class AmountField(forms.Field):
    """An amount in kronor with a decimal comma; spaces between thousands are allowed."""

    default_error_messages = {
        "invalid": lazy("Skriv ett belopp i kronor, till exempel 1 250 eller 0,75."),
        "decimals": lazy("Skriv högst %(n)d decimaler."),
    }

    def __init__(self, *, decimals: int, **kwargs: Any) -> None:
        self._decimals = decimals
        super().__init__(required=False, **kwargs)

    def to_python(self, value: Any) -> Decimal:
        text = re.sub(r"[\s\u00a0\u202f]", "", str(value or "0")).replace(".", ",")
        if not text.isascii() or not _AMOUNT.fullmatch(text):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        if len(text.partition(",")[2]) > self._decimals:
            raise ValidationError(self.error_messages["decimals"] % {"n": self._decimals}, code="decimals")
        try:
            return Decimal(text.replace(",", "."))
        except InvalidOperation:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None


class PriceListForm(forms.Form):
    """A price list that is added."""

    organisation = OrganisationField(required=False)
    begins_on = DayField(
        error_messages=dict.fromkeys(("required", "invalid"), lazy("Skriv datumet som åååå-mm-dd."))
    )
    ends_on = DayField(required=False, error_messages={"invalid": _WRITE_DAY})
    organisation_year = AmountField(decimals=2)
    mailbox_year = AmountField(decimals=2)
    message_in = AmountField(decimals=4)
    message_out = AmountField(decimals=4)

    def amounts(self) -> Mapping[str, Decimal]:
        """The prices by their names, once the form is valid."""
        names = ("organisation_year", "mailbox_year", "message_in", "message_out")
        return {name: self.cleaned_data[name] for name in names}


class PriceListChangeForm(forms.Form):
    """The end of a price list, or that it is removed."""

    action = forms.ChoiceField(choices=[(each, each) for each in ("end", "remove")])
    ends_on = DayField(required=False, error_messages={"invalid": _WRITE_DAY})
