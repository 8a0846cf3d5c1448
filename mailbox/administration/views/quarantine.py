"""Quarantine: the files in which malicious code was found. They can be removed here, and never opened."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from addressbook.lookup import names_of
from mailbox.administration import quarantine
from mailbox.administration.forms import PageForm
from mailbox.forms import renamed
from mailbox.requests import PersonRequest
from transport.message_service.api import QuarantinedFile

from .guards import administrator_required
from .layout import page

_PAGE = 50
_DIRECTION = QuarantinedFile.Direction
_DIRECTIONS = {
    _DIRECTION.IN: lazy("Inkommande meddelande: avvisat"),
    _DIRECTION.OUT: lazy("Utgående meddelande: stoppat"),
    _DIRECTION.DRAFT: lazy("Fil som inte fick bifogas"),
}


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A file in which malicious code was found, with its direction and names in words."""

    file: QuarantinedFile
    direction: Promise
    counterpart: str
    function: str


@administrator_required
@require_safe
def overview(request: PersonRequest) -> HttpResponse:
    """What was found, the latest first."""
    number = PageForm(renamed(request.GET, {"sida": "page"})).understood()["page"]
    shown = Paginator(quarantine.files_seen_by(request.user), _PAGE).get_page(number)
    count, since = quarantine.waiting_for_scanner(request.user)
    context: dict[str, Any] = {
        "rows": [
            QuarantineRow(file, _DIRECTIONS[_DIRECTION(file.direction)], *_names(file)) for file in shown
        ],
        "page": shown,
        "waiting": count,
        "waiting_since": since,
    }
    return page(request, "administration/quarantine.html", context)


@administrator_required
@require_POST
def remove(request: PersonRequest, file_id: str) -> HttpResponse:
    """Remove a file."""
    row = get_object_or_404(quarantine.files_seen_by(request.user), pk=file_id)
    quarantine.remove(request.user, row)
    messages.success(request, _("Det som låg i karantän är borttaget."))
    return redirect("administration-quarantine")


def _names(row: QuarantinedFile) -> tuple[str, str]:
    """The other side's name, and our function's or theirs, as the address book has them."""
    own = row.organisation.participant_id
    counterpart = names_of(row.counterpart, "")[0] if row.counterpart else ""
    whose = row.counterpart if row.direction == _DIRECTION.OUT else own
    return counterpart or row.counterpart, names_of(whose, row.function_address)[1] or row.function_address
