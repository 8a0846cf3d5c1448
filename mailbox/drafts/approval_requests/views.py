"""The pages on which approval is asked for, given, and refused."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailbox import access, access_log
from mailbox.approval.content import content_of
from mailbox.attachments.downloads import guarded
from mailbox.conversations import presence
from mailbox.drafts import draft_lock, send_order
from mailbox.drafts.composer import DraftChanged, DraftIncomplete
from mailbox.drafts.forms import ReviewForm
from mailbox.drafts.views.draft_form import form as draft_form
from mailbox.drafts.views.review import (
    REFUSALS,
    not_confirmed,
    redirect_missing_draft,
    refused,
    review_context,
    reviewed_in,
)
from mailbox.forms import first_errors
from mailbox.models import ApprovalRequest, Draft, Person
from mailbox.requests import PersonRequest
from transport.storage import blobs

from . import acts, shown
from .forms import ApprovalForm, GiveBackForm


@login_required
@require_safe
def approvals(request: PersonRequest) -> HttpResponse:
    """What the person may approve, and what they have asked for."""
    context = {"to_answer": shown.to_answer(request.user), "asked": shown.asked_by(request.user)}
    template = "approval/_list.html" if request.htmx else "approval/list.html"
    return render(request, template, context)


@login_required
@require_POST
def ask(request: PersonRequest, draft_id: int) -> HttpResponse:
    """Ask for approval of a draft as it has been reviewed."""
    rows = access.drafts_to_work_on(request.user)
    row = (
        rows.select_related("mailbox", "owner", "answers__conversation__mailbox").filter(pk=draft_id).first()
    )
    if row is None:
        return redirect_missing_draft(request, draft_id)
    if not draft_lock.may_write(row, request.user):
        return draft_form(request, row, status=409)
    try:
        at = ReviewForm(request.POST).time_to_send()
        acts.ask(row.pk, reviewed_in(request), request.user, at=at)
    except REFUSALS as refusal:
        return refused(request, row, refusal)
    presence.stop_writing(request.user, presence.activity_of_draft(row))
    if request.htmx and row.answers is not None:
        return render(request, "approval/_asked_in_thread.html", {"draft": row})
    messages.success(
        request, _("Du har bett om godkännande. Meddelandet skickas när en kollega godkänner det.")
    )
    return redirect("draft", row.pk)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def approval(request: PersonRequest, asked_draft_id: int) -> HttpResponse:
    """The message exactly as it will be sent, and what was changed since it was last shown; POST approves."""
    if request.method != "POST":
        asked = _open_request(request.user, asked_draft_id)
        return _page(request, asked) if asked else _no_request(request, asked_draft_id)
    form = ApprovalForm(request.POST)
    form.full_clean()
    looked_at = form.cleaned_data["request"]
    try:
        draft = acts.approve(looked_at or 0, reviewed_in(request), request.user)
    except (acts.NotAsked, acts.ChangedMeanwhile, DraftChanged):
        asked = _open_request(request.user, asked_draft_id)
        if asked is None:
            return _no_request(request, asked_draft_id, looked_at=looked_at)
        return _page(request, asked, looked_at=looked_at, has_changed=True, status=409)
    except (send_order.AnsweredMeanwhile, send_order.NotConfirmed, DraftIncomplete) as refusal:
        asked = _open_request(request.user, asked_draft_id)
        if asked is None:
            return _no_request(request, asked_draft_id, looked_at=looked_at)
        errors, status = {}, 409
        if isinstance(refusal, send_order.NotConfirmed):
            errors, status = {"confirmed": not_confirmed()}, 422
        if isinstance(refusal, DraftIncomplete):
            errors, status = refusal.errors, 422
        return _page(request, asked, errors=errors, status=status)
    if not draft.is_sent_later and not send_order.undo_seconds(draft.mailbox):
        send_order.send_if_due(draft.pk)
    messages.success(request, _("Du har godkänt meddelandet."))
    return redirect("draft", draft.pk)


@login_required
@require_POST
def give_back(request: PersonRequest, asked_draft_id: int) -> HttpResponse:
    """Give the draft back to its writer, with a reason."""
    asked = _open_request(request.user, asked_draft_id)
    if asked is None:
        return _no_request(request, asked_draft_id)
    form = GiveBackForm(request.POST)
    if not form.is_valid():
        return _page(request, asked, errors=dict(first_errors(form)), status=422)
    try:
        acts.give_back(form.cleaned_data["request"] or 0, form.cleaned_data["reason"], request.user)
    except acts.NotAsked:
        return _page(request, asked, looked_at=form.cleaned_data["request"], has_changed=True, status=409)
    messages.success(request, _("Utkastet är tillbaka hos den som skrev det, med ditt skäl."))
    return redirect("approvals")


@login_required
@require_POST
def withdraw(request: PersonRequest, asked_draft_id: int) -> HttpResponse:
    """Take one's own request back."""
    rows = access.approval_requests_of(request.user).filter(draft=asked_draft_id, asked_by=request.user)
    if not rows.exists():
        return redirect_missing_draft(request, asked_draft_id)
    try:
        acts.withdraw(asked_draft_id, request.user)
    except acts.NotAsked:
        messages.error(request, _("Begäran var redan besvarad eller avslutad."))
    else:
        messages.success(request, _("Begäran om godkännande är tillbakatagen."))
    return redirect("draft", asked_draft_id)


