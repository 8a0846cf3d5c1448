"""Certificates: what each is used for and until when, requests for new ones, and importing them."""

from collections.abc import Mapping
from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from mailbox import access
from mailbox.administration import certificates as administration_certificates
from mailbox.administration.forms import CertificateImportForm, CertificateRequestForm
from mailbox.forms import first_errors
from mailbox.requests import PersonRequest
from transport.message_service.api import (
    WARNING_DAYS,
    CertificateRefused,
    HeldCertificate,
    Organisation,
    OrganisationKey,
)

from .guards import administrator_required
from .layout import organisations_of, page

_LARGEST = 256 * 1024


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """A certificate as the page shows it; `is_near` is true where it has to be renewed soon."""

    certificate: HeldCertificate
    holder: Promise
    use: Promise
    days: int
    is_near: bool


_HOLDERS = {
    "organisation-signing": gettext_lazy("Organisationens signering"),
    "organisation-encryption": gettext_lazy("Organisationens kryptering"),
    "access-point": gettext_lazy("Accesspunkten"),
    "tls-client": gettext_lazy("TLS mot andra accesspunkter"),
}
_USES = {
    "signs": gettext_lazy("Signerar"),
    "opens": gettext_lazy("Öppnar det som kommer"),
    "signs-and-opens": gettext_lazy("Signerar och öppnar"),
    "shown": gettext_lazy("Visas upp"),
    "awaits-publication": gettext_lazy("Väntar på att publiceras i CertPub"),
    "still-opens": gettext_lazy("Öppnar fortfarande äldre"),
    "not-used": gettext_lazy("Används inte längre"),
}
_REASONS = {
    "too-large": gettext_lazy("Filen är för stor för att vara ett certifikat."),
    "no-file": gettext_lazy("Välj en fil."),
    "unreadable": gettext_lazy("Filen är varken ett certifikat (PEM eller DER) eller PKCS#12."),
    "passphrase": gettext_lazy("Lösenordet är inte filens."),
    "no-key": gettext_lazy("Filen saknar privat nyckel, eller det certifikat som hör till den."),
    "no-request": gettext_lazy("Ingen begäran härifrån väntar på det certifikatet."),
    "not-rsa": gettext_lazy("Nyckeln är inte RSA, som federationen kräver."),
    "expired": gettext_lazy("Certifikatet har gått ut."),
    "weak-key": gettext_lazy("Nyckeln är svagare än federationen godtar."),
    "key-usage": gettext_lazy("Certifikatet är inte utfärdat för det ändamålet."),
    "unknown-issuer": gettext_lazy("Utfärdaren hör inte till dem som den här installationen litar på."),
    "not-yet-valid": gettext_lazy("Certifikatet har inte börjat gälla."),
    "no-revocation-service": gettext_lazy("Certifikatet säger inte var det går att se om det är spärrat."),
    "revoked": gettext_lazy("Certifikatet är spärrat."),
}


@administrator_required
@require_safe
def certificates(request: PersonRequest) -> HttpResponse:
    """Everything there is, and the forms."""
    return _page(request, {})


@administrator_required
@require_POST
def request_certificate(request: PersonRequest) -> HttpResponse:
    """Make a key and a request for its certificate."""
    form = CertificateRequestForm(request.POST)
    organisation = _organisation(request, form)
    if organisation is None or not form.is_valid():
        errors = {"purpose": _("Välj organisation och ändamål.")}
        return _page(request, {**first_errors(form), **errors} if "number" in form.errors else errors)
    given = form.cleaned_data
    purpose = OrganisationKey.Purpose(given["purpose"])
    administration_certificates.request_certificate(request.user, organisation, purpose, given["number"])
    messages.success(request, _("Begäran är skapad. Hämta den och lämna den till utfärdaren."))
    return redirect("administration-certificates")


@administrator_required
@require_safe
def request_file(request: PersonRequest, request_id: str) -> HttpResponse:
    """The request as a file for the issuer: there is no key in it."""
    row = get_object_or_404(administration_certificates.requests_of(request.user), pk=request_id)
    response = HttpResponse(row.request, content_type="application/pkcs10")
    response["Content-Disposition"] = f'attachment; filename="{row.purpose}.csr"'
    return response


@administrator_required
@sensitive_post_parameters("passphrase")
@require_POST
def import_certificate(request: PersonRequest) -> HttpResponse:
    """Import a certificate, or a key and its certificate as PKCS#12."""
    form = CertificateImportForm(request.POST, request.FILES)
    form.full_clean()
    given, organisation = form.cleaned_data, _organisation(request, form)
    upload = given.get("certificate")
    try:
        if organisation is None or upload is None:
            raise CertificateRefused("no-file")
        if (upload.size or 0) > _LARGEST:
            raise CertificateRefused("too-large")
        if "passphrase" in form.errors:
            raise CertificateRefused("passphrase")
        purpose = OrganisationKey.Purpose(given["purpose"]) if given.get("purpose") else None
        administration_certificates.import_certificate(
            request.user, organisation, upload.read(), purpose, given["passphrase"]
        )
    except CertificateRefused as refused:
        return _page(request, {"certificate": _REASONS.get(refused.reason, refused.reason)})
    messages.success(request, _("Certifikatet är inläst. Det används när CertPub har publicerat det."))
    return redirect("administration-certificates")


def _page(request: PersonRequest, errors: Mapping[str, object]) -> HttpResponse:
    now = timezone.now()
    rows = [
        CertificateRow(
            certificate,
            _HOLDERS[certificate.holder],
            _USES[certificate.use],
            certificate.days_left(now),
            certificate.is_needed and certificate.days_left(now) < max(WARNING_DAYS),
        )
        for certificate in administration_certificates.certificates_seen_by(request.user)
    ]
    context = {
        "held": rows,
        "near": [row for row in rows if row.is_near],
        "requests": administration_certificates.requests_of(request.user),
        "organisations": organisations_of(access.administered_by(request.user)),
        "errors": errors,
    }
    return page(request, "administration/certificates.html", context, status=422 if errors else 200)


def _organisation(request: PersonRequest, form: forms.Form) -> Organisation | None:
    """The organisation that the form names, if the person administers it."""
    form.full_clean()
    asked = form.cleaned_data.get("organisation")
    administered = organisations_of(access.administered_by(request.user))
    return next((row for row in administered if row.participant_id == asked), None)
