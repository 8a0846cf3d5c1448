"""What people fill in to register, correct and withdraw, and what managers set for their mailbox."""

from datetime import date
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from mailbox.conversations.forms import PlaceInListForm
from mailbox.forms import KeyField, LineField
from mailbox.models import FunctionMailbox, Registration, RetentionRule

from . import case_numbers
from .entries import Entry
from .shown import rule_in_words

LONGEST_REASON: Final = 300
# In place of a rule of the mailbox: a decision that is told in words.
OTHER_BASIS: Final = "other"
Kind = Registration.Kind
_CHOOSE: Final = lazy("Välj ett av alternativen.")
_NOT_ONE_LINE: Final = lazy("Skriv på en rad, utan styrtecken.")
_TOO_LONG: Final = lazy("Texten är för lång: högst 300 tecken.")
_PATTERN_ERRORS: Final[dict[str, str | Promise]] = {
    "bracket": lazy("Mönstret har en hakparentes som inte har någon motsvarighet: %(text)s"),
    "nested": lazy("Mönstret har hakparenteser i varandra. Sätt dem efter varandra."),
    "placeholder": lazy(
        "%(text)s är inget som mönstret kan innehålla. Använd {år}, {åå}, {nr}, {nr:4}, {bokstäver} eller "
        "{bokstäver:2}."
    ),
    "count": lazy("%(text)s är för långt: högst 10 tecken."),
    "no-number": lazy(
        "Mönstret har inget {nr} utanför hakparenteserna: alla ärenden skulle få samma nummer."
    ),
    "long": lazy("Numren skulle bli för långa: högst 60 tecken."),
}


class RegistrationPlaceForm(PlaceInListForm):
    """Which message is registered (all where none is given), whether the conversation is done afterwards, and
    the list that it was opened from."""

    message = KeyField(required=False)
    finish = forms.BooleanField(required=False)


class EntryForm(forms.Form):
    """What messages are registered as, by the rules of a mailbox. `seen` is the page's newest message."""

    kind = forms.ChoiceField(
        choices=[(Kind.CASE, ""), (Kind.MINOR, "")],
        error_messages={"required": _CHOOSE, "invalid_choice": _CHOOSE},
    )
    case_number = LineField(
        required=False,
        max_length=case_numbers.LONGEST_NUMBER,
        error_messages={
            "max_length": lazy("Diarienumret är för långt: högst 60 tecken."),
            "not_one_line": _NOT_ONE_LINE,
        },
    )
    reason = LineField(
        required=False,
        max_length=LONGEST_REASON,
        error_messages={"max_length": _TOO_LONG, "not_one_line": _NOT_ONE_LINE},
    )
    rule = forms.CharField(required=False, max_length=12, empty_value="")
    basis = LineField(
        required=False,
        max_length=LONGEST_REASON,
        error_messages={"max_length": _TOO_LONG, "not_one_line": _NOT_ONE_LINE},
    )
    seen = KeyField(required=False)

    def __init__(self, data: Any = None, *, mailbox: FunctionMailbox) -> None:
        super().__init__(data)
        self.mailbox = mailbox
        # What a case system has is not of minor importance.
        rules = RetentionRule.objects.filter(mailbox=mailbox).exclude(state=RetentionRule.State.HANDED_OVER)
        rules = rules.order_by("state")
        self.rules = [(row.state, rule_in_words(row.state, row.days)) for row in rules]

    def clean(self) -> dict[str, Any]:
        """What the chosen kind needs."""
        given = super().clean() or self.cleaned_data
        if given.get("kind") == Kind.CASE and "case_number" in given:
            try:
                given["case_number"] = checked_number(self.mailbox, given["case_number"])
            except ValidationError as error:
                self.add_error("case_number", error)
        if given.get("kind") == Kind.MINOR:
            self._clean_minor(given)
        return given

    def entry(self) -> Entry:
        """What a valid form says."""
        given = self.cleaned_data
        if given["kind"] == Kind.CASE:
            return Entry(Kind.CASE, case_number=given["case_number"])
        rule = given["rule"] if given["rule"] != OTHER_BASIS else ""
        basis = "" if rule else given["basis"]
        return Entry(Kind.MINOR, reason=given["reason"], retention_state=rule, retention_basis=basis)

    def _clean_minor(self, given: dict[str, Any]) -> None:
        if "reason" in given and not given["reason"]:
            self.add_error("reason", _("Skriv varför meddelandet är av ringa betydelse."))
        rule = given.get("rule", "")
        if rule not in {OTHER_BASIS, *(state for state, _text in self.rules)}:
            self.add_error("rule", _("Välj den gallringsregel som du hänvisar till."))
        elif rule == OTHER_BASIS and "basis" in given and not given["basis"]:
            self.add_error("basis", _("Skriv vilket gallringsbeslut du hänvisar till."))


