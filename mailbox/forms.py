"""Form fields for typed values and for addresses, with the same limits in every room.

A form on a page shows errors (`first_errors`). An address may be old, cut off or typed by hand, so an
`AddressForm` ignores invalid values (`understood`), and the page is shown.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from transport.names import is_name
from transport.row_keys import row_key

FIRST_DAY: Final = date(1900, 1, 1)
LAST_DAY: Final = date(9998, 12, 31)


class KeyField(forms.Field):
    """The key of a row; None where nothing is given. The row need not exist."""

    default_error_messages = {"invalid": _("Ogiltigt nummer.")}

    def to_python(self, value: Any) -> int | None:
        text = str(value or "").strip()
        if not text:
            return None
        key = row_key(text)
        if key is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return key


class KeysField(forms.Field):
    """The keys of the rows that were chosen; texts that are no keys are left out."""

    widget = forms.SelectMultiple

    def to_python(self, value: Any) -> set[int]:
        return {key for text in value or () if (key := row_key(str(text))) is not None}


class DayField(forms.DateField):
    """A day as ISO 8601, between `FIRST_DAY` and `LAST_DAY`."""

    default_error_messages = {"invalid": _("Ogiltigt datum.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(input_formats=["%Y-%m-%d"], **kwargs)

    def to_python(self, value: Any) -> date | None:
        day = super().to_python(value)
        if day is not None and not FIRST_DAY <= day <= LAST_DAY:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return day


class LineField(forms.CharField):
    """One line of text: a name, a subject, a label. Spaces around it are removed, runs become one space."""

    default_error_messages = {"not_one_line": _("Skriv på en rad, utan styrtecken.")}

    def to_python(self, value: Any) -> str:
        return re.sub(" +", " ", str(super().to_python(value) or "")).strip()

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value and not is_name(value):
            raise ValidationError(self.error_messages["not_one_line"], code="not_one_line")


class AddressForm(forms.Form):
    """The parameters of an address."""

    def understood(self) -> dict[str, Any]:
        """The value of each field; the initial one where nothing valid is given."""
        self.full_clean()
        given = self.cleaned_data
        return {
            name: field.initial if given.get(name) in field.empty_values else given[name]
            for name, field in self.fields.items()
        }


def first_errors(form: forms.Form) -> Mapping[str, str]:
    """The first error of each field that has any, by the field's name."""
    return {name: str(errors[0]) for name, errors in form.errors.items()}


def renamed(query: QueryDict, old_names: Mapping[str, str]) -> QueryDict:
    """The parameters of an address by their present names; bookmarks may have the `old_names`."""
    found = query.copy()
    for old, new in old_names.items():
        if old in found:
            values = found.pop(old)
            if new not in found:
                found.setlist(new, values)
    return found
