"""The pages of directory services: tokens, groups and the mailboxes that they give, and what went wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from mailbox import access
from mailbox.administration.forms import PageForm, midnight
from mailbox.administration.views.guards import administrator_required
from mailbox.administration.views.layout import chosen_organisation, organisations_of, page
from mailbox.forms import first_errors
from mailbox.models import (
    DirectoryFailure,
    DirectoryGroup,
    DirectoryGroupMapping,
    DirectoryToken,
    DirectoryUser,
    FunctionMailbox,
)
from mailbox.requests import PersonRequest
from transport.message_service.api import Organisation

from . import memberships, tokens
from .answering import service_address
from .attributes import DISPLAY_NAME
from .forms import ButtonForm, MappingForm, TokenForm

_GROUPS_ON_A_PAGE: Final = 50
_FAILURES_SHOWN: Final = 50
_REASONS: Final[Mapping[str, str | Promise]] = {
    "invalidSyntax": lazy("det gick inte att tolka"),
    "invalidValue": lazy("ett värde saknades eller var ogiltigt"),
    "invalidFilter": lazy("filtret stöds inte"),
    "invalidPath": lazy("sökvägen i ändringen gick inte att tolka"),
    "noTarget": lazy("det framgick inte vad som skulle tas bort"),
    "mutability": lazy("uppgiften får inte tas bort"),
    "uniqueness": lazy("uppgiften finns redan hos en annan"),
    "400": lazy("det gick inte att tolka"),
    "401": lazy("nyckeln gäller inte"),
    "404": lazy("användaren eller gruppen finns inte"),
    "405": lazy("det går inte att göra så"),
    "412": lazy("uppgiften hade ändrats under tiden"),
    "413": lazy("det som skickades var för stort"),
    "415": lazy("det som skickades var inte SCIM"),
}


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as the page shows it; `state` is revoked, ended, waiting or open."""

    token: DirectoryToken
    organisation: str
    state: str
    is_own: bool


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group: its name, how many are in it, and the mailboxes that it gives."""

    key: int
    name: str
    organisation: str
    user_count: int
    mappings: list[DirectoryGroupMapping]


@dataclass(frozen=True, slots=True)
class MappingRow:
    """A mailbox that a group gives; `is_confirmable` if the reader's confirmation would count."""

    mapping: DirectoryGroupMapping
    is_confirmable: bool


@dataclass(frozen=True, slots=True)
class FailureRow:
    """What was refused, in words."""

    failure: DirectoryFailure
    reason: str | Promise


