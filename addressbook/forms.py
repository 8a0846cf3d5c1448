"""Forms of the address book's pages: a search, the position in a list, a favourite."""

from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from transport.row_keys import row_key

_LONGEST_QUESTION: Final = 500


@dataclass(frozen=True, slots=True)
class Position:
    """The last row of a page in a list by name: its name, as the list is sorted by it, and its key."""

    name: str
    key: int

    def __str__(self) -> str:
        return f"{self.name}|{self.key}"

    def following(self, field: str) -> Q:
        """The rows after this one, in the order of the field and the key."""
        return Q(**{f"{field}__gt": self.name}) | Q(**{field: self.name, "pk__gt": self.key})


class PositionField(forms.CharField):
    """A position as text, `name|key`; None where nothing is given."""

    default_error_messages = {"invalid": _("Ogiltig adress.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, strip=False, empty_value=None, **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if text is None:
            return None
        name, _separator, digits = text.rpartition("|")
        key = row_key(digits)
        if key is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return Position(name, key)


class ListForm(forms.Form):
    """The page of a list: it begins after the last row of the page before."""

    after = PositionField()

    @classmethod
    def of_address(cls, query: QueryDict) -> "ListForm":
        """The form for an address; older addresses say `efter` for `after`."""
        return cls({"after": query.get("after", query.get("efter", ""))})

    def position(self) -> Position | None:
        """None for the first page, and where the address cannot be understood."""
        self.full_clean()
        found: Position | None = self.cleaned_data.get("after")
        return found


class SearchForm(forms.Form):
    """A search for functions; with `choose` its hits are recipients for a draft."""

    q = forms.CharField(required=False, max_length=_LONGEST_QUESTION)
    choose = forms.CharField(required=False, max_length=1)

    @classmethod
    def of_address(cls, query: QueryDict) -> "SearchForm":
        """The form for an address; older addresses say `valj` for `choose`."""
        return cls({"q": query.get("q", ""), "choose": query.get("choose", query.get("valj", ""))})

    def question(self) -> str:
        """The text to search for; empty where the address has none, or one that is too long."""
        self.full_clean()
        return str(self.cleaned_data.get("q", ""))

    def is_choosing(self) -> bool:
        """Whether the search is for the recipient of a draft."""
        self.full_clean()
        return bool(self.cleaned_data.get("choose") == "1")


class FavouriteForm(forms.Form):
    """Whether a function is a favourite from now on."""

    favourite = forms.ChoiceField(choices=[("1", ""), ("0", "")], required=False)

    def is_favourite(self) -> bool:
        """Whether the function is to be a favourite."""
        self.full_clean()
        return bool(self.cleaned_data.get("favourite") == "1")
