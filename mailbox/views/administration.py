"""Administration of an organisation's mailboxes, members and people."""

from functools import wraps
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from transport.message_service.models import Organisation

from .. import access, administration
from ..models import AccessLogEntry, Membership, Person

_MINIMUM_SUBJECT = 4


def administrator_required(view: Any) -> Any:
    """404 for everybody who administers nothing: the pages do not exist for them."""

    @login_required
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not access.administered_by(request.user):
            raise Http404
        response: HttpResponse = view(request, *args, **kwargs)
        return response

    return checked


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def overview(request: HttpRequest) -> HttpResponse:
    """Mailboxes and people; POST makes a mailbox."""
    errors: dict[str, str] = {}
    if request.method == "POST":
        errors = _make_mailbox(request)
        if not errors:
            return redirect("administration")
    organisations = Organisation.objects.filter(participant_id__in=access.administered_by(request.user))
    context = {
        "organisations": organisations.order_by("name"),
        "mailboxes": administration.mailboxes_administered_by(request.user).prefetch_related("memberships"),
        "people": administration.people_administered_by(request.user),
        "errors": errors,
        "given": request.POST,
    }
    return render(request, "administration/overview.html", context, status=422 if errors else 200)


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def mailbox(request: HttpRequest, mailbox_id: int) -> HttpResponse:
    """A mailbox and its members; POST adds one."""
    box = get_object_or_404(administration.mailboxes_administered_by(request.user), pk=mailbox_id)
    errors: dict[str, str] = {}
    if request.method == "POST":
        subject, name = request.POST.get("subject", "").strip(), request.POST.get("name", "").strip()
        if len(subject) < _MINIMUM_SUBJECT:
            errors["subject"] = _("Skriv personens identitet i e-legitimationen, till exempel personnummer.")
        if not name:
            errors["name"] = _("Skriv personens namn.")
        if not errors:
            administration.add_member(_actor(request), box, subject, name[:256])
            messages.success(request, _("Personen är nu medlem."))
            return redirect("administration-mailbox", box.pk)
    context = {
        "mailbox": box,
        "members": box.memberships.select_related("person").order_by("person__name"),
        "errors": errors,
        "given": request.POST,
    }
    return render(request, "administration/mailbox.html", context, status=422 if errors else 200)


@administrator_required
@require_POST
def set_open(request: HttpRequest, mailbox_id: int) -> HttpResponse:
    """Open or close a mailbox."""
    box = get_object_or_404(administration.mailboxes_administered_by(request.user), pk=mailbox_id)
    administration.set_open(_actor(request), box, is_open=request.POST.get("open") == "1")
    messages.success(request, _("Brevlådan är öppen.") if box.is_open else _("Brevlådan är stängd."))
    return redirect("administration-mailbox", box.pk)


@administrator_required
@require_POST
def remove_member(request: HttpRequest, membership_id: int) -> HttpResponse:
    """End a membership."""
    boxes = administration.mailboxes_administered_by(request.user)
    membership = get_object_or_404(Membership.objects.filter(mailbox__in=boxes), pk=membership_id)
    administration.remove_member(_actor(request), membership)
    messages.success(request, _("Medlemskapet är avslutat."))
    return redirect("administration-mailbox", membership.mailbox_id)


@administrator_required
@require_POST
def set_locked(request: HttpRequest, person_id: int) -> HttpResponse:
    """Lock or unlock a person; nobody locks themselves out."""
    person = get_object_or_404(administration.people_administered_by(request.user), pk=person_id)
    if person.pk == request.user.pk:
        messages.error(request, _("Du kan inte spärra dig själv."))
    else:
        is_locked = request.POST.get("locked") == "1"
        administration.set_locked(_actor(request), person, is_locked=is_locked)
        messages.success(request, _("Personen är spärrad.") if is_locked else _("Spärren är hävd."))
    return redirect("administration")


@administrator_required
@require_safe
def log(request: HttpRequest) -> HttpResponse:
    """Who changed what, the latest first."""
    events = (
        AccessLogEntry.objects.filter(
            participant_id__in=access.administered_by(request.user), what__in=_EVENT_NAMES
        )
        .select_related("actor", "person", "mailbox")
        .order_by("-at", "-pk")[:200]
    )
    for event in events:
        event.what_in_words = _EVENT_NAMES.get(event.what, event.what)  # type: ignore[attr-defined]
    return render(request, "administration/log.html", {"events": events})


_EVENT_NAMES = {
    "mailbox-created": "Brevlådan skapades",
    "mailbox-opened": "Brevlådan öppnades",
    "mailbox-closed": "Brevlådan stängdes",
    "person-added": "Personen lades till",
    "member-added": "Blev medlem",
    "member-removed": "Medlemskapet avslutades",
    "person-locked": "Personen spärrades",
    "person-unlocked": "Spärren hävdes",
    "record-bundle-made": "Arkivpaket gjordes",
}


def _make_mailbox(request: HttpRequest) -> dict[str, str]:
    participant = request.POST.get("organisation", "")
    address = request.POST.get("address", "").strip()
    name = request.POST.get("name", "").strip()
    if participant not in access.administered_by(request.user):
        raise Http404
    errors = {}
    if not address or len(address) > 500:
        errors["address"] = _("Skriv funktionsadressen så som den står i federationens adressbok.")
    if not name or len(name) > 256:
        errors["name"] = _("Skriv ett namn på högst 256 tecken.")
    if errors:
        return errors
    try:
        administration.open_mailbox(_actor(request), participant, address, name)
    except administration.AddressTaken:
        return {"address": _("Det finns redan en brevlåda för den funktionsadressen.")}
    messages.success(request, _("Brevlådan är skapad."))
    return {}


def _actor(request: HttpRequest) -> Person:
    return cast(Person, request.user)
