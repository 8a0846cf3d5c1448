"""People of an organisation: what each holds, who is locked out, and who administers or audits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailbox import access
from mailbox.administration import mailboxes
from mailbox.administration.forms import PeopleForm, RoleForm, SwitchForm
from mailbox.administration.members.forms import PersonMembershipForm
from mailbox.forms import first_errors, renamed
from mailbox.models import Conversation, FunctionMailbox, Membership, OrganisationRole, Person
from mailbox.requests import PersonRequest

from .guards import administrator_required, any_duty_required
from .layout import organisations_of, page

_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person with what they hold in the organisations of whoever asks."""

    person: Person
    is_locked: bool
    roles: list[OrganisationRole]
    mailboxes: list[FunctionMailbox]


@administrator_required
@require_safe
def people(request: PersonRequest) -> HttpResponse:
    """Everybody with a membership or a role by name, a page at a time, and what they hold.

    `?after=` is the last person's key: a name stands in no address.
    """
    organisations = access.administered_by(request.user)
    everybody = mailboxes.people_administered_by(request.user)
    after = PeopleForm(renamed(request.GET, {"efter": "after"})).understood()["after"]
    last = everybody.filter(pk=after).first() if after is not None else None
    following = Q(name__gt=last.name) | Q(name=last.name, pk__gt=last.pk) if last else Q()
    found = list(
        everybody.filter(following).prefetch_related("organisation_roles", "memberships__mailbox", "locks")[
            : _PAGE + 1
        ]
    )
    shown = [
        PersonRow(
            person,
            any(lock.participant_id in organisations for lock in person.locks.all()),
            [role for role in person.organisation_roles.all() if role.participant_id in organisations],
            [
                membership.mailbox
                for membership in person.memberships.all()
                if membership.mailbox.participant_id in organisations
            ],
        )
        for person in found[:_PAGE]
    ]
    context = {"people": shown, "after": found[_PAGE - 1].pk if len(found) > _PAGE else None}
    return page(request, "administration/people.html", context)


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def person(request: PersonRequest, person_id: int) -> HttpResponse:
    """A person: memberships, roles, last login and access; POST makes them a member of a mailbox."""
    shown = get_object_or_404(mailboxes.people_administered_by(request.user), pk=person_id)
    errors: Mapping[str, str] = {}
    if request.method == "POST":
        errors = _add_to_mailbox(request, shown)
        if not errors:
            return redirect("administration-person", shown.pk)
    organisations = access.administered_by(request.user)
    boxes = mailboxes.mailboxes_administered_by(request.user).exclude(memberships__person=shown)
    memberships = shown.memberships.filter(mailbox__participant_id__in=organisations)
    context = _consequences(request, shown) | {
        "memberships": memberships.select_related("mailbox", "rule").order_by("mailbox__name", "pk"),
        "others": boxes.order_by("name", "pk"),
        "organisations": organisations_of(organisations),
        "may_name_auditors": set(access.audited_by(request.user)) & set(organisations),
        "is_self": shown.pk == request.user.pk,
        "errors": errors,
        "given": request.POST,
    }
    return page(request, "administration/person.html", context, status=422 if errors else 200)


def _add_to_mailbox(request: PersonRequest, shown: Person) -> Mapping[str, str]:
    """Make the person a member as the form says, or tell what is wrong with it."""
    given = request.POST.copy()
    given["person"] = str(shown.pk)
    form = PersonMembershipForm(given)
    form.full_clean()
    boxes = mailboxes.mailboxes_administered_by(request.user)
    box = boxes.filter(pk=form.cleaned_data.get("mailbox") or 0).first()
    if box is None:
        form.add_error("mailbox", _("Välj en brevlåda."))
    if not form.is_valid() or box is None:
        return first_errors(form)
    role = form.cleaned_data["role"] or Membership.Role.MEMBER
    try:
        mailboxes.add_known_member(request.user, box, shown, role=role, ends_at=form.ends_at())
    except mailboxes.RoleNotGrantable:
        return {"mailbox": _("Du kan inte göra dig själv till medlem. Be en annan ansvarig.")}
    messages.success(request, _("Personen är nu medlem."))
    return {}


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def set_locked(request: PersonRequest, person_id: int) -> HttpResponse:
    """What locking or unlocking a person leads to; POST does it. Nobody locks themselves out."""
    person = get_object_or_404(mailboxes.people_administered_by(request.user), pk=person_id)
    if request.method != "POST":
        return page(request, "administration/lock.html", _consequences(request, person))
    if person.pk == request.user.pk:
        messages.error(request, _("Du kan inte spärra dig själv."))
    else:
        is_locked = SwitchForm(request.POST).is_on("locked")
        mailboxes.set_locked(request.user, person, is_locked=is_locked)
        messages.success(request, _("Personen är spärrad.") if is_locked else _("Spärren är hävd."))
    return _to_page_of(request, person)