@login_required
@require_safe
def file(request: PersonRequest, asked_draft_id: int, draft_file_id: int) -> FileResponse:
    """A file of a draft as a download, for those who work on the draft."""
    rows = access.drafts_to_work_on(request.user).select_related("mailbox")
    draft = get_object_or_404(rows, pk=asked_draft_id)
    row = get_object_or_404(draft.attachments.select_related("draft__mailbox"), pk=draft_file_id)
    mailbox = draft.mailbox
    access_log.record(
        request.user,
        "attachment-opened",
        mailbox.participant_id,
        mailbox=mailbox,
        conversation=access_log.conversation_of(draft),
        draft=str(draft.key),
        sha256=row.sha256,
    )
    response = FileResponse(blobs.open_stored(row.file_name, row.binding))
    return guarded(response, row.content_type, saved_as=row.name)


def _open_request(person: Person, draft_id: int) -> ApprovalRequest | None:
    rows = access.approval_requests_to_answer(person).filter(draft=draft_id)
    return rows.select_related(
        "asked_by", "draft__mailbox", "draft__owner", "draft__answers__conversation__mailbox"
    ).first()


def _page(
    request: PersonRequest,
    asked: ApprovalRequest,
    *,
    looked_at: int | None = None,
    errors: dict[str, str] | None = None,
    has_changed: bool = False,
    status: int = 200,
) -> HttpResponse:
    """The page on which a request is answered. `looked_at` is the request that was shown before."""
    draft, sender = asked.draft, asked.asked_by or request.user
    earlier = shown.earlier_request(asked, looked_at)
    context: dict[str, Any] = review_context(request, draft, sender=sender) | {
        "asked": asked,
        "approver": request.user,
        "earlier": earlier,
        "changes": shown.changes_between(earlier.content, asked.content) if earlier else None,
        # Without a trace of it the draft says something else than what was asked for: it is not approved.
        "is_as_asked": content_of(draft, asked.asked_by) == asked.content,
        "whole_text": draft.text,
        "errors": errors or {},
        "has_changed": has_changed,
        "longest": acts.LONGEST_REASON,
        "reason": request.POST.get("reason", ""),
    }
    return render(request, "approval/answer.html", context, status=status)


def _no_request(request: PersonRequest, draft_id: int, *, looked_at: int | None = None) -> HttpResponse:
    """The person has nothing to answer: the request has ended, or it is not theirs to answer."""
    rows = access.drafts_to_work_on(request.user).select_related("mailbox", "answers__conversation")
    draft: Draft | None = rows.filter(pk=draft_id).first()
    if draft is None:
        return redirect_missing_draft(request, draft_id)
    latest = draft.approval_requests.select_related("asked_by", "decided_by", "draft__mailbox").last()
    if request.method != "POST" or latest is None:
        return redirect("draft", draft_id)
    looked = draft.approval_requests.select_related("draft__mailbox").filter(pk=looked_at or 0).first()
    access_log.record_draft_opened(request.user, draft)
    changes = None
    if looked is not None and latest.asked_by is not None:
        changes = shown.changes_between(looked.content, content_of(draft, latest.asked_by))
    context = {"draft": draft, "mailbox": draft.mailbox, "latest": latest, "changes": changes}
    return render(request, "approval/ended.html", context, status=409)
