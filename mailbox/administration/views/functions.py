"""The organisation's own function addresses, and what the federation's address book has of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from addressbook import register
from addressbook.models import FunctionAddress, OwnFunction, SyncRun
from mailbox import access, access_log
from mailbox.administration import functions as administration_functions
from mailbox.administration.forms import FUNCTION_ERRORS, FormatForm, FunctionForm, ImportForm, SuccessorForm
from mailbox.forms import first_errors, renamed
from mailbox.requests import PersonRequest
from mailbox.streaming import csv_response
from transport.message_service.api import Organisation

from .guards import administrator_required
from .layout import organisations_of, page, warn_of_second_administrator

FIELD_NAMES = {
    "name": gettext_lazy("namn"),
    "description": gettext_lazy("beskrivning"),
    "categories": gettext_lazy("kategorier"),
    "search_words": gettext_lazy("sökord"),
}


@dataclass(frozen=True, slots=True)
class OrganisationDifference:
    """What an organisation has to change in the federation's address book, with the fields in words."""

    organisation: Organisation
    difference: register.Difference
    to_change: list[tuple[OwnFunction, FunctionAddress, str]]


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def functions(request: PersonRequest) -> HttpResponse:
    """The register; POST adds a function."""
    errors: Mapping[str, str] = {}
    if request.method == "POST":
        form = FunctionForm(request.POST)
        form.full_clean()
        participant = form.cleaned_data.get("organisation", "")
        if participant not in access.administered_by(request.user):
            form.add_error("organisation", _("Välj organisation."))
        if form.is_valid():
            try:
                function = administration_functions.create(request.user, participant, form.entry())
            except administration_functions.IdentifierTaken:
                form.add_error("identifier", _("Funktionsadressen finns redan."))
            else:
                messages.success(request, _("Funktionsadressen är upplagd."))
                return redirect("administration-function", function.pk)
        errors = first_errors(form)
    return _register(request, errors)


def _register(request: PersonRequest, errors: Mapping[str, str]) -> HttpResponse:
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
    shown = get_object_or_404(_own(request), pk=function_id)
    errors: Mapping[str, str] = {}
    if request.method == "POST":
        form = FunctionForm(request.POST, identifier=shown.identifier)
        if form.is_valid():
            administration_functions.change(request.user, shown, form.entry())
            messages.success(request, _("Funktionsadressen är sparad."))
            return redirect("administration-function", shown.pk)
        errors = first_errors(form)
    others = _own(request).filter(participant_id=shown.participant_id, closed_at=None)
    context = {
        "function": shown,
        "categories": "\n".join(map(register.category_text, shown.categories)),
        "search_words": "\n".join(shown.search_words),
        "others": others.exclude(pk=shown.pk),
        "errors": errors,
        "given": request.POST,
    }
    return page(request, "administration/function.html", context, status=422 if errors else 200)


@administrator_required
@require_POST
def close(request: PersonRequest, function_id: int) -> HttpResponse:
    """Close a function, with a successor where there is one."""
    closing = get_object_or_404(_own(request).filter(closed_at=None), pk=function_id)
    key = SuccessorForm(request.POST).key()
    successor = _own(request).filter(pk=key).first() if key is not None else None
    try:
        is_closed = administration_functions.close(request.user, closing, successor)
    except administration_functions.SuccessorUnfit:
        messages.error(request, _("Efterträdaren ska vara en annan öppen funktion i samma organisation."))
    else:
        if not is_closed:
            warn_of_second_administrator(request)
            return redirect("administration-function", closing.pk)
        text = _("Funktionen är stängd och tar inte emot nya meddelanden.")
        if successor is not None:
            text += " " + _("De går till %(name)s.") % {"name": successor.name}
        messages.success(request, text)
    return redirect("administration-function", closing.pk)


@administrator_required
@require_safe
def compare(request: PersonRequest) -> HttpResponse:
    """What has to be registered by hand on the federation's page."""
    found = []
    for organisation in organisations_of(access.administered_by(request.user)):
        difference = administration_functions.difference(organisation.participant_id)
        to_change = [
            (own, theirs, ", ".join(str(FIELD_NAMES[name]) for name in names))
            for own, theirs, names in difference.to_change
        ]
        found.append(OrganisationDifference(organisation, difference, to_change))
    run = SyncRun.objects.filter(error="", finished_at__isnull=False).first()
    return page(request, "administration/difference.html", {"found": found, "run": run})


@administrator_required
@require_safe
def export(request: PersonRequest) -> HttpResponseBase:
    """The register as CSV, or in the form of the federation's address book (`?format=json`)."""
    for participant in access.administered_by(request.user):
        access_log.record(request.user, "functions-exported", participant)
    rows = _own(request)
    if FormatForm(renamed(request.GET, {"form": "format"})).understood()["format"] == "json":
        response = JsonResponse(
            register.as_json_api(rows), json_dumps_params={"ensure_ascii": False, "indent": 2}
        )
        response["Content-Disposition"] = 'attachment; filename="funktionsadresser.json"'
        return response
    return csv_response(request, "funktionsadresser", register.COLUMNS, register.as_rows(rows))


@administrator_required
@require_POST
def import_file(request: PersonRequest) -> HttpResponse:
    """Add and change functions from a file, all or none."""
    form = ImportForm(request.POST, request.FILES)
    form.full_clean()
    participant, upload = form.cleaned_data.get("organisation"), form.cleaned_data.get("file")
    if participant not in access.administered_by(request.user) or upload is None:
        return _register(request, {"file": _("Välj organisation och fil.")})
    try:
        entries = register.read_file(upload.read(register.MOST_BYTES + 1))
    except register.FileRefused as refused:
        return _not_imported(request, f"{_position(refused)}{FUNCTION_ERRORS[refused.reason]}")
    try:
        added, changed = administration_functions.import_entries(request.user, participant, entries)
    except administration_functions.SuccessorUnfit:
        unfit = _("En efterträdare ska vara en annan öppen funktion i samma organisation.")
        return _not_imported(request, unfit)
    messages.success(
        request,
        _("%(added)d nya och %(changed)d ändrade funktionsadresser.") % {"added": added, "changed": changed},
    )
    return redirect("administration-functions")


def _not_imported(request: PersonRequest, why: str) -> HttpResponse:
    return _register(request, {"file": f"{why} {_('Inget har lästs in.')}"})


def _position(refused: register.FileRefused) -> str:
    """Where in the file it is, in words before the reason."""
    if not refused.row:
        return ""
    text = _("Funktion nummer %(row)d i filen: ") if refused.is_item else _("Rad %(row)d: ")
    return text % {"row": refused.row}


def _own(request: PersonRequest) -> QuerySet[OwnFunction]:
    organisations = access.administered_by(request.user)
    return OwnFunction.objects.filter(participant_id__in=organisations).select_related("successor")
