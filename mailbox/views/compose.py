"""Writing and sending."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from addressbook import personal
from addressbook.models import FunctionAddress
from addressbook.search import MINIMUM_LENGTH, search

from .. import access, compose, presence
from ..compose import REFERENCE_KINDS, Content, DraftChanged, DraftGone, DraftIncomplete
from ..files import FileRefused, accepted_suffixes, room_for_files
from ..markdown import render as render_markdown
from ..models import Draft, Person

_MAX_VERSION_DIGITS = 10


@login_required
@require_POST
def write(request: HttpRequest, mailbox_id: int) -> HttpResponse:
    """Begin a draft."""
    mailbox = get_object_or_404(access.mailboxes_of(request.user), pk=mailbox_id)
    return redirect("draft", compose.begin(mailbox, request.user).pk)  # type: ignore[arg-type]


@login_required
@require_POST
def answer(request: HttpRequest, message_id: int) -> HttpResponse:
    """Begin an answer to a message, or go on with the one that was begun."""
    rows = access.messages_of(request.user).select_related("conversation__mailbox")
    message = get_object_or_404(rows, pk=message_id)
    return redirect("draft", compose.begin_answer(message, request.user).pk)  # type: ignore[arg-type]


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def draft(request: HttpRequest, draft_id: int) -> HttpResponse:
    """A draft: shown, saved, sent. Every button works without JavaScript."""
    row = access.drafts_of(request.user).select_related("mailbox", "answers").filter(pk=draft_id).first()
    if row is None:
        return render(request, "mailbox/draft_gone.html", status=404)
    place = presence.of_draft(row)
    if request.method != "POST":
        presence.note_page(request.user, place)
        return _form(request, row)
    action, _separator, argument = request.POST.get("action", "save").partition(":")
    if action in {"send", "discard"}:
        presence.stop_writing(request.user, place)
    told = request.POST.get("version", "")
    # A version that is none is nobody's: what was written is shown beside the draft, not saved over it.
    version = int(told) if told.isdecimal() and len(told) < _MAX_VERSION_DIGITS else -1
    content = Content.from_form(request.POST.dict())
    try:
        return _act(request, row, action, argument, version, content)
    except DraftChanged:
        row.refresh_from_db()
        return _form(request, row, theirs=content, status=409)
    except DraftGone:
        return render(request, "mailbox/draft_gone.html", status=404)


def _act(
    request: HttpRequest, row: Draft, action: str, argument: str, version: int, content: Content
) -> HttpResponse:
    person = cast(Person, request.user)
    if action == "autosave":
        saved = compose.save(row.pk, version, content, person)
        return JsonResponse({"version": saved.version})
    chosen = request.POST.get("recipient", "")
    if chosen.isdigit() and not row.recipient_address:
        saved = compose.save(row.pk, version, content, person)
        function = (
            FunctionAddress.objects.select_related("organisation").filter(pk=chosen, gone_at=None).first()
        )
        if function is not None:
            saved = compose.choose_recipient(row.pk, saved.version, function, person)
        version = saved.version
    refused = _attach_all(request, row)
    if action == "send" and not refused:
        try:
            conversation = compose.send(row.pk, version, content, person)
        except DraftIncomplete as incomplete:
            row.refresh_from_db()
            return _form(request, row, errors=incomplete.errors, status=422)
        messages.success(request, _("Meddelandet skickas."))
        return redirect("conversation", conversation.pk)
    if action == "discard":
        mailbox_id = row.mailbox_id
        compose.discard(row)
        messages.success(request, _("Utkastet är borttaget."))
        return redirect("mailbox", mailbox_id)
    saved = compose.save(row.pk, version, content, person)
    if action == "clear":
        compose.clear_recipient(row.pk, saved.version, person)
    if action == "detach" and argument.isdigit():
        compose.detach(get_object_or_404(row.attachments, pk=int(argument)))
    if refused:
        row.refresh_from_db()
        return _form(request, row, errors={"files": refused}, status=422)
    if action == "search":
        row.refresh_from_db()
        return _form(request, row, question=request.POST.get("q", ""))
    if action == "save":
        messages.success(request, _("Utkastet är sparat."))
    return redirect("draft", row.pk)


@login_required
@require_POST
def upload(request: HttpRequest, draft_id: int) -> HttpResponse:
    """Files that the page's script sends, one by one: the new list of attachments."""
    row = get_object_or_404(access.drafts_of(request.user), pk=draft_id)
    refused = _attach_all(request, row)
    if refused:
        return HttpResponse(refused, status=422, content_type="text/plain; charset=utf-8")
    return render(request, "mailbox/_attachments.html", {"draft": row})


@login_required
@require_POST
def preview(request: HttpRequest, draft_id: int) -> HttpResponse:
    """The text as the recipient will see it."""
    get_object_or_404(access.drafts_of(request.user), pk=draft_id)
    return render(
        request, "mailbox/_preview.html", {"rendered": render_markdown(request.POST.get("text", ""))}
    )


def _attach_all(request: HttpRequest, row: Draft) -> str:
    """Attach what came with the form; a text on what could not be, empty when all could."""
    refused = []
    for uploaded in request.FILES.getlist("files"):
        try:
            compose.attach(row, uploaded)
        except FileRefused as error:
            refused.append(f"{uploaded.name}: {_why(error.reason)}")
    return " ".join(refused)


def _why(reason: str) -> str:
    return {
        "type": _("filtypen kan inte bifogas. Spara den som PDF och försök igen."),
        "content": _("innehållet är inte av den typ som filnamnet säger."),
        "empty": _("filen är tom."),
        "malware": _(
            "skadlig kod hittades i filen, och den får inte skickas. Öppna den inte, och tala om det för er "
            "administratör."
        ),
        "unscannable": _("filen är större än vad som kan kontrolleras. Tala om det för er administratör."),
        "size": _("bilagorna blir större än meddelandet rymmer (30 MB)."),
    }[reason]


def _form(
    request: HttpRequest,
    row: Draft,
    *,
    errors: dict[str, str] | None = None,
    theirs: Content | None = None,
    question: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        "draft": row,
        "mailbox": row.mailbox,
        "errors": errors or {},
        "error_count": ngettext("%(n)d fel", "%(n)d fel", len(errors or {})) % {"n": len(errors or {})},
        "theirs": theirs.values if theirs else None,
        "reference_kinds": REFERENCE_KINDS.items(),
        "suffixes": ",".join(accepted_suffixes()),
        "room": room_for_files(),
        "question": question,
        "hits": search(question) if question else [],
        "suggestions": [] if question else personal.suggestions(request.user.pk or 0),
        "is_too_short": 0 < len(question) < MINIMUM_LENGTH,
        "choose": True,
    }
    return render(request, "mailbox/draft.html", context, status=status)
