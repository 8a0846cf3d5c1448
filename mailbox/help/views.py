"""Pages about the pages: help with terms and keys, and the accessibility statement that the law asks for."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_safe

from mailbox.templatetags.help import TERMS

# As static/design/keys.js and the pages' `data-key` have them.
KEYS: Final[tuple[tuple[str, str | Promise], ...]] = (
    ("b", lazy("Start")),
    ("s", lazy("Sök")),
    ("a", lazy("Adressbok")),
    ("j", lazy("Nästa konversation i listan")),
    ("k", lazy("Föregående konversation i listan")),
    ("!", lazy("Prioritera konversationen, eller ta bort prioriteten")),
    ("d", lazy("Registrera konversationen med diarienummer")),
    ("?", lazy("Hjälp")),
)


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """The field's terms, and the keys."""
    return render(request, "help/page.html", {"terms": TERMS.values(), "keys": KEYS})


@require_safe
def accessibility(request: HttpRequest) -> HttpResponse:
    """The accessibility statement (lagen 2018:1937 om tillgänglighet till digital offentlig service)."""
    return render(request, "help/accessibility.html", {"mail": settings.SDK_ACCESSIBILITY_MAIL})
