"""What surrounds every page of administration: the side menu, and the main menu's link to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from mailbox import access
from mailbox.models import Membership, OrganisationRole
from mailbox.requests import PersonRequest
from transport.message_service.api import Organisation


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A link of the side menu; `current` is its `aria-current`, empty on other pages."""

    url: str
    text: str
    current: str


@dataclass(frozen=True, slots=True)
class MenuGroup:
    """A heading of the side menu and what is below it."""

    title: str
    items: list[MenuItem]


def page(
    request: PersonRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """A page of administration, with the side menu of the pages that the person has."""
    return render(request, template, {**context, "menu": _menu(request)}, status=status)


def main_menu_link(request: PersonRequest) -> dict[str, Any]:
    """The context processor of the main menu's link to administration, evaluated where it is shown."""
    return {"main_menu_link": SimpleLazyObject(lambda: _main_menu_link(request))}


def _main_menu_link(request: PersonRequest) -> dict[str, Any]:
    duties = access.duties_of(request.user)
    if duties & {Membership.Role.MANAGER, OrganisationRole.Role.ADMINISTRATOR}:
        url, text = reverse("administration"), _("Administration")
    elif OrganisationRole.Role.AUDITOR in duties:
        url, text = reverse("administration-access-log"), _("Åtkomstlogg")
    elif duties:
        url, text = reverse("department-figures"), _("Statistik")
    else:
        return {}
    return {"url": url, "text": text, "is_here": request.path.startswith(reverse("administration"))}


def warn_of_second_administrator(request: PersonRequest) -> None:
    """Say that a change waits for another administrator: it would bring others' messages to the actor."""
    messages.warning(
        request,
        _(
            "Meddelanden skulle börja gå till en brevlåda där du, eller någon som du har lagt till, är "
            "medlem. Därför gäller det först när en annan administratör har bekräftat."
        ),
    )


def organisations_of(participant_ids: list[str]) -> list[Organisation]:
    """Organisations of this node by name."""
    return list(Organisation.objects.filter(participant_id__in=participant_ids).order_by("name"))


def chosen_organisation(form: forms.Form, organisations: Sequence[Organisation]) -> Organisation | None:
    """The organisation that a cleaned form names; the form gets an error if it is none of these."""
    asked = form.cleaned_data.get("organisation")
    organisation = next((row for row in organisations if row.participant_id == asked), None)
    if organisation is None and "organisation" not in form.errors:
        form.add_error("organisation", _("Välj organisation."))
    return organisation


def _menu(request: PersonRequest) -> list[MenuGroup]:
    """The groups that hold something for the person; nothing where there is a single page."""
    is_manager = access.managed_by(request.user).exists()
    is_administrator = bool(access.administered_by(request.user))
    is_auditor = bool(access.audited_by(request.user))
    is_leader = access.LEADER in access.duties_of(request.user)
    groups = [
        (
            _("Brevlådor och personer"),
            [
                ("administration", _("Brevlådor"), is_manager),
                ("administration-people", _("Personer och roller"), is_administrator),
                ("administration-directory", _("Katalogtjänst"), is_administrator),
                ("administration-staffed-hours", _("Bemanning"), is_manager),
                ("administration-retention", _("Gallring"), is_administrator),
            ],
        ),
        (
            _("Statistik"),
            [
                ("administration-statistics", _("Brevlådornas statistik"), is_manager),
                ("department-figures", _("Avdelningarnas statistik"), is_administrator or is_leader),
                ("department-costs", _("Kostnader"), is_administrator or is_leader),
                ("departments", _("Avdelningar"), is_administrator),
                ("price-lists", _("Prislistor"), is_administrator),
            ],
        ),
        (
            _("Organisationen"),
            [
                ("administration-functions", _("Funktionsadresser"), is_administrator),
                ("administration-routing", _("Vägval"), is_administrator),
                ("administration-clients", _("Klienter"), is_administrator),
                ("administration-message-services", _("Andra meddelandetjänster"), is_administrator),
                ("administration-case-systems", _("Ärendesystem"), is_administrator),
                ("administration-certificates", _("Certifikat"), is_administrator),
                ("administration-identity", _("Namn och logotyp"), is_administrator),
            ],
        ),
        (
            _("Drift och loggar"),
            [
                ("administration-service-status", _("Driftläge"), is_administrator),
                ("administration-doctor", _("Driftkontroll"), is_administrator),
                ("administration-quarantine", _("Karantän"), is_administrator),
                ("administration-counterparts", _("Motparter"), is_administrator),
                ("transfer-log", _("Överföringar"), is_administrator or is_auditor),
                ("administration-log", _("Administrativ logg"), is_administrator),
                ("administration-access-log", _("Åtkomstlogg"), is_auditor),
            ],
        ),
    ]
    shown = [(title, [(reverse(name), text) for name, text, may in links if may]) for title, links in groups]
    urls = [url for _title, links in shown for url, _text in links]
    if len(urls) < 2:
        return []
    # The page that the person is on, or the one that it belongs to.
    here = max((url for url in urls if request.path.startswith(url)), key=len, default="")

    def item(url: str, text: str) -> MenuItem:
        return MenuItem(url, text, ("page" if url == request.path else "true") if url == here else "")

    return [MenuGroup(title, [item(*link) for link in links]) for title, links in shown if links]
