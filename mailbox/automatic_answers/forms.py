"""What managers type of a mailbox's automatic answer."""

from datetime import timedelta
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from mailbox.forms import DayField, LineField
from mailbox.models import AutomaticAnswerSetting
from transport.message_service.api import can_be_written
from transport.names import is_text

from .decision import Mode, Period

LONGEST_TEXT: Final = 2_000
LONGEST_PERIOD: Final = timedelta(days=366)


class AnswerTextField(forms.CharField):
    """The text of an answer: several lines that can be sent."""

    default_error_messages = {"unreadable": lazy("Texten innehåller ett tecken som inte kan skickas.")}

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value) or "").replace("\r\n", "\n").replace("\r", "\n")

    def validate(self, value: Any) -> None:
        super().validate(value)
        if not (is_text(value) and can_be_written(value)):
            raise ValidationError(self.error_messages["unreadable"], code="unreadable")


class AutomaticAnswerForm(forms.Form):
    """When a mailbox answers automatically, the days in which it does so at all hours, and the text."""

    mode = forms.ChoiceField(
        required=False,
        choices=Mode.choices,
        error_messages={"invalid_choice": lazy("Välj när brevlådan ska svara automatiskt.")},
    )
    text = AnswerTextField(
        required=False,
        max_length=LONGEST_TEXT,
        error_messages={"max_length": lazy("Texten är för lång: högst %(limit_value)s tecken.")},
    )
    first_day = DayField(required=False)
    last_day = DayField(required=False)

    def __init__(self, data: Any, *, has_calendar: bool) -> None:
        super().__init__(data)
        self._has_calendar = has_calendar

    @classmethod
    def values_of(cls, setting: AutomaticAnswerSetting | None) -> dict[str, Any]:
        """What the form shows of a mailbox's setting."""
        if setting is None:
            return {"mode": Mode.OFF, "text": "", "first_day": "", "last_day": ""}
        return {
            "mode": setting.mode,
            "text": setting.text,
            "first_day": setting.first_day.isoformat() if setting.first_day else "",
            "last_day": setting.last_day.isoformat() if setting.last_day else "",
        }

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        first, last, mode = given.get("first_day"), given.get("last_day"), given.get("mode")
        is_readable = not {"first_day", "last_day"} & set(self.errors)
        if is_readable and bool(first) != bool(last):
            self.add_error("last_day" if first else "first_day", _("Ange både första och sista dagen."))
        elif first and last and last < first:
            self.add_error("last_day", _("Sista dagen kan inte vara före den första."))
        elif first and last and last - first > LONGEST_PERIOD:
            self.add_error("last_day", _("Välj högst ett år."))
        elif mode == Mode.DAYS and is_readable and not first:
            self.add_error("first_day", _("Ange första och sista dagen."))
        if mode == Mode.OUTSIDE_HOURS and not self._has_calendar:
            self.add_error("mode", _("Brevlådan har inga bemanningstider. Sätt dem först."))
        if mode and not given.get("text") and "text" not in self.errors:
            self.add_error("text", _("Skriv det som ska svaras."))
        return given

    def period(self) -> Period:
        """The period of a valid form."""
        given = self.cleaned_data
        return Period(given["mode"], given["first_day"], given["last_day"])


class ActionForm(forms.Form):
    """Which button was pressed."""

    action = forms.CharField(required=False, max_length=20)


class ResumeForm(forms.Form):
    """The organisation whose automatic answers an administrator starts again."""

    organisation = LineField(required=False, max_length=260)
