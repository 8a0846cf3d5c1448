"""Buttons on a message that was sent: send it again, cancel it."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from transport.message_service import resending

from .. import access, by_hand
from ..models import Message, Person


@login_required
@require_POST
def send_again(request: HttpRequest, message_id: int) -> HttpResponse:
    """Send the same message once more."""
    message, person = _message(request, message_id), cast(Person, request.user)
    try:
        by_hand.send_again(message, person)
    except resending.CannotBeSentAgain:
        messages.error(
            request, _("Meddelandet kan inte skickas igen: läget har ändrats. Se leveransen nedan.")
        )
    else:
        messages.success(request, _("Meddelandet skickas igen."))
    return redirect("conversation", message.conversation_id)


@login_required
@require_POST
def cancel(request: HttpRequest, message_id: int) -> HttpResponse:
    """Keep a message from leaving, if it has not."""
    message, person = _message(request, message_id), cast(Person, request.user)
    try:
        by_hand.cancel(message, person)
    except resending.HasLeft:
        messages.error(request, _("Det går inte att avbryta: meddelandet har redan lämnat er organisation."))
    else:
        messages.success(request, _("Meddelandet är stoppat och skickas inte."))
    return redirect("conversation", message.conversation_id)


def _message(request: HttpRequest, message_id: int) -> Message:
    rows = access.messages_of(request.user).select_related("conversation__mailbox")
    return get_object_or_404(rows, pk=message_id)
