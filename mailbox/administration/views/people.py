"""People of an organisation: who is locked out, and who administers or audits."""

from typing import Final

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from mailbox import access
from mailbox.administration import mailboxes
from mailbox.models import OrganisationRole, Person
from mailbox.requests import PersonRequest

from .pages import actor, administrator_required, anybody_with_a_task, organisations_of, page

_PAGE: Final = 50


@administrator_required
@require_safe
def people(request: PersonRequest) -> HttpResponse:
    """Everybody with a membership or a role by name, a page at a time, and what they hold.

    `?efter=` is the last person's key: a name stands in no address.
    """
    organisations = access.administered_by(request.user)
    audited = access.audited_by(request.user)
    everybody = mailboxes.people_administered_by(request.user)
    after = request.GET.get("efter", "")
    is_key = after.isascii() and after.isdecimal() and len(after) < 19
    last = everybody.filter(pk=after).first() if is_key else None
    following = Q(name__gt=last.name) | Q(name=last.name, pk__gt=last.pk) if last else Q()
    found = list(
        everybody.filter(following).prefetch_related("organisation_roles", "memberships__mailbox", "locks")[
            : _PAGE + 1
        ]
    )
    shown = [
        {
            "person": person,
            "is_locked": any(lock.participant_id in organisations for lock in person.locks.all()),
            "roles": [
                role for role in person.organisation_roles.all() if role.participant_id in organisations
            ],
            "mailboxes": [
                membership.mailbox
                for membership in person.memberships.all()
                if membership.mailbox.participant_id in organisations
            ],
        }
        for person in found[:_PAGE]
    ]
    context = {
        "people": shown,
        "after": found[_PAGE - 1].pk if len(found) > _PAGE else None,
        "organisations": organisations_of(organisations),
        "may_name_auditors": set(audited) & set(organisations),
    }
    return page(request, "administration/people.html", context)


@administrator_required
@require_POST
def set_locked(request: PersonRequest, person_id: int) -> HttpResponse:
    """Lock or unlock a person; nobody locks themselves out."""
    person = get_object_or_404(mailboxes.people_administered_by(request.user), pk=person_id)
    if person.pk == request.user.pk:
        messages.error(request, _("Du kan inte spärra dig själv."))
    else:
        is_locked = request.POST.get("locked") == "1"
        mailboxes.set_locked(actor(request), person, is_locked=is_locked)
        messages.success(request, _("Personen är spärrad.") if is_locked else _("Spärren är hävd."))
    return redirect("administration-people")


@administrator_required
@require_POST
def give_role(request: PersonRequest, person_id: int) -> HttpResponse:
    """Make somebody an administrator or an auditor, where one is that oneself."""
    person = get_object_or_404(mailboxes.people_administered_by(request.user), pk=person_id)
    role = request.POST.get("role", "")
    try:
        if role not in OrganisationRole.Role.values:
            raise mailboxes.NotForYouToGive
        mailboxes.give_role(actor(request), person, role, request.POST.get("organisation", ""))
    except mailboxes.NotForYouToGive:
        messages.error(request, _("Du kan bara ge roller som du själv har, och aldrig till dig själv."))
    else:
        messages.success(request, _("Rollen är given."))
    return redirect("administration-people")


@anybody_with_a_task
@require_POST
def revoke_role(request: PersonRequest, role_id: int) -> HttpResponse:
    """Take a role away, where one has it oneself."""
    known = mailboxes.people_administered_by(request.user)
    held = get_object_or_404(
        OrganisationRole.objects.filter(
            person__in=Person.objects.filter(pk__in=known.values("pk")),
            participant_id__in=access.administered_by(request.user),
        ).select_related("person"),
        pk=role_id,
    )
    try:
        mailboxes.revoke_role(actor(request), held)
    except mailboxes.NotForYouToGive:
        messages.error(request, _("Du kan bara ta bort roller som du själv har, och aldrig dina egna."))
    else:
        messages.success(request, _("Rollen är borttagen."))
    return redirect("administration-people")
