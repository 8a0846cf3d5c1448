"""Certificates: what each is used for and until when, requests for new ones, and taking them in."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from mailbox import access
from mailbox.administration import certificates as administration_certificates
from mailbox.requests import PersonRequest
from transport.message_service.api import WARNING_DAYS, CertificateRefused, Organisation, OrganisationKey

from .pages import actor, administrator_required, organisations_of, page

_LARGEST = 256 * 1024
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
def begin(request: PersonRequest) -> HttpResponse:
    """Make a key and a request."""
    organisation, purpose = _organisation(request), _purpose(request)
    if organisation is None or purpose is None:
        return _page(request, {"purpose": _("Välj organisation och ändamål.")})
    number = request.POST.get("number", "").strip()[:64]
    administration_certificates.request(actor(request), organisation, purpose, number)
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
def take(request: PersonRequest) -> HttpResponse:
    """Take a certificate, or PKCS#12."""
    organisation, upload = _organisation(request), request.FILES.get("certificate")
    try:
        if organisation is None or upload is None:
            raise CertificateRefused("no-file")
        if (upload.size or 0) > _LARGEST:
            raise CertificateRefused("too-large")
        administration_certificates.take(
            actor(request),
            organisation,
            upload.read(),
            _purpose(request),
            request.POST.get("passphrase", ""),
        )
    except CertificateRefused as refused:
        return _page(request, {"certificate": _REASONS.get(refused.reason, refused.reason)})
    messages.success(request, _("Certifikatet är inläst. Det används när CertPub har publicerat det."))
    return redirect("administration-certificates")


def _page(request: PersonRequest, errors: dict[str, object]) -> HttpResponse:
    now = timezone.now()
    held = [
        {
            "one": one,
            "holder": _HOLDERS[one.holder],
            "use": _USES[one.use],
            "days": one.days_left(now),
            "is_near": one.is_needed and one.days_left(now) < max(WARNING_DAYS),
        }
        for one in administration_certificates.certificates_seen_by(request.user)
    ]
    context = {
        "held": held,
        "near": [each for each in held if each["is_near"]],
        "requests": administration_certificates.requests_of(request.user),
        "organisations": organisations_of(access.administered_by(request.user)),
        "errors": errors,
    }
    return page(request, "administration/certificates.html", context, status=422 if errors else 200)


def _organisation(request: PersonRequest) -> Organisation | None:
    asked = request.POST.get("organisation", "")
    found = [
        one for one in organisations_of(access.administered_by(request.user)) if one.participant_id == asked
    ]
    return found[0] if found else None


def _purpose(request: PersonRequest) -> OrganisationKey.Purpose | None:
    asked = request.POST.get("purpose", "")
    return OrganisationKey.Purpose(asked) if asked in OrganisationKey.Purpose.values else None