@administrator_required
@require_POST
def give_role(request: PersonRequest, person_id: int) -> HttpResponse:
    """Make somebody an administrator or an auditor, where one is that oneself."""
    person = get_object_or_404(mailboxes.people_administered_by(request.user), pk=person_id)
    form = RoleForm(request.POST)
    try:
        if not form.is_valid() or form.cleaned_data["role"] not in OrganisationRole.Role.values:
            raise mailboxes.RoleNotGrantable
        given = form.cleaned_data
        mailboxes.give_role(request.user, person, given["role"], given["organisation"])
    except mailboxes.RoleNotGrantable:
        messages.error(request, _("Du kan bara ge roller som du själv har, och aldrig till dig själv."))
    else:
        messages.success(request, _("Rollen är given."))
    return _to_page_of(request, person)


@any_duty_required
@require_POST
def revoke_role(request: PersonRequest, role_id: int) -> HttpResponse:
    """Revoke a role, where one has it oneself."""
    known = mailboxes.people_administered_by(request.user)
    role = get_object_or_404(
        OrganisationRole.objects.filter(
            person__in=Person.objects.filter(pk__in=known.values("pk")),
            participant_id__in=access.administered_by(request.user),
        ).select_related("person"),
        pk=role_id,
    )
    try:
        mailboxes.revoke_role(request.user, role)
    except mailboxes.RoleNotGrantable:
        messages.error(request, _("Du kan bara ta bort roller som du själv har, och aldrig dina egna."))
    else:
        messages.success(request, _("Rollen är borttagen."))
    return _to_page_of(request, role.person)


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def remove_person(request: PersonRequest, person_id: int) -> HttpResponse:
    """What removing a person from the organisation leads to; POST does it."""
    person = get_object_or_404(mailboxes.people_administered_by(request.user), pk=person_id)
    if request.method != "POST":
        return page(request, "administration/remove_person.html", _consequences(request, person))
    try:
        mailboxes.remove_person(request.user, person)
    except mailboxes.RoleNotGrantable:
        messages.error(
            request, _("Personen har en roll som du inte själv har. Be en granskare att ta bort den först.")
        )
    else:
        messages.success(request, _("Personen är borttagen."))
    return redirect("administration-people")


def _to_page_of(request: PersonRequest, person: Person) -> HttpResponse:
    """The person's page, or everybody's where they hold nothing here any more."""
    if mailboxes.people_administered_by(request.user).filter(pk=person.pk).exists():
        return redirect("administration-person", person.pk)
    return redirect("administration-people")


def _consequences(request: PersonRequest, person: Person) -> dict[str, Any]:
    """What the person holds in the organisations of whoever asks, and the conversations that they have."""
    organisations = access.administered_by(request.user)
    boxes = FunctionMailbox.objects.filter(participant_id__in=organisations, memberships__person=person)
    return {
        "person": person,
        "is_locked": person.locks.filter(participant_id__in=organisations).exists(),
        "mailboxes": boxes.distinct().order_by("name", "pk"),
        "roles": person.organisation_roles.filter(participant_id__in=organisations),
        "conversation_count": Conversation.objects.filter(
            assignee=person, mailbox__participant_id__in=organisations
        ).count(),
    }
