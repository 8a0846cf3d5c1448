"""The organisation's own function addresses, and what the federation's address book has of them."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from addressbook import register
from addressbook.models import OwnFunction, SyncRun
from mailbox import access, access_log
from mailbox.administration import functions as administration_functions
from mailbox.administration.csv_export import sheet
from mailbox.requests import PersonRequest

from .pages import actor, administrator_required, organisations_of, page, tell_of_second

FIELD_NAMES = {
    "name": gettext_lazy("namn"),
    "description": gettext_lazy("beskrivning"),
    "categories": gettext_lazy("kategorier"),
    "search_words": gettext_lazy("sökord"),
}
_REASONS = {
    "too-large": gettext_lazy("Filen är för stor."),
    "not-utf-8": gettext_lazy("Filen är inte sparad som UTF-8."),
    "unreadable": gettext_lazy("Det går inte att läsa som CSV eller JSON."),
    "too-many-cells": gettext_lazy("Raden har fler fält än första raden."),
    "columns": gettext_lazy("Första raden ska ha kolumnerna identifier och name."),
    "twice": gettext_lazy("Samma funktionsadress står flera gånger."),
    "no-identifier": gettext_lazy("Funktionsadressen saknas."),
    "no-name": gettext_lazy("Namnet saknas."),
    "long-identifier": gettext_lazy("Funktionsadressen är för lång."),
    "long-name": gettext_lazy("Namnet är för långt."),
    "signs-identifier": gettext_lazy("Funktionsadressen har tecken som inte kan visas."),
    "signs-name": gettext_lazy("Namnet har tecken som inte kan visas."),
    "signs-description": gettext_lazy("Beskrivningen har tecken som inte kan visas."),
    "signs-categories": gettext_lazy("En kategori har tecken som inte kan visas, eller för många streck."),
    "signs-search_words": gettext_lazy("Ett sökord har tecken som inte kan visas."),
    "long-description": gettext_lazy("Beskrivningen är för lång."),
}


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def functions(request: PersonRequest) -> HttpResponse:
    """The register; POST adds a function."""
    errors: dict[str, str] = {}
    organisations = access.administered_by(request.user)
    if request.method == "POST":
        participant = request.POST.get("organisation", "")
        entry, errors = _entry(request)
        if participant not in organisations:
            errors["organisation"] = _("Välj organisation.")
        if entry is not None and not errors:
            try:
                function = administration_functions.create(actor(request), participant, entry)
            except administration_functions.IdentifierTaken:
                errors["identifier"] = _("Funktionsadressen finns redan.")
            else:
                messages.success(request, _("Funktionsadressen är upplagd."))
                return redirect("administration-function", function.pk)
    return _register(request, errors)


def _register(request: PersonRequest, errors: dict[str, str]) -> HttpResponse:
    """The page of the register, with what is wrong in one of its forms."""
    context = {
        "functions": _own(request),
        "organisations": organisations_of(access.administered_by(request.user)),
        "errors": errors,
        "given": request.POST,
    }
    return page(request, "administration/functions.html", context, status=422 if errors else 200)


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def function(request: PersonRequest, function_id: int) -> HttpResponse:
    """A function; POST changes it."""
    one = get_object_or_404(_own(request), pk=function_id)
    errors: dict[str, str] = {}
    if request.method == "POST":
        entry, errors = _entry(request, identifier=one.identifier)
        if entry is not None and not errors:
            administration_functions.change(actor(request), one, entry)
            messages.success(request, _("Funktionsadressen är sparad."))
            return redirect("administration-function", one.pk)
    context = {
        "function": one,
        "categories": "\n".join(map(register.category_text, one.categories)),
        "search_words": "\n".join(one.search_words),
        "others": _own(request).filter(participant_id=one.participant_id, closed_at=None).exclude(pk=one.pk),
        "errors": errors,
        "given": request.POST,
    }
    return page(request, "administration/function.html", context, status=422 if errors else 200)


@administrator_required
@require_POST
def close(request: PersonRequest, function_id: int) -> HttpResponse:
    """Close a function, with a successor where there is one."""
    one = get_object_or_404(_own(request).filter(closed_at=None), pk=function_id)
    chosen = request.POST.get("successor", "")
    is_number = chosen.isascii() and chosen.isdigit() and len(chosen) < 19
    successor = _own(request).filter(pk=int(chosen)).first() if is_number else None
    try:
        is_closed = administration_functions.close(actor(request), one, successor)
    except administration_functions.SuccessorUnfit:
        messages.error(request, _("Efterträdaren ska vara en annan öppen funktion i samma organisation."))
    else:
        if not is_closed:
            tell_of_second(request)
            return redirect("administration-function", one.pk)
        told = _("Funktionen är stängd och tar inte emot nya meddelanden.")
        if successor is not None:
            told += " " + _("De går till %(name)s.") % {"name": successor.name}
        messages.success(request, told)
    return redirect("administration-function", one.pk)


@administrator_required
@require_safe
def difference(request: PersonRequest) -> HttpResponse:
    """What has to be registered by hand on the federation's page."""
    found = []
    for organisation in organisations_of(access.administered_by(request.user)):
        told = register.difference(organisation.participant_id)
        to_change = [
            (own, theirs, ", ".join(str(FIELD_NAMES[name]) for name in names))
            for own, theirs, names in told.to_change
        ]
        found.append({"organisation": organisation, "difference": told, "to_change": to_change})
    run = SyncRun.objects.filter(error="", finished_at__isnull=False).first()
    return page(request, "administration/difference.html", {"found": found, "run": run})


