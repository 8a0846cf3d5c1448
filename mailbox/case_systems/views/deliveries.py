"""The pages on which conversations are handed over to a case system, and what became of it is seen."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailbox import access
from mailbox.case_systems import deliveries, shown
from mailbox.case_systems.forms import OrderForm
from mailbox.conversations import case_deliveries
from mailbox.forms import first_errors
from mailbox.models import CaseDelivery, Conversation
from mailbox.requests import PersonRequest


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def order(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """What handing a conversation over leads to; POST orders it."""
    rows = access.conversations_to_work_on(request.user).select_related("mailbox")
    conversation = get_object_or_404(rows, pk=conversation_id)
    form = OrderForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            case_deliveries.order(conversation.pk, request.user, form.cleaned_data["case_system"])
        except case_deliveries.NotRegistered:
            form.add_error("case_system", _("Registrera hela konversationen med diarienummer först."))
        except case_deliveries.NotAllowed:
            form.add_error("case_system", _("Brevlådan får inte överlämna dit. Välj ett annat ärendesystem."))
        else:
            messages.success(request, _("Konversationen överlämnas."))
            return redirect("conversation", conversation.pk)
    context = {
        "conversation": conversation,
        "mailbox": conversation.mailbox,
        "systems": case_deliveries.usable_by(conversation.mailbox),
        "is_registered": (conversation.registration_state == Conversation.RegistrationState.REGISTERED),
        "deliveries": shown.deliveries_in(conversation).deliveries,
        "may_work": True,
        "errors": first_errors(form),
    }
    return render(request, "case_systems/order.html", context, status=422 if form.is_bound else 200)


@login_required
@require_safe
def mailbox_deliveries(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """What of a mailbox waits, failed and was acknowledged."""
    box = get_object_or_404(access.mailboxes_of(request.user), pk=mailbox_id)
    context = {
        "mailbox": box,
        "groups": shown.groups_of(box, request.user),
        "may_work": access.mailboxes_to_work_in(request.user).filter(pk=box.pk).exists(),
    }
    return render(request, "case_systems/deliveries.html", context)


@login_required
@require_POST
def retry(request: PersonRequest, delivery_id: UUID) -> HttpResponse:
    """Hand over again what failed, or what the case system has not answered."""
    row = _delivery(request, delivery_id)
    try:
        deliveries.retry(row.pk, request.user)
    except deliveries.CannotRetry:
        messages.error(request, _("Det har redan ändrats. Se efter igen."))
    except case_deliveries.NotRegistered:
        messages.error(request, _("Registrera hela konversationen med diarienummer först."))
    except case_deliveries.NotAllowed:
        messages.error(request, _("Brevlådan får inte överlämna till det ärendesystemet."))
    else:
        messages.success(request, _("Ett nytt försök görs."))
    return redirect("case-deliveries", row.conversation.mailbox_id)


@login_required
@require_POST
def withdraw(request: PersonRequest, delivery_id: UUID) -> HttpResponse:
    """Withdraw a delivery that has not been acknowledged."""
    row = _delivery(request, delivery_id)
    try:
        deliveries.withdraw(row.pk, request.user)
    except deliveries.CannotWithdraw:
        messages.error(request, _("Ärendesystemet har redan tagit emot den."))
    else:
        messages.success(request, _("Överlämningen är återtagen."))
    return redirect("case-deliveries", row.conversation.mailbox_id)


def _delivery(request: PersonRequest, delivery_id: UUID) -> CaseDelivery:
    rows = access.case_deliveries_to_work_on(request.user).select_related("conversation")
    return get_object_or_404(rows, pk=delivery_id)
