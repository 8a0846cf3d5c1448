"""The page on which those who manage a mailbox say which of its messages somebody else has to approve."""

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods

from mailbox import access
from mailbox.administration.views.guards import manager_required
from mailbox.administration.views.layout import page
from mailbox.approval import mailbox_settings
from mailbox.forms import first_errors
from mailbox.models import ApprovalRule, FunctionMailbox, Membership
from mailbox.requests import PersonRequest

_CHOOSE: Final = lazy("Välj ett av alternativen.")
Demand = ApprovalRule.Demand


class DemandForm(forms.Form):
    """Which messages are to be approved, or an answer to what somebody else has proposed."""

    action = forms.ChoiceField(choices=[("set", ""), ("confirm", ""), ("reject", "")], required=False)
    demand = forms.ChoiceField(
        choices=Demand.choices, error_messages={"required": _CHOOSE, "invalid_choice": _CHOOSE}
    )


@manager_required
@require_http_methods(["GET", "HEAD", "POST"])
def mailbox_approval(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """Which messages of a mailbox somebody else has to approve; POST sets it, or answers a proposal."""
    box = get_object_or_404(access.managed_by(request.user), pk=mailbox_id)
    form = DemandForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        _apply(request, box, form.cleaned_data)
        return redirect("approval-mailbox", box.pk)
    rule = mailbox_settings.rule_of(box)
    sending = Membership.objects.filter(
        access.current_memberships(), access.sending_memberships(), mailbox=box, person__is_active=True
    )
    context = {
        "mailbox": box,
        "rule": rule,
        "may_confirm": bool(rule.proposed) and rule.proposed_by_id not in {None, request.user.pk},
        "sender_count": sending.count(),
        "demand": form.data.get("demand") or rule.demand,
        "errors": first_errors(form),
    }
    status = 422 if form.is_bound else 200
    return page(request, "approval/mailbox.html", context, status=status)


def _apply(request: PersonRequest, box: FunctionMailbox, given: dict[str, Any]) -> None:
    try:
        if given["action"] == "confirm":
            mailbox_settings.confirm(request.user, box, given["demand"])
            messages.success(request, _("Ändringen är bekräftad och gäller."))
        elif given["action"] == "reject":
            mailbox_settings.reject(request.user, box)
            messages.success(request, _("Förslaget är borttaget. Inget har ändrats."))
        elif mailbox_settings.set_demand(request.user, box, given["demand"]):
            messages.success(request, _("Inställningen är sparad."))
        else:
            messages.success(
                request, _("Ditt förslag väntar på att en annan ansvarig eller administratör bekräftar det.")
            )
    except mailbox_settings.NothingProposed:
        messages.error(request, _("Det finns inget förslag som du kan bekräfta."))
