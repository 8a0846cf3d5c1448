"""Quarantine: where malicious code was found. What was found in can be removed here, and never opened."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from addressbook.lookup import names_of
from mailbox.administration import quarantine
from mailbox.requests import PersonRequest
from transport.message_service.api import QuarantinedFile

from .pages import actor, administrator_required, page

_PAGE = 50
_DIRECTION = QuarantinedFile.Direction
_DIRECTIONS = {
    _DIRECTION.IN: lazy("Inkommande meddelande: avvisat"),
    _DIRECTION.OUT: lazy("Utgående meddelande: stoppat"),
    _DIRECTION.DRAFT: lazy("Fil som inte fick bifogas"),
}


@administrator_required
@require_safe
def overview(request: PersonRequest) -> HttpResponse:
    """What was found, the latest first."""
    shown = Paginator(quarantine.seen_by(request.user), _PAGE).get_page(request.GET.get("sida"))
    for row in shown:
        organisation, function = _names(row)
        row.direction_in_words = _DIRECTIONS[_DIRECTION(row.direction)]  # type: ignore[attr-defined]
        row.counterpart_name, row.function_name = organisation, function  # type: ignore[attr-defined]
    count, since = quarantine.waiting_for_scanner(request.user)
    context: dict[str, Any] = {"rows": shown, "waiting": count, "waiting_since": since}
    return page(request, "administration/quarantine.html", context)


@administrator_required
@require_POST
def remove(request: PersonRequest, file_id: str) -> HttpResponse:
    """Remove what was kept."""
    row = get_object_or_404(quarantine.seen_by(request.user), pk=file_id)
    quarantine.remove(actor(request), row)
    messages.success(request, _("Det som låg i karantän är borttaget."))
    return redirect("administration-quarantine")


def _names(row: QuarantinedFile) -> tuple[str, str]:
    """The other side's name, and our function's or theirs, as the address book has them."""
    own = row.organisation.participant_id
    counterpart = names_of(row.counterpart, "")[0] if row.counterpart else ""
    whose = row.counterpart if row.direction == _DIRECTION.OUT else own
    return counterpart or row.counterpart, names_of(whose, row.function_address)[1] or row.function_address
