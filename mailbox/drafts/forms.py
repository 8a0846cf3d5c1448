"""What people write and choose in drafts, canned texts and distribution lists."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailbox.forms import AddressForm, KeyField, LineField

from . import canned_texts
from .composer import Content
from .message_check import REFERENCE_KINDS
from .send_order import MOST_UNDO_SECONDS, NotLater

# References and persons that a form has room for; the format sets no limit (B1.3.3 4.3.2.3: 0..*).
MOST_REFERENCES: Final = 5
MOST_TEXT: Final = 20_000
_MOST_LINE: Final = 256
_MOST_NAME: Final = 100


class TypedField(forms.CharField):
    """A text as it was typed. What cannot be sent in it is pointed out before sending, so nothing is lost."""

    def __init__(self, *, is_line: bool = False) -> None:
        super().__init__(required=False, strip=False)
        self.is_line = is_line
        self.validators = []

    def to_python(self, value: Any) -> str:
        text = str(value or "")
        return text.strip()[:_MOST_LINE] if self.is_line else text.replace("\r\n", "\n")


class LenientKeyField(KeyField):
    """A key; None also for a text that is no key, which a page's own buttons never send."""

    def __init__(self) -> None:
        super().__init__(required=False)

    def to_python(self, value: Any) -> int | None:
        try:
            return super().to_python(value)
        except ValidationError:
            return None


class DraftForm(forms.Form):
    """The form in which a draft is written.

    Further references and persons have numbered fields, `reference-2` and so on; empty ones are left out and
    those after them move up. What the form was sent without stays as it is.
    """

    version = LenientKeyField()
    subject = TypedField(is_line=True)
    text = TypedField()
    is_confidential = forms.BooleanField(required=False)
    recipient = LenientKeyField()
    distribution_list = LenientKeyField()
    canned = LenientKeyField()
    inside = LenientKeyField()
    q = TypedField(is_line=True)

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__(cast("dict[str, Any]", data))
        for number in range(1, MOST_REFERENCES + 1):
            for name in ("reference_kind", "reference", "person_name"):
                self.fields[_numbered(name, number)] = TypedField(is_line=True)
        self.full_clean()

    @classmethod
    def content_of(cls, data: Mapping[str, Any]) -> Content:
        """What a form that was filled in with `data` holds."""
        return cls(data).content()

    def content(self) -> Content:
        """What was written; empty where the page that sent the form has no fields for it."""
        if not {"subject", "text", "reference", "person_name"} & set(self.data):
            return Content()
        references = [self._reference(number) for number in self._numbers("reference")]
        references = [reference for reference in references if any(reference.values())]
        first = references[0] if references else {"root": "", "value": ""}
        persons = [self.cleaned_data[_numbered("person_name", n)] for n in self._numbers("person_name")]
        persons = [name for name in persons if name]
        values: dict[str, object] = {
            "subject": self.cleaned_data["subject"],
            "text": self.cleaned_data["text"],
            "is_confidential": self.cleaned_data["is_confidential"],
            "reference_kind": first["root"],
            "reference": first["value"],
            "person_name": persons[0] if persons else "",
        }
        if _numbered("reference", 2) in self.data:
            values["further_references"] = references[1:]
        if _numbered("person_name", 2) in self.data:
            values["further_persons"] = persons[1:]
        return Content(values)

    @property
    def seen_version(self) -> int:
        """The version that was shown; -1 if the form has none, so that no draft is overwritten."""
        version = self.cleaned_data["version"]
        return -1 if version is None else int(version)

    def _numbers(self, name: str) -> list[int]:
        return [n for n in range(1, MOST_REFERENCES + 1) if _numbered(name, n) in self.data]

    def _reference(self, number: int) -> dict[str, str]:
        kind = self.cleaned_data[_numbered("reference_kind", number)]
        return {
            "root": kind if kind in REFERENCE_KINDS else "",
            "value": self.cleaned_data[_numbered("reference", number)],
        }


class NotChosen(Exception):
    """Enter was pressed in a field, which sends nothing."""