@administrator_required
@sensitive_variables("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def overview(request: PersonRequest) -> HttpResponse:
    """Tokens, groups and errors; POST makes a token, whose secret the answering page alone shows."""
    organisations = organisations_of(access.administered_by(request.user))
    if request.method != "POST":
        return _overview(request, organisations)
    form = TokenForm(request.POST)
    form.full_clean()
    organisation = chosen_organisation(form, organisations)
    if organisation is None or not form.is_valid():
        return _overview(request, organisations, errors=first_errors(form))
    given = form.cleaned_data
    _token, secret = tokens.make(
        request.user,
        organisation.participant_id,
        given["name"],
        midnight(given["until"] + timedelta(days=1)),
    )
    return _overview(request, organisations, secret=secret)


@administrator_required
@require_POST
def answer_token(request: PersonRequest, token_id: int) -> HttpResponse:
    """Confirm another administrator's token, or revoke one."""
    rows = DirectoryToken.objects.filter(participant_id__in=access.administered_by(request.user))
    token = get_object_or_404(rows, pk=token_id)
    if ButtonForm(request.POST).pressed() == "confirm":
        try:
            if tokens.confirm(request.user, token):
                messages.success(request, _("Nyckeln är bekräftad och gäller nu."))
            else:
                messages.error(request, _("Nyckeln är redan bekräftad, eller gäller inte längre."))
        except tokens.OwnToken:
            messages.error(request, _("Någon annan än den som skapade nyckeln måste bekräfta den."))
    else:
        tokens.revoke(request.user, token)
        messages.success(request, _("Nyckeln gäller inte längre."))
    return redirect("administration-directory")


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def group(request: PersonRequest, group_id: int) -> HttpResponse:
    """A group and the mailboxes that it gives; POST adds one."""
    shown = get_object_or_404(_groups_of(request), pk=group_id)
    boxes = FunctionMailbox.objects.filter(participant_id=shown.participant_id)
    errors: Mapping[str, str] = {}
    if request.method == "POST":
        form = MappingForm(request.POST)
        mailbox = boxes.filter(pk=form.cleaned_data["mailbox"]).first() if form.is_valid() else None
        if form.is_valid() and mailbox is None:
            form.add_error("mailbox", _("Välj en brevlåda."))
        if mailbox is not None:
            try:
                memberships.make_mapping(request.user, shown, mailbox, form.cleaned_data["role"])
            except memberships.AlreadyMapped:
                form.add_error("mailbox", _("Gruppen ger redan den brevlådan."))
            else:
                messages.success(request, _("Gruppens användare är nu medlemmar i brevlådan."))
                return redirect("administration-directory-group", shown.pk)
        errors = first_errors(form)
    rows = shown.mappings.select_related("mailbox", "made_by", "confirmed_by").order_by("mailbox__name", "pk")
    context = {
        "group": shown,
        "name": shown.attributes.get(DISPLAY_NAME, ""),
        "user_count": shown.members.count(),
        "mappings": [
            MappingRow(row, row.confirmed_by_id is None and row.made_by_id != request.user.pk) for row in rows
        ],
        "mailboxes": boxes.exclude(directory_group_mappings__group=shown).order_by("name", "pk"),
        "given": request.POST,
        "errors": errors,
    }
    return page(request, "provisioning/group.html", context, status=422 if errors else 200)


@administrator_required
@require_POST
def answer_mapping(request: PersonRequest, mapping_id: int) -> HttpResponse:
    """Confirm another administrator's mapping of a group to a mailbox, or remove one."""
    rows = DirectoryGroupMapping.objects.filter(group__in=_groups_of(request))
    mapping = get_object_or_404(rows.select_related("group", "mailbox"), pk=mapping_id)
    group_id = mapping.group_id
    if ButtonForm(request.POST).pressed() == "confirm":
        if memberships.confirm_mapping(request.user, mapping):
            messages.success(request, _("Kopplingen är bekräftad."))
        else:
            messages.error(request, _("Någon annan än den som gjorde kopplingen måste bekräfta den."))
    else:
        memberships.remove_mapping(request.user, mapping)
        messages.success(request, _("Kopplingen är borttagen, och de medlemskap som bara den gav."))
    return redirect("administration-directory-group", group_id)


def _overview(
    request: PersonRequest,
    organisations: list[Organisation],
    *,
    secret: str = "",
    errors: Mapping[str, str] | None = None,
) -> HttpResponse:
    names = {row.participant_id: row.name for row in organisations}
    own = DirectoryToken.objects.filter(participant_id__in=names).select_related("made_by", "confirmed_by")
    counted = _groups_of(request).annotate(user_count=Count("members")).order_by("pk")
    paginator = Paginator(counted, _GROUPS_ON_A_PAGE)
    groups = paginator.get_page(PageForm(request.GET).understood()["page"])
    failures = DirectoryFailure.objects.filter(
        participant_id__in=names, last_at__gte=tokens.failures_since()
    )[:_FAILURES_SHOWN]
    context = {
        "organisations": organisations,
        "address": service_address(request),
        "secret": secret,
        "tokens": [
            TokenRow(row, names[row.participant_id], _state_of(row), row.made_by_id == request.user.pk)
            for row in own
        ],
        "user_count": DirectoryUser.objects.filter(participant_id__in=names).count(),
        "inactive_count": DirectoryUser.objects.filter(participant_id__in=names, is_active=False).count(),
        "group_count": paginator.count,
        "groups": _rows_of(list(groups.object_list), names),
        "page_of_groups": groups,
        "failures": [FailureRow(row, _REASONS.get(row.reason, row.reason)) for row in failures],
        "given": request.POST if errors else {},
        "errors": errors or {},
    }
    response = page(request, "provisioning/overview.html", context, status=422 if errors else 200)
    if secret:
        response.headers["Cache-Control"] = "private, no-store"
    return response


def _rows_of(groups: list[Any], names: Mapping[str, str]) -> list[GroupRow]:
    mappings: dict[int, list[DirectoryGroupMapping]] = {}
    found = DirectoryGroupMapping.objects.filter(group__in=groups).select_related("mailbox")
    for mapping in found.order_by("mailbox__name", "pk"):
        mappings.setdefault(mapping.group_id, []).append(mapping)
    return [
        GroupRow(
            row.pk,
            row.attributes.get(DISPLAY_NAME, ""),
            names[row.participant_id],
            row.user_count,
            mappings.get(row.pk, []),
        )
        for row in groups
    ]


def _groups_of(request: PersonRequest) -> QuerySet[DirectoryGroup]:
    """The groups of the organisations that the person administers."""
    return DirectoryGroup.objects.filter(participant_id__in=access.administered_by(request.user))


def _state_of(token: DirectoryToken) -> str:
    if token.revoked_at is not None:
        return "revoked"
    if tokens.is_in_force(token):
        return "open"
    return "waiting" if tokens.is_waiting(token) else "ended"
