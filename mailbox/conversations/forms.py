"""What the buttons on a conversation, and on several of them, say."""

from datetime import date
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as lazy

from mailbox.forms import DayField, KeyField, KeysField, LineField
from mailbox.models import Label

LONGEST_TEXT: Final = 4_000
_LONGEST_ADDRESS: Final = 2_000


class ListAddressField(forms.CharField):
    """The list from which a conversation was opened, as its address has it; empty where it is none."""

    def __init__(self) -> None:
        super().__init__(required=False, empty_value="", widget=forms.HiddenInput)

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value) or "")
        return text if len(text) <= _LONGEST_ADDRESS and text.isprintable() else ""


class PlaceInListForm(forms.Form):
    """The list from which a conversation was opened, and which follows it there: `next`, in `next_list`."""

    list = ListAddressField()
    next = KeyField(required=False)
    next_list = ListAddressField()


class ActionForm(PlaceInListForm):
    """A button on a conversation. `assignee` is whom the page showed it assigned to, `day` the day of a
    reminder or by which it is to be done."""

    action = forms.CharField(required=False, max_length=40, empty_value="take")
    assignee = KeyField(required=False)
    day = DayField(required=False)

    def given(self, name: str) -> Any:
        """A field's value; None where it could not be understood."""
        self.full_clean()
        return self.cleaned_data.get(name)


class ManyForm(ActionForm):
    """A button above a list: for the conversations that were chosen, or all in the view."""

    chosen = KeysField(required=False)
    is_all = forms.BooleanField(required=False)
    label = KeyField(required=False)


class UndoForm(forms.Form):
    """The changes to undo: one, or all that were made by one press."""

    event = KeysField(required=False)
    list = ListAddressField()


class TextField(forms.CharField):
    """Text of several lines. What no text of ours holds is refused: NUL, and halves of characters."""

    def __init__(self, *, missing: str | Promise, too_long: str | Promise, longest: int) -> None:
        messages: dict[str, Any] = {"required": missing, "max_length": too_long}
        super().__init__(max_length=longest, error_messages=messages, widget=forms.Textarea)

    def to_python(self, value: Any) -> str:
        # Browsers send line ends as two characters, and count them as one.
        return str(super().to_python(value) or "").replace("\r\n", "\n")


class NoteForm(forms.Form):
    """An internal note, and the members whom it is for beside those whom its text names."""

    note = TextField(
        missing=lazy("Skriv anteckningen."),
        too_long=lazy("Anteckningen är för lång: högst 10000 tecken."),
        longest=10_000,
    )
    mentioned = KeysField(required=False)
    list = ListAddressField()


class LabelNameField(LineField):
    """The name of a label."""

    default_error_messages = {
        "required": lazy("Skriv etikettens namn."),
        "max_length": lazy("Namnet är för långt: högst 40 tecken."),
        "not_one_line": lazy("Ta bort radbrytningar och andra tecken som inte kan visas."),
    }

    def __init__(self, *, required: bool = True) -> None:
        super().__init__(max_length=40, required=required, empty_value="")


class LabelsForm(forms.Form):
    """The labels that were chosen, those that the conversation had when the page was made, and the name of
    one to create."""

    label = KeysField(required=False)
    had = KeysField(required=False)
    new_label = LabelNameField(required=False)
    list = ListAddressField()


class LabelForm(forms.Form):
    """A label of a mailbox's: its name and its colour."""

    name = LabelNameField()
    # What is none of the colours is grey, whatever it is.
    colour = forms.Field(required=False)

    def clean_colour(self) -> str:
        """A colour that is none is grey."""
        colour = str(self.cleaned_data.get("colour") or "")
        return colour if colour in Label.Colour.values else Label.Colour.GREY


class ReassignForm(PlaceInListForm):
    """To whom a conversation is offered, what has been done, what remains, and until when."""

    to = forms.CharField(max_length=40, error_messages={"required": lazy("Välj vem som ska ta över.")})
    done = TextField(
        missing=lazy("Skriv vad som är gjort."),
        too_long=lazy("Texten är för lång: högst 4000 tecken."),
        longest=LONGEST_TEXT,
    )
    remains = TextField(
        missing=lazy("Skriv vad som återstår."),
        too_long=lazy("Texten är för lång: högst 4000 tecken."),
        longest=LONGEST_TEXT,
    )
    due_on = DayField(
        required=False, error_messages={"invalid": lazy("Välj en dag som kommer, eller lämna tomt.")}
    )

    def clean_due_on(self) -> date | None:
        """Today or later."""
        day: date | None = self.cleaned_data.get("due_on")
        if day is not None and day < timezone.localdate():
            raise ValidationError(self.fields["due_on"].error_messages["invalid"], code="invalid")
        return day


class OfferAnswerForm(forms.Form):
    """Whether what is offered is accepted."""

    answer = forms.ChoiceField(choices=[("yes", ""), ("no", "")], required=False)
