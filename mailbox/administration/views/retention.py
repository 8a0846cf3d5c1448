"""How long each mailbox keeps what it has: what a rule would do is shown before it is set."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailbox import access, access_log
from mailbox.administration import mailboxes, retention
from mailbox.administration.csv_export import sheet
from mailbox.models import FunctionMailbox, RetentionProtocol, RetentionRule
from mailbox.requests import PersonRequest

from .pages import actor, administrator_required, page

STATES = {
    RetentionRule.State.UNHANDLED: gettext_lazy("Väntar på någon här"),
    RetentionRule.State.HANDLED: gettext_lazy("Besvarade, inte klara"),
    RetentionRule.State.DONE: gettext_lazy("Klara"),
    RetentionRule.State.TRASH: gettext_lazy("I papperskorgen"),
}
_SHOWN = 50


@administrator_required
@require_safe
def overview(request: PersonRequest) -> HttpResponse:
    """Every mailbox with its rules, and the latest of what was deleted."""
    boxes = mailboxes.mailboxes_administered_by(request.user)
    rules: dict[int, dict[str, RetentionRule]] = {}
    for rule in RetentionRule.objects.filter(mailbox__in=boxes):
        rules.setdefault(rule.mailbox_id, {})[rule.state] = rule
    held = retention.counts_by_mailbox(boxes)
    rows = [
        {
            "mailbox": box,
            "rules": [(state, text, rules.get(box.pk, {}).get(state)) for state, text in STATES.items()],
            "held": held.get(box.pk, 0),
        }
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
    errors: dict[str, str] = {}
    context: dict[str, Any] = {"mailbox": box, "state_text": STATES[chosen], "current": current}
    if request.method == "POST":
        days, errors = _days(request)
        if not errors and "confirmation" in request.POST:
            errors = _set(request, box, chosen, days)
            if not errors:
                return redirect("administration-retention")
        if "days" not in errors:
            context["asked"] = True
            context["preview"] = retention.preview(box, chosen, days) if days is not None else None
        context["days"] = days
    elif current is not None:
        context["next"] = retention.next_to_go(current, _SHOWN)
    context |= {"errors": errors, "given": request.POST, "shortest": retention.SHORTEST_DAYS}
    return page(request, "administration/retention_rule.html", context, status=422 if errors else 200)


@administrator_required
@require_safe
def protocol_file(request: PersonRequest) -> StreamingHttpResponse:
    """Everything that was deleted by a rule, as CSV."""
    for participant in access.administered_by(request.user):
        access_log.note(actor(request), "retention-protocol-exported", participant)
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
    return sheet(request, "gallringsprotokoll", header, rows)


@login_required
@require_POST
def hold(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """A member keeps a conversation from being deleted, or lets it go."""
    rows = access.conversations_of(request.user).select_related("mailbox")
    conversation = get_object_or_404(rows, pk=conversation_id)
    if request.POST.get("held") == "1":
        retention.hold(actor(request), conversation)
        messages.success(request, _("Konversationen gallras inte."))
    else:
        retention.release(actor(request), conversation)
        messages.success(request, _("Konversationen gallras som andra."))
    return redirect("conversation", conversation.pk)


def _days(request: PersonRequest) -> tuple[int | None, dict[str, str]]:
    """The days that were asked for; None keeps for ever."""
    text = request.POST.get("days", "").strip()
    if not text:
        return None, {}
    if text.isascii() and text.isdigit() and len(text) < 7:
        days = int(text)
        if retention.SHORTEST_DAYS <= days <= retention.LONGEST_DAYS:
            return days, {}
    return None, {
        "days": _("Skriv ett antal dagar, minst %(least)d, eller lämna tomt för att inget ska gallras.")
        % {"least": retention.SHORTEST_DAYS}
    }


def _set(
    request: PersonRequest, box: FunctionMailbox, state: RetentionRule.State, days: int | None
) -> dict[str, str]:
    try:
        retention.set_rule(
            actor(request), box, state, days, confirmation=request.POST.get("confirmation", "")
        )
    except retention.NotConfirmed:
        return {"confirmation": _("Skriv brevlådans namn precis som det står för att bekräfta.")}
    messages.success(request, _("Gallringsregeln är ändrad."))
    return {}


def _protocol(request: PersonRequest) -> QuerySet[RetentionProtocol]:
    organisations = access.administered_by(request.user)
    return RetentionProtocol.objects.filter(participant_id__in=organisations).select_related("mailbox")
