"""What the pages of administration share: whom they exist for, and the way between them."""

from collections.abc import Callable, Mapping
from datetime import datetime, time
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from mailbox import access
from mailbox.models import Membership, OrganisationRole, Person
from mailbox.requests import PersonRequest
from transport.message_service.api import Organisation
from transport.names import is_name

View = Callable[..., HttpResponseBase]


def _only_for(holds: Callable[[access.Viewer], Any]) -> Callable[[View], View]:
    """404 for everybody else: the pages do not exist for them."""

    def decorated(view: View) -> View:
        @login_required
        @wraps(view)
        def checked(request: PersonRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not holds(request.user):
                raise Http404
            return view(request, *args, **kwargs)

        return checked

    return decorated


administrator_required = _only_for(access.administered_by)
auditor_required = _only_for(access.audited_by)
log_reader_required = _only_for(access.logs_read_by)
manager_required = _only_for(lambda person: access.managed_by(person).exists())
anybody_with_a_task = _only_for(
    lambda person: (
        access.administered_by(person) or access.audited_by(person) or access.managed_by(person).exists()
    )
)


def page(
    request: PersonRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """A page of administration, with the others that the person has."""
    return render(request, template, {**context, "sections": _sections(request)}, status=status)


def way_in(request: PersonRequest) -> dict[str, Any]:
    """The main menu's link to what the person has to do besides messages, asked for where it is shown."""
    return {"way_in": SimpleLazyObject(lambda: _way_in(request))}


def _way_in(request: PersonRequest) -> dict[str, Any]:
    tasks = access.tasks_of(request.user)
    if tasks & {Membership.Role.MANAGER, OrganisationRole.Role.ADMINISTRATOR}:
        url, text = reverse("administration"), _("Administration")
    elif tasks:
        url, text = reverse("administration-access-log"), _("Åtkomstlogg")
    else:
        return {}
    return {"url": url, "text": text, "is_here": request.path.startswith(reverse("administration"))}


def actor(request: PersonRequest) -> Person:
    return request.user


def refused_signs(**given: str) -> dict[str, str]:
    """An error for each field whose text cannot stand as a name: line breaks, what turns the text around."""
    told = _("Ta bort radbrytningar och andra tecken som inte kan visas.")
    return {field: told for field, text in given.items() if not is_name(text)}


def tell_of_second(request: PersonRequest) -> None:
    """Say that what was asked for waits, since it would bring others' messages to who asked."""
    messages.warning(
        request,
        _(
            "Meddelanden skulle börja gå till en brevlåda där du, eller någon som du har lagt till, är "
            "medlem. Därför gäller det först när en annan administratör har bekräftat."
        ),
    )


def organisations_of(participant_ids: list[str]) -> list[Organisation]:
    return list(Organisation.objects.filter(participant_id__in=participant_ids).order_by("name"))


def day_of(text: str) -> datetime | None:
    """The midnight at which a day that a form gave begins; None where it is none."""
    try:
        day = parse_date(text)
    except ValueError:
        return None
    if day is None or not 1900 < day.year < 3000:
        return None
    return timezone.make_aware(datetime.combine(day, time.min))


def period_errors(asked: Mapping[str, str], first: str, last: str) -> dict[str, str]:
    """What is wrong with a period of which two fields give the first and the last day."""
    since, until = day_of(asked.get(first, "")), day_of(asked.get(last, ""))
    if since and until and until < since:
        return {last: _("Ange en dag som inte är före den första.")}
    return {}


def _sections(request: PersonRequest) -> list[dict[str, Any]]:
    person = request.user
    found = []
    if access.managed_by(person).exists():
        found.append(("administration", _("Brevlådor")))
        found.append(("administration-statistics", _("Statistik")))
    if access.administered_by(person):
        found.append(("administration-people", _("Personer och roller")))
        found.append(("administration-functions", _("Funktionsadresser")))
        found.append(("administration-routing", _("Vägval")))
        found.append(("administration-clients", _("Klienter")))
        found.append(("administration-retention", _("Gallring")))
        found.append(("administration-certificates", _("Certifikat")))
        found.append(("administration-quarantine", _("Karantän")))
        found.append(("administration-counterparts", _("Motparter")))
    if access.audited_by(person):
        found.append(("administration-access-log", _("Åtkomstlogg")))
    if access.logs_read_by(person):
        found.append(("transfer-log", _("Överföringar")))
    sections = [(reverse(name), text) for name, text in found]
    # Where the person is, or which section the page that they are on belongs to.
    here = max((url for url, _text in sections if request.path.startswith(url)), key=len, default="")
    return [
        {"url": url, "text": text, "current": ("page" if url == request.path else "true") * (url == here)}
        for url, text in sections
    ]
