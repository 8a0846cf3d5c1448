"""Reviewing a draft before it is sent, the seconds in which that can be undone, and where it went."""

from datetime import timedelta
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from mailbox import access, access_log
from mailbox.approval.rule import ApprovalNeeded
from mailbox.conversations import presence
from mailbox.drafts import canned_texts, draft_lock, message_builder, message_check, recipients, send_order
from mailbox.drafts.composer import DraftChanged, DraftGone, DraftIncomplete, DraftOnItsWay, DraftTakenOver
from mailbox.drafts.forms import NotChosen, ReviewForm
from mailbox.models import Draft, Person
from mailbox.requests import PersonRequest
from mailbox.texts.message_text import rendered_beginning

from .draft_form import assignee_context, form, heading_context, unseen_messages

# Why a draft that was reviewed is not sent, or not asked approval for.
REFUSALS: Final = (
    ApprovalNeeded,
    DraftChanged,
    DraftGone,
    DraftIncomplete,
    DraftOnItsWay,
    NotChosen,
    send_order.AnsweredMeanwhile,
    send_order.NotConfirmed,
    send_order.NotLater,
)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def check(request: PersonRequest, draft_id: int) -> HttpResponse:
    """The whole message as it would be sent; POST sends it."""
    rows = access.drafts_to_work_on(request.user)
    rows = rows.select_related("mailbox", "owner", "answers__conversation__mailbox")
    row = rows.filter(pk=draft_id).first()
    if row is None:
        return redirect_missing_draft(request, draft_id)
    if row.send_at is not None:
        return redirect("draft", row.pk)
    if not draft_lock.may_write(row, request.user):
        return form(request, row, status=409) if request.method == "POST" else redirect("draft", row.pk)
    if request.method != "POST":
        try:
            message_check.check(row)
        except DraftIncomplete as incomplete:
            # What is missing is told in the form, where it can be filled in.
            return form(request, row, errors=incomplete.errors)
        presence.mark_page_fetched(request.user, presence.activity_of_draft(row))
        return review_page(request, row)
    try:
        at = ReviewForm(request.POST).time_to_send()
        send_order.order(row.pk, reviewed_in(request), request.user, at=at)
    except REFUSALS as refusal:
        return refused(request, row, refusal)
    presence.stop_writing(request.user, presence.activity_of_draft(row))
    if request.htmx and row.answers is not None:
        return _sent_in_thread(request, row)
    if at is not None:
        return redirect("draft", row.pk)
    if not send_order.undo_seconds(row.mailbox) and not row.further_recipients.exists():
        send_order.send_if_due(row.pk)
        if send_order.sent_from(row.pk).exists():
            messages.success(request, _("Meddelandet skickas."))
    return redirect("draft", row.pk)


def refused(request: PersonRequest, row: Draft, refusal: Exception) -> HttpResponse:
    """The page that says why a reviewed draft is not sent: one of `REFUSALS`."""
    match refusal:
        case NotChosen():
            return review_page(request, row, errors={"later": not_chosen()}, status=422)
        case send_order.NotLater():
            return review_page(request, row, errors={"later": wrong_time()}, status=422)
        case DraftIncomplete():
            return form(request, row, errors=refusal.errors, status=422)
        case DraftTakenOver():
            row.refresh_from_db()
            return form(request, row, status=409)
        case DraftChanged():
            row.refresh_from_db()
            return review_page(request, row, has_changed=True, status=409)
        case send_order.NotConfirmed():
            return review_page(request, row, errors={"confirmed": not_confirmed()}, status=422)
        case DraftOnItsWay():
            return redirect("draft", row.pk)
        case DraftGone():
            return redirect_missing_draft(request, row.pk)
    # Somebody has answered meanwhile, or approval is demanded now: the page shows which.
    return review_page(request, row, status=409)


def wrong_time() -> str:
    """That the later time is no time at which something can be sent."""
    return _("Välj en tid minst en kvart och högst 60 dagar fram.")


def not_chosen() -> str:
    """That Enter in a field of the review sends nothing."""
    return _("Inget är skickat. Välj hur det ska skickas med en av knapparna.")


def not_confirmed() -> str:
    """That new recipients of a confidential message have not been confirmed."""
    return _("Bekräfta att uppgifterna ska till mottagaren.")


def _sent_in_thread(request: PersonRequest, row: Draft) -> HttpResponse:
    """What stands in the thread after sending: that it can be undone, or that it is sent."""
    if not send_order.undo_seconds(row.mailbox):
        # Nothing that is to be sent later is due.
        send_order.send_if_due(row.pk)
    row = Draft.objects.filter(pk=row.pk).first() or row
    is_sent = send_order.sent_from(row.pk).exists()
    if not is_sent and row.send_at is None:
        return form(request, row, errors=send_errors(row))
    context = {
        "draft": row,
        "is_sent": is_sent,
        "is_later": row.is_sent_later,
        "seconds": _seconds_left(row),
    }
    return render(request, "drafts/_composer_sent.html", context)


def send_errors(row: Draft) -> dict[str, str]:
    """Why a draft that came back cannot be sent, where that is still so."""
    if row.trouble not in {message_check.RECIPIENT_GONE, message_check.INVALID}:
        return {}
    try:
        message_check.check(row)
    except DraftIncomplete as incomplete:
        return incomplete.errors
    return {}


