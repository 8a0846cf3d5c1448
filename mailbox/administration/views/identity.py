"""The name and logo of an organisation: a page to choose them, and the logo as pages show it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from mailbox import access
from mailbox.administration import identity as administration_identity
from mailbox.administration.forms import IdentityForm
from mailbox.forms import first_errors
from mailbox.models import OrganisationIdentity
from mailbox.requests import PersonRequest
from transport.message_service.api import Organisation

from .guards import administrator_required
from .layout import organisations_of, page

_LOGO_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """An organisation, what it shows, and what was sent for it where something is wrong with that."""

    organisation: Organisation
    identity: OrganisationIdentity | None
    errors: Mapping[str, str]
    given_name: str


def organisation_identity(request: HttpRequest) -> dict[str, Any]:
    """The context processor of the head's name and logo, evaluated where they are shown."""
    return {"identity": SimpleLazyObject(lambda: administration_identity.shown_to(request.user))}


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def identity(request: PersonRequest) -> HttpResponse:
    """The name and logo of each organisation; POST sets those of one."""
    organisations = organisations_of(access.administered_by(request.user))
    asked, errors = "", dict[str, str]()
    if request.method == "POST":
        form = IdentityForm(request.POST, request.FILES)
        form.full_clean()
        asked = form.cleaned_data.get("organisation", "")
        if asked not in {row.participant_id for row in organisations}:
            raise Http404
        if _set(request, asked, form):
            messages.success(request, _("Namnet och logotypen är sparade."))
            return redirect("administration-identity")
        errors = dict(first_errors(form))
    chosen = {row.participant_id: row for row in OrganisationIdentity.objects.defer("logo")}
    given_name = request.POST.get("name", "") if errors else ""
    rows = [
        IdentityRow(
            row,
            chosen.get(row.participant_id),
            *((errors, given_name) if row.participant_id == asked else ({}, "")),
        )
        for row in organisations
    ]
    context = {"rows": rows, "errors": errors}
    return page(request, "administration/identity.html", context, status=422 if errors else 200)


def _set(request: PersonRequest, participant_id: str, form: IdentityForm) -> bool:
    """Set what a valid form says; False, with an error in the form, where the file is no logo."""
    if not form.is_valid():
        return False
    upload = form.cleaned_data["logo"]
    try:
        administration_identity.set_identity(
            request.user,
            participant_id,
            form.cleaned_data["name"],
            logo=upload.read(administration_identity.LARGEST_LOGO_BYTES + 1) if upload else None,
            removes_logo=form.cleaned_data["remove_logo"] == "1",
        )
    except administration_identity.LogoRefused:
        form.add_error("logo", _("Välj en bild i PNG eller JPEG på högst 200 kB."))
        return False
    return True


@require_safe
def logo(request: HttpRequest, identity_id: int) -> HttpResponse:
    """An organisation's logo: public, as the login page shows it."""
    row = get_object_or_404(OrganisationIdentity.objects.exclude(logo_digest=""), pk=identity_id)
    response = HttpResponse(bytes(row.logo or b""), content_type=row.logo_type)
    response["Cache-Control"] = f"public, max-age={_LOGO_SECONDS}"
    return response
