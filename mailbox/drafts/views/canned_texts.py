"""What a mailbox begins its messages from: signature, canned texts, and how its messages are sent."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from mailbox import access
from mailbox.drafts import canned_texts, distribution_lists, send_order, sent_copy
from mailbox.drafts.forms import AssigningForm, CannedTextForm, ListNameForm, SignatureForm, UndoSecondsForm
from mailbox.forms import first_errors
from mailbox.models import CannedText, FunctionMailbox, WritingChoices
from mailbox.requests import PersonRequest


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def writing(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """Signature, canned texts and lists of a mailbox; POST changes or adds one."""
    mailbox = get_object_or_404(access.mailboxes_to_work_in(request.user), pk=mailbox_id)
    form: forms.Form | None = None
    if request.method == "POST":
        form = _form_of(request, mailbox)
        if form.is_valid():
            answer = _save(request, mailbox, form)
            if answer is not None:
                return answer
    chosen = WritingChoices.objects.filter(mailbox=mailbox).first()
    context = {
        "mailbox": mailbox,
        "signature": request.POST.get("signature", chosen.signature if chosen else ""),
        "canned_texts": mailbox.canned_texts.all(),
        "distribution_lists": mailbox.distribution_lists.prefetch_related("recipients"),
        "placeholders": canned_texts.placeholder_names(),
        "undo_seconds": send_order.undo_seconds(mailbox),
        "most_seconds": send_order.MOST_UNDO_SECONDS,
        "assigns_on_answer": sent_copy.assigns_on_answer(mailbox),
        "manages": access.managed_by(request.user).filter(pk=mailbox.pk).exists(),
        "errors": first_errors(form) if form else {},
        "given": request.POST,
    }
    status = 422 if context["errors"] else 200
    return render(request, "drafts/canned_texts.html", context, status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def canned_text(request: PersonRequest, text_id: int) -> HttpResponse:
    """A canned text: changed or removed."""
    rows = access.canned_texts_of(request.user).select_related("mailbox")
    row = get_object_or_404(rows, pk=text_id)
    mailbox = row.mailbox
    form = CannedTextForm(request.POST or None)
    if request.method == "POST" and request.POST.get("action") == "remove":
        row.delete()
        messages.success(request, _("Texten är borttagen."))
        return redirect("writing", mailbox.pk)
    if request.method == "POST" and form.is_valid() and _save_text(request, row, form):
        return redirect("writing", mailbox.pk)
    errors = first_errors(form) if request.method == "POST" else {}
    context = {
        "mailbox": mailbox,
        "canned": row,
        "name": request.POST.get("name", row.name),
        "text": request.POST.get("text", row.text),
        "placeholders": canned_texts.placeholder_names(),
        "errors": errors,
    }
    return render(request, "drafts/canned_text.html", context, status=422 if errors else 200)


def _form_of(request: PersonRequest, mailbox: FunctionMailbox) -> forms.Form:
    """The form of the page whose button was pressed."""
    action = request.POST.get("action", "")
    if action in {"undo-seconds", "assigning"}:
        get_object_or_404(access.managed_by(request.user), pk=mailbox.pk)
    kinds: dict[str, type[forms.Form]] = {
        "undo-seconds": UndoSecondsForm,
        "assigning": AssigningForm,
        "add-text": CannedTextForm,
        "add-list": ListNameForm,
    }
    return kinds.get(action, SignatureForm)(request.POST)


def _save(request: PersonRequest, mailbox: FunctionMailbox, form: forms.Form) -> HttpResponse | None:
    """Save what was written; None, with the form's errors, where its name is taken."""
    values: dict[str, Any] = form.cleaned_data
    if isinstance(form, CannedTextForm):
        if not _save_text(request, CannedText(mailbox=mailbox), form):
            return None
    elif isinstance(form, ListNameForm):
        try:
            made = distribution_lists.create(mailbox, values["list_name"], request.user)
        except distribution_lists.NameTaken:
            form.add_error("list_name", _("Det finns redan en sändlista som heter så."))
            return None
        return redirect("distribution-list", made.pk)
    else:
        row, _made = WritingChoices.objects.get_or_create(mailbox=mailbox)
        if isinstance(form, UndoSecondsForm):
            row.undo_seconds = values["seconds"]
            row.save(update_fields=["undo_seconds"])
            messages.success(request, _("Ångertiden är sparad."))
        elif isinstance(form, AssigningForm):
            row.assigns_on_answer = values["assigns_on_answer"]
            row.save(update_fields=["assigns_on_answer"])
            messages.success(request, _("Valet är sparat."))
        else:
            row.signature = values["signature"]
            row.save(update_fields=["signature"])
            messages.success(request, _("Signaturen är sparad. Den står i nya utkast."))
    return redirect("writing", mailbox.pk)


def _save_text(request: PersonRequest, row: CannedText, form: CannedTextForm) -> bool:
    row.name, row.text = form.cleaned_data["name"], form.cleaned_data["text"]
    row.changed_by = request.user
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        form.add_error("name", _("Det finns redan en text som heter så."))
        return False
    messages.success(request, _("Texten är sparad."))
    return True