class ReviewForm(forms.Form):
    """What the sender of a draft has been shown of it."""

    version = LenientKeyField()
    attachments = TypedField()
    seen = LenientKeyField()
    confirmed = forms.BooleanField(required=False)
    # `later` sends it at that time, in Sweden's time; `enter` sends nothing; everything else at once.
    action = forms.CharField(required=False, max_length=20)
    later = forms.DateTimeField(required=False, input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])

    def time_to_send(self) -> datetime | None:
        """The later time that was chosen; None for at once. Raises `NotLater` where it is no time, and
        `NotChosen`."""
        self.full_clean()
        if self.cleaned_data.get("action") == "enter":
            raise NotChosen
        if self.cleaned_data.get("action") != "later":
            return None
        at: datetime | None = self.cleaned_data.get("later")
        if at is None:
            raise NotLater
        return at

    def clean_attachments(self) -> frozenset[int]:
        keys = self.cleaned_data["attachments"].split(",")
        return frozenset(key for text in keys if (key := key_in(text)))


class AnswerForm(AddressForm):
    """How an answer begins: the newest message that was seen, and whether a draft of one's own is wanted."""

    seen = LenientKeyField()
    own = forms.BooleanField(required=False)


class PageForm(AddressForm):
    """A page of mailings: those before the one with the key."""

    before = LenientKeyField()


def _wrong_name() -> str:
    return _("Skriv ett namn på högst %(n)s tecken.") % {"n": _MOST_NAME}


_wrong_name_lazily = lazy(_wrong_name, str)


class NameField(LineField):
    """The name of a text or a list."""

    def __init__(self) -> None:
        super().__init__(
            max_length=_MOST_NAME,
            error_messages={
                "required": _wrong_name_lazily(),
                "max_length": _wrong_name_lazily(),
                "not_one_line": gettext_lazy("Ta bort radbrytningar och andra tecken som inte kan visas."),
            },
        )


class PlaceholderField(forms.CharField):
    """A text that is put into drafts; words in braces in it have to be known placeholders."""

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value) or "").replace("\r\n", "\n")

    def validate(self, value: Any) -> None:
        super().validate(value)
        unknown = canned_texts.unknown_in(value or "")
        if unknown:
            text = _("%(unknown)s kan inte fyllas i. Det som kan är %(known)s.")
            raise ValidationError(
                text % {"unknown": ", ".join(unknown), "known": canned_texts.placeholder_names()}
            )


class CannedTextForm(forms.Form):
    """A canned text and its name."""

    name = NameField()
    text = PlaceholderField(
        max_length=MOST_TEXT,
        error_messages={
            "required": gettext_lazy("Skriv en text."),
            "max_length": gettext_lazy("Texten är för lång: högst %(limit_value)s tecken."),
        },
    )


class SignatureForm(forms.Form):
    """A mailbox's signature."""

    signature = PlaceholderField(
        required=False,
        max_length=MOST_TEXT,
        error_messages={"max_length": gettext_lazy("Texten är för lång: högst %(limit_value)s tecken.")},
    )


def _wrong_seconds() -> str:
    return _("Skriv ett antal sekunder, mellan 0 och %(most)s.") % {"most": MOST_UNDO_SECONDS}


_wrong_seconds_lazily = lazy(_wrong_seconds, str)


class SecondsField(forms.IntegerField):
    """The seconds in which a sending can be undone."""

    default_error_messages = {"required": _wrong_seconds_lazily(), "invalid": _wrong_seconds_lazily()}

    def to_python(self, value: Any) -> int | None:
        text = str(value or "").strip()
        if len(text) > len(str(MOST_UNDO_SECONDS)) or (text and not (text.isascii() and text.isdigit())):
            raise ValidationError(_wrong_seconds(), code="invalid")
        return super().to_python(text)

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value > MOST_UNDO_SECONDS:
            raise ValidationError(_wrong_seconds(), code="invalid")


class UndoSecondsForm(forms.Form):
    """For how long a sending can be undone."""

    seconds = SecondsField()


class AssigningForm(forms.Form):
    """Whether the person who answers becomes the assignee."""

    assigns_on_answer = forms.BooleanField(required=False)


class ListNameForm(forms.Form):
    """The name of a new distribution list."""

    list_name = NameField()


class NameForm(forms.Form):
    """The new name of a canned text or a distribution list."""

    name = NameField()


class ListMemberForm(forms.Form):
    """A function that is put on a distribution list."""

    recipient = LenientKeyField()
    q = TypedField(is_line=True)


def key_in(text: str) -> int | None:
    """The key in the value of a button; None where there is none."""
    return LenientKeyField().to_python(text)


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"
