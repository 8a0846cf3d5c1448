"""The buttons on a sent message: send it again, cancel it."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from mailbox import access
from mailbox.approval.rule import NotByWriter
from mailbox.models import Message
from mailbox.requests import PersonRequest
from transport.message_service.api import resend

from . import resend as delivery_resend


@login_required
@require_POST
def send_again(request: PersonRequest, message_id: int) -> HttpResponse:
    """Send a failed message again, and redirect to its conversation."""
    person = request.user
    rows = access.messages_to_send_again(person).select_related("conversation__mailbox")
    message = get_object_or_404(rows, pk=message_id)
    try:
        delivery_resend.send_again(message, person)
    except NotByWriter:
        messages.error(
            request,
            _("Brevlådan kräver godkännande av en kollega: någon annan än du behöver skicka det igen."),
        )
    except resend.CannotBeSentAgain:
        messages.error(
            request, _("Meddelandet kan inte skickas igen: läget har ändrats. Se leveransen nedan.")
        )
    else:
        messages.success(request, _("Meddelandet skickas igen."))
    return redirect("conversation", message.conversation_id)


@login_required
@require_POST
def cancel(request: PersonRequest, message_id: int) -> HttpResponse:
    """Cancel a message that has not left, and redirect to its conversation."""
    message, person = _message(request, message_id), request.user
    try:
        delivery_resend.cancel(message, person)
    except resend.HasLeft:
        messages.error(request, _("Det går inte att avbryta: meddelandet har redan lämnat er organisation."))
    else:
        messages.success(request, _("Meddelandet är stoppat och skickas inte."))
    return redirect("conversation", message.conversation_id)


def _message(request: PersonRequest, message_id: int) -> Message:
    rows = access.messages_to_work_on(request.user).select_related("conversation__mailbox")
    return get_object_or_404(rows, pk=message_id)
