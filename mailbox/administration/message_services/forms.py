"""What administrators type about other message services."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as lazy

from mailbox.forms import LineField

_LONGEST_ADDRESS = 500
_MOST_FUNCTIONS = 500


class _NameField(LineField):
    def __init__(self, longest: int) -> None:
        text = lazy("Skriv ett namn, och inte för långt.")
        super().__init__(max_length=longest, error_messages={"required": text, "max_length": text})


class _AddressField(LineField):
    def __init__(self) -> None:
        text = lazy("Skriv adressen.")
        too_long = lazy("Adressen är för lång.")
        super().__init__(
            max_length=_LONGEST_ADDRESS, error_messages={"required": text, "max_length": too_long}
        )


class ServiceForm(forms.Form):
    """Where a service is, what we are called there, and by what its server is trusted."""

    address = _AddressField()
    token_address = _AddressField()
    client_id = _NameField(200)
    authorities = forms.CharField(required=False, max_length=100_000)

    def connection(self) -> dict[str, str]:
        """What was typed, by the names of the arguments of `acts.register` and `acts.change`."""
        return {name: self.cleaned_data[name] for name in ServiceForm.base_fields}


class NewServiceForm(ServiceForm):
    """A service that is registered, for an organisation."""

    organisation = LineField(max_length=260, error_messages={"required": lazy("Välj organisation.")})
    name = _NameField(200)


class FunctionsForm(forms.Form):
    """Which functions use a service: one address a line, or all of the organisation's."""

    all_functions = forms.CharField(required=False)
    functions = forms.CharField(required=False, max_length=100_000)

    def clean_functions(self) -> list[str]:
        """The addresses, each once."""
        found = list(dict.fromkeys(line.strip() for line in self.cleaned_data["functions"].splitlines()))
        functions = [line for line in found if line]
        if len(functions) > _MOST_FUNCTIONS or any(
            len(line) > _LONGEST_ADDRESS or not line.isprintable() for line in functions
        ):
            raise ValidationError(str(lazy("Skriv en funktionsadress på varje rad.")))
        return functions

    def has_all(self) -> bool:
        """Whether all functions were chosen."""
        given: dict[str, Any] = self.cleaned_data
        return bool(given.get("all_functions") == "1")
