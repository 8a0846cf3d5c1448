"""The form in which a conversation is exported."""

from django import forms
from django.db import models
from django.utils.translation import gettext_lazy as _


class ExportKind(models.TextChoices):
    """Our record bundle, or a package that archives take in."""

    BUNDLE = "bundle", _("Arkivpaket")
    EARK = "eark", _("E-ARK-paket")


class ExportForm(forms.Form):
    """What a conversation is exported as; a record bundle where nothing is chosen."""

    kind = forms.ChoiceField(
        choices=ExportKind,
        required=False,
        error_messages={"invalid_choice": _("Välj vilket slags arkivpaket du vill hämta.")},
    )

    def clean_kind(self) -> ExportKind:
        return ExportKind(self.cleaned_data["kind"] or ExportKind.BUNDLE)
