"""The form of the search page: a question and the filters beside it."""

from datetime import datetime, time, timedelta
from typing import Any, Final

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailbox.forms import DayField, KeyField

from .query import Filters, Position
from .words import LONGEST_QUESTION, terms_of

_DIRECTIONS: Final = {"received": False, "sent": True}


class QuestionField(forms.CharField):
    """Words and numbers. Control characters count as spaces; what is too long is cut."""

    default_error_messages = {"no_terms": _("Skriv minst ett ord eller nummer att söka efter.")}

    def to_python(self, value: Any) -> str:
        printable = "".join(letter if letter.isprintable() else " " for letter in str(value or ""))
        return printable.strip()[:LONGEST_QUESTION]

    def validate(self, value: Any) -> None:
        if not terms_of(value):
            raise forms.ValidationError(self.error_messages["no_terms"], code="no_terms")


class PositionField(forms.Field):
    """The hit after which the next page begins; None for the first page and for anything unreadable."""

    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Position | None:
        return Position.parse(str(value or ""))


class SearchForm(forms.Form):
    """What somebody searches for. `filters` gives the query's conditions of a valid form."""

    question = QuestionField()
    mailbox = KeyField(required=False)
    among = forms.ChoiceField(
        choices=[(name, name) for name in ("", "received", "sent", "notes", "drafts")], required=False
    )
    since = DayField(required=False)
    until = DayField(required=False)
    label = KeyField(required=False)
    confidential = forms.BooleanField(required=False)
    attachments = forms.BooleanField(required=False)
    after = PositionField(required=False)

    def filters(self) -> Filters:
        """The filters; days are those of Swedish time, both included."""
        asked = self.cleaned_data
        until = _midnight(asked["until"])
        return Filters(
            mailbox_id=asked["mailbox"],
            label_id=asked["label"],
            since=_midnight(asked["since"]),
            until=until + timedelta(days=1) if until else None,
            is_outgoing=_DIRECTIONS.get(asked["among"]),
            are_notes=asked["among"] == "notes",
            are_drafts=asked["among"] == "drafts",
            is_confidential=asked["confidential"],
            has_attachments=asked["attachments"],
        )

    def further_page_fields(self) -> dict[str, str]:
        """The fields that ask for the next page, but `after`, as they were posted."""
        posted = {name: self.data.get(name, "") for name in self.fields if name != "after"}
        return {name: value for name, value in posted.items() if value}


def _midnight(day: Any) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, time.min)) if day else None