def _reason_field(required: str | Promise) -> LineField:
    """Why a registration is ended; `required` is said where that is not written."""
    errors: dict[str, Any] = {"required": required, "max_length": _TOO_LONG, "not_one_line": _NOT_ONE_LINE}
    return LineField(max_length=LONGEST_REASON, error_messages=errors)


class CorrectionForm(EntryForm):
    """What messages are to be registered as instead, and why."""

    why = _reason_field(lazy("Skriv varför registreringen rättas."))


class WithdrawalForm(forms.Form):
    """Why a registration is withdrawn."""

    why = _reason_field(lazy("Skriv varför registreringen återtas."))


class MailboxRegistrationForm(forms.Form):
    """Whether a mailbox's messages are to be registered, and the form of its case numbers."""

    mode = forms.ChoiceField(
        choices=[("optional", ""), ("tracked", ""), ("required", "")],
        error_messages={"required": _CHOOSE, "invalid_choice": _CHOOSE},
    )
    pattern = LineField(
        required=False,
        max_length=case_numbers.LONGEST_PATTERN,
        error_messages={
            "max_length": lazy("Mönstret är för långt: högst 100 tecken."),
            "not_one_line": _NOT_ONE_LINE,
        },
    )

    def clean_pattern(self) -> str:
        """A pattern that can be read, or none."""
        text = str(self.cleaned_data["pattern"] or "")
        if text:
            try:
                case_numbers.parse(text)
            except case_numbers.InvalidPattern as error:
                raise ValidationError(str(_PATTERN_ERRORS[error.code]) % {"text": error.text}) from None
        return text

    def mode_value(self) -> str:
        """The mode as the mailbox stores it."""
        mode = str(self.cleaned_data["mode"])
        return FunctionMailbox.RegistrationMode.OPTIONAL if mode == "optional" else mode


def checked_number(mailbox: FunctionMailbox, number: str) -> str:
    """The case number as the mailbox's pattern spells it. Raises `ValidationError`: what is wrong with it."""
    if not number:
        raise ValidationError(_("Skriv diarienumret."))
    if not mailbox.case_number_pattern:
        if not any(sign.isdigit() for sign in number):
            raise ValidationError(_("Diarienumret har inga siffror."))
        return number
    pattern = case_numbers.parse(mailbox.case_number_pattern)
    try:
        return pattern.read(number)
    except case_numbers.Mismatch as error:
        raise ValidationError(mismatch_in_words(error, mailbox)) from None


def example_of(mailbox: FunctionMailbox, day: date | None = None) -> str:
    """Case numbers by the mailbox's pattern, in words; empty without one."""
    if not mailbox.case_number_pattern:
        return ""
    return examples_in_words(mailbox.case_number_pattern, day or timezone.localdate())


def examples_in_words(pattern: str, day: date) -> str:
    """Numbers by a pattern: the shortest, and the one with all that may be left out."""
    return _(" eller ").join(case_numbers.parse(pattern).examples(day))


def mismatch_in_words(error: case_numbers.Mismatch, mailbox: FunctionMailbox) -> str:
    """What is wrong with a number, and what the pattern wants."""
    if error.expected is None:
        what = _("Efter ”%(read)s” ska ingenting mer stå.") % {"read": error.read}
    elif error.read:
        what = _("Efter ”%(read)s” ska det stå %(piece)s.")
        what %= {"read": error.read, "piece": _piece_in_words(error.expected)}
    else:
        what = _("Numret ska börja med %(piece)s.") % {"piece": _piece_in_words(error.expected)}
    form = _("Brevlådans nummer ser ut som %(example)s.") % {"example": example_of(mailbox)}
    return f"{what} {form}"


def _piece_in_words(piece: case_numbers.Piece) -> str:
    if piece.kind == "text":
        return f"”{piece.text}”"
    if piece.kind == "year":
        return _("ett år med fyra siffror")
    if piece.kind == "short-year":
        return _("ett år med två siffror")
    if piece.least == piece.most:
        text = _("%(n)d bokstäver") if piece.kind == "letters" else _("%(n)d siffror")
        return text % {"n": piece.least}
    return _("bokstäver") if piece.kind == "letters" else _("siffror")
