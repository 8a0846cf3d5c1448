"""The form of a rule, and the buttons of the list of rules."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as lazy

from mailbox.forms import KeyField, KeysField, LineField
from mailbox.models import ArrivalRule
from transport.message_api.api import function_patterns
from transport.names import is_name

from .decision import Actions, Conditions
from .descriptions import Choices
from .phrases import is_phrase
from .rule_list import Content

LONGEST_NAME: Final = 60
MOST_LINES: Final = 20
LONGEST_LINE: Final = 200
MOST_DAYS: Final = 365
# What the choice of an assignee says beside the key of a member.
IN_TURN: Final = "turn"
_PATTERN_HELP: Final = lazy("Högst tre stjärnor på en rad.")
_PHRASE_HELP: Final = lazy("Skriv ord, med stjärna bara först eller sist: orosanmäl*.")


class LinesField(forms.Field):
    """Several texts, a line each; `is_allowed` tells of each whether it can be used."""

    default_error_messages = {
        "too_many": lazy("För många rader: högst 20."),
        "too_long": lazy("En rad är för lång: högst 200 tecken."),
        "not_text": lazy("Ta bort tecken som inte kan visas."),
    }

    def __init__(
        self,
        *,
        is_allowed: Callable[[str], bool],
        not_allowed: Any,
        label: Any,
        help_text: Any = "",
        separator: str = r"[\r\n]+",
    ) -> None:
        self.is_allowed, self.separator = is_allowed, separator
        super().__init__(
            required=False,
            label=label,
            help_text=help_text,
            widget=forms.Textarea,
            error_messages={"not_allowed": not_allowed},
        )

    def to_python(self, value: Any) -> tuple[str, ...]:
        lines = [line.strip() for line in re.split(self.separator, str(value or ""))]
        found = tuple(dict.fromkeys(line for line in lines if line))
        if len(found) > MOST_LINES:
            raise ValidationError(self.error_messages["too_many"], code="too_many")
        for line in found:
            self._check(line)
        return found

    def _check(self, line: str) -> None:
        if len(line) > LONGEST_LINE:
            raise ValidationError(self.error_messages["too_long"], code="too_long")
        if not is_name(line):
            raise ValidationError(self.error_messages["not_text"], code="not_text")
        if not self.is_allowed(line):
            raise ValidationError(self.error_messages["not_allowed"], code="not_allowed")


def _patterns(label: Any, help_text: Any = "") -> LinesField:
    return LinesField(
        is_allowed=function_patterns.is_pattern, not_allowed=_PATTERN_HELP, label=label, help_text=help_text
    )


def _phrases(label: Any, help_text: Any) -> LinesField:
    return LinesField(is_allowed=is_phrase, not_allowed=_PHRASE_HELP, label=label, help_text=help_text)


class EitherField(forms.ChoiceField):
    """Yes, no, or None where it does not matter."""

    def __init__(self, label: Any) -> None:
        super().__init__(choices=[("yes", ""), ("no", "")], required=False, label=label)

    def clean(self, value: Any) -> bool | None:
        return {"yes": True, "no": False}.get(super().clean(value))


class VersionForm(forms.Form):
    """The version of the list that the page was made of. One that cannot be understood is no version."""

    version = forms.IntegerField(min_value=0)

    @property
    def version_shown(self) -> int:
        """-1 where nothing that can be understood is given."""
        self.full_clean()
        found = self.cleaned_data.get("version")
        return -1 if found is None else int(found)


class ListForm(VersionForm):
    """A button of the list: what is to be done with which rule."""

    action = forms.ChoiceField(choices=[(name, "") for name in ("up", "down", "enable", "disable", "remove")])
    rule = KeyField()


class ArrivalRuleForm(VersionForm):
    """A rule. What can be chosen are the mailbox's labels and members, and other open mailboxes."""

    name = LineField(
        max_length=LONGEST_NAME,
        error_messages={
            "required": lazy("Skriv vad regeln heter."),
            "max_length": lazy("Namnet är för långt: högst 60 tecken."),
        },
    )
    is_enabled = forms.BooleanField(required=False)
    stops = forms.BooleanField(required=False)
    organisations = _patterns(
        lazy("Avsändarens organisation"),
        lazy("Organisationens beteckning: 0203:exempel.se. En stjärna står för vad som helst."),
    )
    functions = _patterns(
        lazy("Avsändarens funktionsadress"), lazy("En stjärna står för vad som helst: sdk:barn-*")
    )
    our_references = _patterns(
        lazy("Vår beteckning"),
        lazy("Till exempel ett diarienummer. En stjärna står för vad som helst: SN-2026/*"),
    )
    their_references = _patterns(
        lazy("Motpartens beteckning"), lazy("Så som avsändaren har skrivit den, eller med stjärna.")
    )
    words = _phrases(
        lazy("Ord i ämnet"),
        lazy("Hela ord, stora eller små bokstäver. En stjärna står för resten av ordet: orosanmäl*"),
    )
    persons = _phrases(
        lazy("Person som meddelandet är till"), lazy("Namn eller beteckning, så som avsändaren har skrivit.")
    )
    is_confidential = EitherField(lazy("Sekretess"))
    has_files = EitherField(lazy("Bilagor"))
    file_types = LinesField(
        is_allowed=function_patterns.is_pattern,
        not_allowed=_PATTERN_HELP,
        label=lazy("Bilagans typ"),
        help_text=lazy("Filändelser eller typer: pdf docx image/*"),
        separator=r"[\s,;]+",
    )
    label = KeyField(required=False)
    is_priority = forms.BooleanField(required=False)
    due_days = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=MOST_DAYS,
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value"), lazy("Skriv ett antal dagar, 0 till 365.")
        ),
    )
    assign = forms.CharField(required=False, max_length=40)
    among = KeysField(required=False)
    move_to = KeyField(required=False)
    notify = KeysField(required=False)

    def __init__(
        self, data: Mapping[str, Any] | None, choices: Choices, initial: dict[str, Any] | None = None
    ) -> None:
        self.choices = choices
        super().__init__(data, initial=initial)

    def lines(self) -> list[forms.BoundField]:
        """The conditions that are written in lines, in the order of the page."""
        names = ("organisations", "functions", "our_references", "their_references", "words", "persons")
        return [self[name] for name in (*names, "file_types")]

    def either(self) -> list[forms.BoundField]:
        """The conditions that are yes or no."""
        return [self["is_confidential"], self["has_files"]]

    def clean_label(self) -> int | None:
        """A label of the mailbox."""
        return _chosen(self.cleaned_data["label"], self.choices.labels, lazy("Välj en etikett i listan."))

    def clean_move_to(self) -> int | None:
        """Another open mailbox of the organisation."""
        chosen = self.cleaned_data["move_to"]
        return _chosen(chosen, self.choices.mailboxes, lazy("Välj en funktion i listan."))

    def clean_assign(self) -> str:
        """A member's key, `IN_TURN`, or nothing."""
        text = str(self.cleaned_data["assign"] or "")
        if text in ("", IN_TURN) or text in {str(key) for key in self.choices.members}:
            return text
        raise ValidationError(lazy("Välj en medlem i listan."), code="invalid_choice")

    def clean_among(self) -> set[int]:
        """Members."""
        return self._members("among")

    def clean_notify(self) -> set[int]:
        """Members."""
        return self._members("notify")

    def clean(self) -> None:
        """Something is to be done, and nothing that a move leaves no room for."""
        given = self.cleaned_data
        if given.get("move_to") is not None and (given.get("assign") or given.get("notify")):
            text = lazy(
                "Det som flyttas kan inte tilldelas eller aviseras i den här brevlådan. Välj det ena."
            )
            self.add_error("move_to", text)
        if not self.errors and self.content().actions == Actions() and not given["stops"]:
            self.add_error("label", lazy("Välj minst en sak som regeln gör."))

    def content(self) -> Content:
        """What the rule says; the form is valid."""
        given = self.cleaned_data
        in_turn, assign = given["assign"] == IN_TURN, given["assign"]
        return Content(
            given["name"],
            given["is_enabled"],
            given["stops"],
            Conditions(
                given["organisations"],
                given["functions"],
                given["our_references"],
                given["their_references"],
                given["persons"],
                given["is_confidential"],
                given["has_files"],
                given["file_types"],
                given["words"],
            ),
            Actions(
                label=given["label"],
                is_priority=given["is_priority"],
                due_days=given["due_days"],
                assign_to=int(assign) if assign and not in_turn else None,
                assigns_in_turn=in_turn,
                among=tuple(sorted(given["among"])) if in_turn else (),
                move_to=given["move_to"],
                notify=tuple(sorted(given["notify"])),
            ),
        )

    def _members(self, name: str) -> set[int]:
        chosen: set[int] = self.cleaned_data[name]
        if not chosen <= set(self.choices.members):
            raise ValidationError(lazy("Välj medlemmar i listan."), code="invalid_choice")
        return chosen


def values_of(rule: ArrivalRule, conditions: Conditions, actions: Actions) -> dict[str, Any]:
    """A rule as the form has it before anybody has changed it."""
    lines = {
        name: "\n".join(getattr(conditions, name))
        for name in (
            "organisations",
            "functions",
            "our_references",
            "their_references",
            "persons",
            "words",
            "file_types",
        )
    }
    either = {None: "", True: "yes", False: "no"}
    return lines | {
        "name": rule.name,
        "is_enabled": rule.is_enabled,
        "stops": rule.stops,
        "is_confidential": either[conditions.is_confidential],
        "has_files": either[conditions.has_files],
        "label": actions.label,
        "is_priority": actions.is_priority,
        "due_days": actions.due_days,
        "assign": IN_TURN if actions.assigns_in_turn else actions.assign_to,
        "among": set(actions.among),
        "move_to": actions.move_to,
        "notify": set(actions.notify),
    }


def _chosen(key: int | None, choices: Mapping[int, Any], wrong: Any) -> int | None:
    if key is not None and key not in choices:
        raise ValidationError(wrong, code="invalid_choice")
    return key
