"""Who is let in: what holds for a login in whatever way somebody has shown who they are."""

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.urls import reverse

from mailbox import access
from mailbox.administration import membership_rules
from mailbox.models import Person
from mailbox.provisioning import memberships as directory_memberships
from transport.names import as_one_line

# In a session: the person came by SAML, and logs out here alone.
BY_SAML: Final = "login_by_saml"
_NAMELESS: Final = "-"


class NotAdmitted(Exception):
    """The person is not let in; `reason` is a code for the page that says so."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def admit(subject: str, name: str, claims: Mapping[str, Any]) -> Person:
    """The person whom the e-ID names by `subject`, with the memberships that the claims give.

    Only people whom an administrator has added, or a membership rule lets in, can log in. Raises
    `NotAdmitted`.
    """
    if not subject:
        raise NotAdmitted("claim")
    person = Person.objects.by_subject(subject)
    if person is None and membership_rules.rules_met(claims):
        person, _ = Person.add(subject, as_one_line(name)[:256] or _NAMELESS)
    if person is None:
        raise NotAdmitted("unknown")
    if not person.is_active:
        raise NotAdmitted("locked")
    membership_rules.apply(person, claims)
    directory_memberships.apply_at_login(person)
    return person


def begin_session(request: HttpRequest, person: Any, following: str, *, backend: str | None = None) -> str:
    """Begin a session; one that this browser had, of whomever, ends. Where the browser is to go."""
    if request.user.is_authenticated:
        auth.logout(request)
    auth.login(request, person, backend=backend)
    start = resolve_url(settings.LOGIN_REDIRECT_URL)
    return following if following not in {"", start} else _first_page(person, start)


def _first_page(person: Any, start: str) -> str:
    """Where somebody begins: in their mailbox where they have one alone, else at the page `start`."""
    keys = list(access.mailboxes_of(person).values_list("pk", flat=True)[:2])
    return reverse("mailbox", args=keys) if len(keys) == 1 else start
