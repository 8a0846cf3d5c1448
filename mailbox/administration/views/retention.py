"""How long each mailbox keeps what it has: what a rule would do is shown before it is set."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailbox import access, access_log
from mailbox.administration import mailboxes, retention
from mailbox.administration.forms import RetentionForm, SwitchForm
from mailbox.forms import first_errors
from mailbox.models import FunctionMailbox, RetentionProtocol, RetentionRule
from mailbox.requests import PersonRequest
from mailbox.streaming import csv_response

from .guards import administrator_required
from .layout import page

STATES = {
    RetentionRule.State.UNHANDLED: gettext_lazy("Väntar på någon här"),
    RetentionRule.State.HANDLED: gettext_lazy("Besvarade, inte klara"),
    RetentionRule.State.DONE: gettext_lazy("Klara"),
    RetentionRule.State.TRASH: gettext_lazy("I papperskorgen"),
    RetentionRule.State.HANDED_OVER: gettext_lazy("Överlämnade och mottagna"),
}
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class MailboxRules:
    """A mailbox with its rule for each state, and how many of its conversations no rule deletes."""

    mailbox: FunctionMailbox
    rules: list[tuple[RetentionRule.State, Promise, RetentionRule | None]]
    hold_count: int


@administrator_required
@require_safe
def overview(request: PersonRequest) -> HttpResponse:
    """Every mailbox with its rules, and the latest of what was deleted."""
    boxes = mailboxes.mailboxes_administered_by(request.user)
    rules: dict[int, dict[str, RetentionRule]] = {}
    for rule in RetentionRule.objects.filter(mailbox__in=boxes):
        rules.setdefault(rule.mailbox_id, {})[rule.state] = rule
    hold_counts = retention.hold_counts(boxes)
    rows = [
        MailboxRules(
            box,
            [(state, text, rules.get(box.pk, {}).get(state)) for state, text in STATES.items()],
            hold_counts.get(box.pk, 0),
        )
        for box in boxes.order_by("name", "pk")
    ]
    protocol = _protocol(request)[:_SHOWN]
    return page(request, "administration/retention.html", {"rows": rows, "protocol": protocol})


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def rule(request: PersonRequest, mailbox_id: int, state: str) -> HttpResponse:
    """One rule: POST shows what another number of days would delete; with the mailbox's name it is set."""
    boxes = mailboxes.mailboxes_administered_by(request.user)
    box = get_object_or_404(boxes, pk=mailbox_id)
    if state not in RetentionRule.State.values:
        raise Http404
    chosen = RetentionRule.State(state)
    current = RetentionRule.objects.filter(mailbox=box, state=chosen).first()
    errors: Mapping[str, str] = {}
    context: dict[str, Any] = {"mailbox": box, "state_text": STATES[chosen], "current": current}
    if request.method == "POST":
        form = RetentionForm(request.POST, shortest=retention.SHORTEST_DAYS, longest=retention.LONGEST_DAYS)
        if form.is_valid():
            days = form.cleaned_data["days"]
            if "confirmation" in request.POST and _set(request, box, chosen, form):
                return redirect("administration-retention")
            context["asked"] = True
            context["preview"] = retention.preview(box, chosen, days) if days is not None else None
            context["days"] = days
        errors = first_errors(form)
    elif current is not None:
        context["next"] = retention.next_to_delete(current, _SHOWN)
    context |= {"errors": errors, "given": request.POST, "shortest": retention.SHORTEST_DAYS}
    return page(request, "administration/retention_rule.html", context, status=422 if errors else 200)


@administrator_required
@require_safe
def protocol_file(request: PersonRequest) -> StreamingHttpResponse:
    """Everything that was deleted by a rule, as CSV."""
    for participant in access.administered_by(request.user):
        access_log.record(request.user, "retention-protocol-exported", participant)
    header = ["deleted_at", "organisation", "mailbox", "conversation", "messages", "attachments"]
    header += ["last_activity_at", "state", "days"]
    rows = (
        (
            row.deleted_at.isoformat(),
            row.participant_id,
            row.mailbox,
            row.conversation_id,
            " ".join(row.message_ids),
            row.attachment_count,
            row.last_activity_at.isoformat(),
            row.state,
            row.days,
        )
        for row in _protocol(request).iterator(chunk_size=1000)
    )
    return csv_response(request, "gallringsprotokoll", header, rows)


@login_required
@require_POST
def hold(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """A member exempts a conversation from the retention rules, or ends that."""
    rows = access.conversations_to_work_on(request.user).select_related("mailbox")
    conversation = get_object_or_404(rows, pk=conversation_id)
    if SwitchForm(request.POST).is_on("held"):
        retention.hold(request.user, conversation)
        messages.success(request, _("Konversationen gallras inte."))
    else:
        retention.release(request.user, conversation)
        messages.success(request, _("Konversationen gallras som andra."))
    return redirect("conversation", conversation.pk)


def _set(
    request: PersonRequest, box: FunctionMailbox, state: RetentionRule.State, form: RetentionForm
) -> bool:
    """Set the rule; False, with an error in the form, where the mailbox's name does not confirm it."""
    given = form.cleaned_data
    try:
        retention.set_rule(request.user, box, state, given["days"], confirmation=given["confirmation"])
    except retention.NotConfirmed:
        form.add_error("confirmation", _("Skriv brevlådans namn precis som det står för att bekräfta."))
        return False
    messages.success(request, _("Gallringsregeln är ändrad."))
    return True


def _protocol(request: PersonRequest) -> QuerySet[RetentionProtocol]:
    organisations = access.administered_by(request.user)
    return RetentionProtocol.objects.filter(participant_id__in=organisations).select_related("mailbox")
