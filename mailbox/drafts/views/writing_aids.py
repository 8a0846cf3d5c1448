"""What a mailbox writes with: signature, canned texts, distribution lists; and its mailings."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError, transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from addressbook.models import FunctionAddress
from addressbook.search import MINIMUM_LENGTH, search
from mailbox import access
from mailbox.drafts import canned_texts, distribution_lists, send_order
from mailbox.models import CannedText, DistributionList, FunctionMailbox, Person, WritingChoices
from mailbox.requests import PersonRequest
from transport.names import is_name

from .draft_form import number

_LONGEST_NAME = 100
_LONGEST_TEXT = 20_000
_PAGE = 50


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def writing(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """Signature, canned texts and lists of a mailbox; POST changes or adds one."""
    box = get_object_or_404(access.mailboxes_of(request.user), pk=mailbox_id)
    errors: dict[str, str] = {}
    if request.method == "POST":
        action = request.POST.get("action", "")
        if action == "undo-seconds":
            errors = _set_undo_seconds(request, box)
        elif action == "add-text":
            errors = _save_text(request, CannedText(mailbox=box))
        elif action == "add-list":
            made, errors = _make_list(request, box)
            if made is not None:
                return redirect("distribution-list", made.pk)
        else:
            errors = _set_signature(request, box)
        if not errors:
            return redirect("writing", box.pk)
    chosen = WritingChoices.objects.filter(mailbox=box).first()
    context = {
        "mailbox": box,
        "signature": request.POST.get("signature", chosen.signature if chosen else ""),
        "canned_texts": box.canned_texts.all(),
        "distribution_lists": box.distribution_lists.prefetch_related("recipients"),
        "placeholders": _placeholders(),
        "undo_seconds": send_order.undo_seconds(box),
        "most_seconds": send_order.MOST_UNDO_SECONDS,
        "manages": access.managed_by(request.user).filter(pk=box.pk).exists(),
        "errors": errors,
        "given": request.POST,
    }
    return render(request, "drafts/writing_aids.html", context, status=422 if errors else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def canned_text(request: PersonRequest, text_id: int) -> HttpResponse:
    """A canned text: changed or taken away."""
    rows = access.canned_texts_of(request.user).select_related("mailbox")
    row = get_object_or_404(rows, pk=text_id)
    box = row.mailbox
    errors: dict[str, str] = {}
    if request.method == "POST" and request.POST.get("action") == "remove":
        row.delete()
        messages.success(request, _("Texten är borttagen."))
        return redirect("writing", box.pk)
    if request.method == "POST":
        errors = _save_text(request, row)
        if not errors:
            return redirect("writing", box.pk)
    context = {
        "mailbox": box,
        "canned": row,
        "name": request.POST.get("name", row.name),
        "text": request.POST.get("text", row.text),
        "placeholders": _placeholders(),
        "errors": errors,
    }
    return render(request, "drafts/canned_text.html", context, status=422 if errors else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def distribution_list(request: PersonRequest, list_id: int) -> HttpResponse:
    """A distribution list: its recipients, added and taken away; renamed, or removed."""
    lists = access.distribution_lists_of(request.user)
    row = get_object_or_404(lists.select_related("mailbox"), pk=list_id)
    person = request.user
    errors: dict[str, str] = {}
    question = ""
    if request.method == "POST":
        action, _separator, argument = request.POST.get("action", "").partition(":")
        if action == "remove-list":
            box = row.mailbox
            row.delete()
            messages.success(request, _("Sändlistan är borttagen."))
            return redirect("writing", box.pk)
        question = request.POST.get("q", "") if action == "search" else ""
        errors = _change_list(request, row, action, argument, person)
        if not errors and not question:
            return redirect("distribution-list", row.pk)
    _found, gone = distribution_lists.recipients_on(row)
    context = {
        "mailbox": row.mailbox,
        "list": row,
        "recipients": row.recipients.all(),
        "gone": {one.pk for one in gone},
        "question": question,
        "hits": search(question) if question else [],
        "is_too_short": 0 < len(question) < MINIMUM_LENGTH,
        "choose": True,
        "errors": errors,
    }
    return render(request, "drafts/distribution_list.html", context, status=422 if errors else 200)


@login_required
@require_safe
def mailings(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """What was sent to several at once, the latest first, a page at a time."""
    box = get_object_or_404(access.mailboxes_of(request.user), pk=mailbox_id)
    rows = distribution_lists.mailings_of(box).select_related("written_by")
    before = number(request.GET.get("fore", ""))
    if before:
        rows = rows.filter(pk__lt=before)
    found = list(rows.prefetch_related("messages")[: _PAGE + 1])
    for one in found:
        sent = list(one.messages.all())
        one.subject, one.count = sent[0].subject, len(sent)  # type: ignore[attr-defined]
    after = found[_PAGE - 1].pk if len(found) > _PAGE else 0
    return render(
        request, "drafts/mailings.html", {"mailbox": box, "mailings": found[:_PAGE], "after": after}
    )


@login_required
@require_safe
def mailing(request: PersonRequest, mailing_id: int) -> HttpResponse:
    """Who has received and answered what was sent to several at once."""
    rows = access.mailings_of(request.user)
    row = get_object_or_404(rows.select_related("mailbox", "written_by"), pk=mailing_id)
    lines = distribution_lists.lines_of(row)
    if not lines:
        raise Http404
    context = {
        "mailbox": row.mailbox,
        "mailing": row,
        "subject": lines[0].message.subject,
        "lines": lines,
        "received": sum(line.is_received for line in lines),
        "answered": sum(line.is_answered for line in lines),
        "failed": sum(line.has_failed for line in lines),
        "draft": row.mailbox.drafts.filter(mailing=row).first(),
    }
    is_fragment = request.htmx
    return render(request, "drafts/_mailing.html" if is_fragment else "drafts/mailing.html", context)


def _placeholders() -> str:
    return ", ".join(f"{{{name}}}" for name in canned_texts.PLACEHOLDERS)


def _errors_of_text(text: str, field: str) -> dict[str, str]:
    unknown = canned_texts.unknown_in(text)
    if unknown:
        told = _("%(unknown)s kan inte fyllas i. Det som kan är %(known)s.")
        return {field: told % {"unknown": ", ".join(unknown), "known": _placeholders()}}
    if len(text) > _LONGEST_TEXT:
        return {field: _("Texten är för lång: högst %(n)s tecken.") % {"n": _LONGEST_TEXT}}
    return {}


def _set_signature(request: PersonRequest, box: FunctionMailbox) -> dict[str, str]:
    text = request.POST.get("signature", "").strip()
    errors = _errors_of_text(text, "signature")
    if not errors:
        row, _made = WritingChoices.objects.get_or_create(mailbox=box)
        row.signature = text
        row.save(update_fields=["signature"])
        messages.success(request, _("Signaturen är sparad. Den står i nya utkast."))
    return errors


def _set_undo_seconds(request: PersonRequest, box: FunctionMailbox) -> dict[str, str]:
    get_object_or_404(access.managed_by(request.user), pk=box.pk)
    told = request.POST.get("seconds", "").strip()
    if not (told.isascii() and told.isdecimal()) or int(told[:6]) > send_order.MOST_UNDO_SECONDS:
        most = send_order.MOST_UNDO_SECONDS
        return {"seconds": _("Skriv ett antal sekunder, mellan 0 och %(most)s.") % {"most": most}}
    row, _made = WritingChoices.objects.get_or_create(mailbox=box)
    row.undo_seconds = int(told[:6])
    row.save(update_fields=["undo_seconds"])
    messages.success(request, _("Ångertiden är sparad."))
    return {}


def _save_text(request: PersonRequest, row: CannedText) -> dict[str, str]:
    name, text = request.POST.get("name", "").strip(), request.POST.get("text", "").strip()
    errors = _errors_of_name(name) | _errors_of_text(text, "text")
    if not text:
        errors["text"] = _("Skriv en text.")
    if errors:
        return errors
    row.name, row.text, row.changed_by = name, text, request.user
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        return {"name": _("Det finns redan en text som heter så.")}
    messages.success(request, _("Texten är sparad."))
    return {}


def _make_list(
    request: PersonRequest, box: FunctionMailbox
) -> tuple[DistributionList | None, dict[str, str]]:
    name = request.POST.get("list_name", "").strip()
    errors = _errors_of_name(name, "list_name")
    if errors:
        return None, errors
    try:
        return distribution_lists.make(box, name, request.user), {}
    except distribution_lists.NameTaken:
        return None, {"list_name": _("Det finns redan en sändlista som heter så.")}


def _change_list(
    request: PersonRequest, row: DistributionList, action: str, argument: str, person: Person
) -> dict[str, str]:
    if action == "remove":
        row.recipients.filter(pk=number(argument)).delete()
    if action == "rename":
        name = request.POST.get("name", "").strip()
        errors = _errors_of_name(name)
        if errors:
            return errors
        try:
            distribution_lists.rename(row, name, person)
        except distribution_lists.NameTaken:
            return {"name": _("Det finns redan en sändlista som heter så.")}
        messages.success(request, _("Sändlistan har bytt namn."))
    if action == "add":
        functions = FunctionAddress.objects.select_related("organisation").filter(gone_at=None)
        function = functions.filter(pk=number(request.POST.get("recipient", ""))).first()
        if function is None:
            return {"recipient": _("Välj en mottagare bland träffarna.")}
        distribution_lists.add(row, function, person)
    return {}


def _errors_of_name(name: str, field: str = "name") -> dict[str, str]:
    if not name or len(name) > _LONGEST_NAME:
        return {field: _("Skriv ett namn på högst %(n)s tecken.") % {"n": _LONGEST_NAME}}
    if not is_name(name):
        return {field: _("Ta bort radbrytningar och andra tecken som inte kan visas.")}
    return {}
