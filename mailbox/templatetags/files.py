"""Kinds of files in words."""

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

register = template.Library()
_KINDS: dict[str, str | Promise] = {
    "application/pdf": lazy("PDF-dokument"),
    "text/plain": lazy("Text"),
    "image/png": lazy("Bild (PNG)"),
    "image/jpeg": lazy("Bild (JPEG)"),
    "image/tiff": lazy("Bild (TIFF)"),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": lazy("Word-dokument"),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": lazy("Excel-ark"),
    "application/vnd.oasis.opendocument.text": lazy("OpenDocument-text"),
}


@register.filter
def file_kind(content_type: str) -> str:
    """What people call a file of this type; a type that has no name here by itself."""
    return str(_KINDS.get(content_type.partition(";")[0].strip().lower(), content_type or _("Okänd filtyp")))
