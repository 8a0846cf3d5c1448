"""Looking a draft through before it is sent, the seconds in which that can be undone, and where it went."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from mailbox import access, access_log
from mailbox.conversations import presence
from mailbox.drafts import canned_texts, composer, message_builder, send_order
from mailbox.models import Draft
from mailbox.requests import PersonRequest
from mailbox.texts.message_text import rendered_beginning

from .draft_form import form, number, unseen_shown


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def check(request: PersonRequest, draft_id: int) -> HttpResponse:
    """The whole message as it would be sent; POST sends it."""
    rows = access.drafts_of(request.user).select_related("mailbox", "answers__conversation__mailbox")
    row = rows.filter(pk=draft_id).first()
    if row is None:
        return redirect_missing_draft(request, draft_id)
    if row.send_at is not None:
        return redirect("draft", row.pk)
    if request.method != "POST":
        try:
            message_builder.check(row)
        except composer.DraftIncomplete as incomplete:
            # What is missing is told in the form, where it can be filled in.
            return form(request, row, errors=incomplete.errors)
        presence.note_page(request.user, presence.of_draft(row))
        return _page(request, row)
    try:
        send_order.order(row.pk, _looked_through(request), request.user)
    except composer.DraftIncomplete as incomplete:
        return form(request, row, errors=incomplete.errors, status=422)
    except composer.DraftChanged:
        row.refresh_from_db()
        return _page(request, row, has_changed=True, status=409)
    except send_order.AnsweredMeanwhile:
        return _page(request, row, status=409)
    except send_order.NotConfirmed:
        error = _("Bekräfta att uppgifterna ska till mottagaren.")
        return _page(request, row, errors={"confirmed": error}, status=422)
    except composer.DraftOnItsWay:
        return redirect("draft", row.pk)
    except composer.DraftGone:
        return redirect_missing_draft(request, draft_id)
    presence.stop_writing(request.user, presence.of_draft(row))
    if not send_order.undo_seconds(row.mailbox) and not row.further_recipients.exists():
        send_order.send_if_due(row.pk)
        if send_order.sent_from(row.pk).exists():
            messages.success(request, _("Meddelandet skickas."))
    return redirect("draft", row.pk)


@login_required
@require_POST
def undo(request: PersonRequest, draft_id: int) -> HttpResponse:
    """Take back what is about to be sent."""
    get_object_or_404(access.drafts_of(request.user), pk=draft_id)
    try:
        send_order.undo(draft_id)
    except send_order.TooLateToUndo:
        messages.error(request, _("Det gick inte att ångra: meddelandet hann skickas."))
    else:
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
    seconds = (row.send_at - timezone.now()).total_seconds() if row.send_at else 0
    context = {
        "draft": row,
        "mailbox": row.mailbox,
        "recipients": message_builder.recipients_of(row),
        "seconds": max(0, round(seconds)),
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


def _looked_through(request: PersonRequest) -> send_order.LookedThrough:
    told = request.POST
    return send_order.LookedThrough(
        version=number(told.get("version", "")) or -1,
        attachments=frozenset(number(key) for key in told.get("attachments", "").split(",") if key),
        seen=number(told.get("seen", "")) or None,
        is_confirmed=told.get("confirmed") == "on",
    )


def _page(
    request: PersonRequest,
    row: Draft,
    *,
    errors: dict[str, str] | None = None,
    has_changed: bool = False,
    status: int = 200,
) -> HttpResponse:
    person = request.user
    unseen = unseen_shown(row)
    if unseen and row.answers is not None:
        access_log.note_opened(person, row.answers.conversation, is_by_itself=True)
    attachments = list(row.attachments.all())
    access_log.note_draft_opened(request.user, row)
    rendered, is_text_cut = rendered_beginning(row.text)
    context = {
        "draft": row,
        "mailbox": row.mailbox,
        "organisation": message_builder.own_name(row.mailbox),
        "recipients": message_builder.recipients_of(row),
        "references": [
            (_(message_builder.REFERENCE_KINDS.get(root, root)), value) for root, value in row.references
        ],
        "returned": message_builder.returned_references(row.answers),
        "rendered": rendered,
        "is_text_cut": is_text_cut,
        "attachments": attachments,
        "attachment_keys": ",".join(str(one.pk) for one in attachments),
        "left": canned_texts.placeholders_in(row.text),
        "asks": send_order.asks_once_more(row),
        "unseen": unseen,
        "newest": unseen[-1].pk if unseen else "",
        "seconds": send_order.undo_seconds(row.mailbox),
        "errors": errors or {},
        "has_changed": has_changed,
        "person": person,
    }
    return render(request, "drafts/check.html", context, status=status)