@administrator_required
@require_safe
def export(request: PersonRequest) -> HttpResponseBase:
    """The register as CSV, or in the form of the federation's address book (`?form=json`)."""
    for participant in access.administered_by(request.user):
        access_log.note(actor(request), "functions-exported", participant)
    rows = _own(request)
    if request.GET.get("form") == "json":
        response = JsonResponse(
            register.as_json_api(rows), json_dumps_params={"ensure_ascii": False, "indent": 2}
        )
        response["Content-Disposition"] = 'attachment; filename="funktionsadresser.json"'
        return response
    return sheet(request, "funktionsadresser", register.COLUMNS, register.as_rows(rows))


@administrator_required
@require_POST
def take_in(request: PersonRequest) -> HttpResponse:
    """Add and change functions from a file, all or none."""
    participant = request.POST.get("organisation", "")
    upload = request.FILES.get("file")
    if participant not in access.administered_by(request.user) or upload is None:
        return _register(request, {"file": _("Välj organisation och fil.")})
    try:
        entries = register.read_file(upload.read(register.MOST_BYTES + 1))
    except register.FileRefused as refused:
        return _not_taken_in(request, f"{_where(refused)}{_REASONS[refused.reason]}")
    try:
        added, changed = administration_functions.take_in(actor(request), participant, entries)
    except administration_functions.SuccessorUnfit:
        unfit = _("En efterträdare ska vara en annan öppen funktion i samma organisation.")
        return _not_taken_in(request, unfit)
    messages.success(
        request,
        _("%(added)d nya och %(changed)d ändrade funktionsadresser.") % {"added": added, "changed": changed},
    )
    return redirect("administration-functions")


def _not_taken_in(request: PersonRequest, why: str) -> HttpResponse:
    return _register(request, {"file": f"{why} {_('Inget har lästs in.')}"})


def _where(refused: register.FileRefused) -> str:
    """Where in the file it is, in words before the reason."""
    if not refused.row:
        return ""
    told = _("Funktion nummer %(row)d i filen: ") if refused.is_item else _("Rad %(row)d: ")
    return told % {"row": refused.row}


def _own(request: PersonRequest) -> QuerySet[OwnFunction]:
    organisations = access.administered_by(request.user)
    return OwnFunction.objects.filter(participant_id__in=organisations).select_related("successor")


def _entry(request: PersonRequest, identifier: str = "") -> tuple[register.Entry | None, dict[str, str]]:
    given = request.POST
    try:
        entry = register.entry_of(
            identifier or given.get("identifier", ""),
            given.get("name", ""),
            given.get("description", ""),
            given.get("categories", ""),
            given.get("search_words", ""),
        )
    except register.FileRefused as refused:
        field = refused.reason.partition("-")[2]
        return None, {field: str(_REASONS[refused.reason])}
    return entry, {}