def _seconds_left(row: Draft) -> int:
    return max(0, round((row.send_at - timezone.now()).total_seconds())) if row.send_at else 0


@login_required
@require_POST
def undo(request: PersonRequest, draft_id: int) -> HttpResponse:
    """Take back what is about to be sent."""
    get_object_or_404(access.drafts_to_work_on(request.user), pk=draft_id)
    try:
        send_order.undo(draft_id, request.user)
    except send_order.TooLateToUndo:
        messages.error(request, _("Det gick inte att ångra: meddelandet hann skickas."))
    else:
        if not request.htmx:
            messages.success(request, _("Sändningen är ångrad. Utkastet är kvar, och inget mer skickas."))
    return redirect("draft", draft_id)


def on_its_way(request: PersonRequest, row: Draft) -> HttpResponse:
    """The page of a draft that is about to be sent, as long as it can be undone."""
    if request.method == "POST":
        # Somebody else has sent it meanwhile; a script that saves is told as of any other change.
        if request.POST.get("action") == "autosave":
            return HttpResponse(status=409)
        messages.error(request, _("Utkastet är på väg att skickas. Ångra först, om du vill ändra det."))
        return redirect("draft", row.pk)
    if request.htmx:
        return HttpResponse(status=204)
    context = {
        "draft": row,
        "mailbox": row.mailbox,
        "recipients": recipients.recipients_of(row),
        "seconds": _seconds_left(row),
        "is_later": row.is_sent_later,
    }
    return render(request, "drafts/draft_on_its_way.html", context)


def redirect_missing_draft(request: PersonRequest, draft_id: int) -> HttpResponse:
    """Where a draft that is no more went: to what it has become, or nowhere."""
    sent = access.messages_of(request.user).filter(draft_number=draft_id).order_by("-pk").first()
    if sent is None:
        return render(request, "drafts/draft_gone.html", status=404)
    if request.POST.get("action") == "autosave":
        return HttpResponse(status=409)
    url = (
        reverse("mailing", args=[sent.mailing_id])
        if sent.mailing_id
        else reverse("conversation", args=[sent.conversation_id])
    )
    if request.htmx:
        answer = HttpResponse(status=204)
        answer.headers["HX-Redirect"] = url
        return answer
    if request.method == "POST":
        messages.error(request, _("Meddelandet är redan skickat."))
    return redirect(url)


def reviewed_in(request: PersonRequest) -> send_order.Reviewed:
    """What the page from which a draft is sent has shown."""
    form = ReviewForm(request.POST)
    form.full_clean()
    shown = form.cleaned_data
    version = shown["version"]
    return send_order.Reviewed(
        version=-1 if version is None else version,
        attachments=shown["attachments"],
        seen=shown["seen"],
        is_confirmed=shown["confirmed"],
    )


def _later(request: PersonRequest) -> dict[str, str]:
    """What the field of a later time shows: what was typed, else tomorrow morning; and its bounds."""
    now = timezone.localtime()
    morning = (now + timedelta(days=1)).replace(hour=8, minute=0)
    return {
        "value": request.POST.get("later") or f"{morning:%Y-%m-%dT%H:%M}",
        "earliest": f"{now + send_order.SHORTEST_DELAY + timedelta(minutes=1):%Y-%m-%dT%H:%M}",
        "latest": f"{now + send_order.LONGEST_DELAY:%Y-%m-%dT%H:%M}",
    }


def review_page(
    request: PersonRequest,
    row: Draft,
    *,
    errors: dict[str, str] | None = None,
    has_changed: bool = False,
    status: int = 200,
) -> HttpResponse:
    """The whole message as it would be sent in the person's name, and the buttons."""
    context = review_context(request, row, sender=request.user) | {
        "needs_approval": access.needs_approval(row, request.user),
        "errors": errors or {},
        "has_changed": has_changed,
    }
    in_thread = request.htmx and row.answers_id is not None
    template = "drafts/_composer_review.html" if in_thread else "drafts/check.html"
    return render(request, template, context, status=status)


def review_context(request: PersonRequest, row: Draft, *, sender: Person) -> dict[str, Any]:
    """The whole message as it would be sent in the sender's name. The access log notes who is shown it."""
    unseen = unseen_messages(request, row)
    attachments = list(row.attachments.all())
    access_log.record_draft_opened(request.user, row)
    rendered, is_text_cut = rendered_beginning(row.text)
    return {
        "draft": row,
        "mailbox": row.mailbox,
        "organisation": recipients.organisation_name(row.mailbox),
        "recipients": recipients.recipients_of(row),
        "references": [
            (_(message_check.REFERENCE_KINDS.get(root, root)), value) for root, value in row.references
        ],
        "returned": message_builder.returned_references(row.answers),
        "rendered": rendered,
        "is_text_cut": is_text_cut,
        "attachments": attachments,
        "attachment_keys": ",".join(str(attachment.pk) for attachment in attachments),
        "unfilled": canned_texts.placeholders_in(row.text),
        "to_confirm": send_order.recipients_to_confirm(row),
        "unseen": unseen,
        "newest": unseen[-1].pk if unseen else "",
        "seconds": send_order.undo_seconds(row.mailbox),
        "later": _later(request),
        "person": sender,
        **heading_context(row),
        **assignee_context(row, request.user),
    }
