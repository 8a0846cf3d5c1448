"""Every page of the table of who reaches what, and its states, in every look: light, dark, with forced
colours, at 320 px, at 400 %, without motion and on paper."""

import os
from collections.abc import Iterator

import pytest
from django.db import transaction
from django.urls import get_resolver, reverse
from django.utils import timezone
from playwright.sync_api import Page

from mailbox.models import CaseDelivery, CaseSystem, FunctionMailbox
from tests.journeys.browser import Caseworker
from tests.journeys.looks import faults_of
from tests.journeys.test_every_page import with_scripts
from tests.journeys.test_workplace import Colleague, beside_the_browser
from tests.safety.test_reach import BY_GET, ELSEWHERE_TESTED, TABLE, World, a_world, patterns

__all__ = ["beside_the_browser"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.journey]
# Answers to machines, and the stream that does not end.
_NO_PAGES = {"health", "ready", "metrics", "message-api-openapi", *ELSEWHERE_TESTED}
# Each page is looked at as the first of these sees it.
_ROLES = ["nobody", "member", "manager", "administrator", "auditor", "reader", "member of another mailbox"]
# These say something else to each role.
_EACHS_OWN = {"start", "mailbox", "conversation", "draft", "administration", "case-deliveries"}
# `make test` takes those with few pages: on the two nodes every page is in these looks already
# (test_every_page.py). `make test-looks` takes all.
_TAKEN = _ROLES if "SDK_TEST_EVERYTHING" in os.environ else ["nobody", "member of another mailbox"]
_PATIENCE_MILLISECONDS = 90_000
_IN_STATES = (
    (CaseDelivery.State.WAITING, ""),
    (CaseDelivery.State.DELIVERED, ""),
    (CaseDelivery.State.ACKNOWLEDGED, ""),
    (CaseDelivery.State.FAILED, CaseDelivery.Cause.REFUSED),
    (CaseDelivery.State.FAILED, CaseDelivery.Cause.NOT_ALLOWED),
    (CaseDelivery.State.WITHDRAWN, ""),
)


@pytest.fixture
def sample(settings, tmp_path) -> World:
    """All that there is to reach, with deliveries to case systems in every state."""
    settings.MEDIA_ROOT = tmp_path
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    settings.SECURE_SSL_REDIRECT = False
    with transaction.atomic():
        return with_deliveries(a_world())


def with_deliveries(world: World) -> World:
    mailbox = FunctionMailbox.objects.get(pk=world.arguments["mailbox_id"])
    for number, (state, cause) in enumerate(_IN_STATES):
        system = CaseSystem.objects.create(
            participant_id=mailbox.participant_id,
            name=f"Diariet för {state.label} {number}",
            kind=CaseSystem.Kind.DIRECTORY,
            folder=f"diariet-{number}",
            is_confirmed=number % 2 == 0,
            changed_at=timezone.now(),
        )
        system.mailboxes.create(mailbox=mailbox)
        ended = state in {CaseDelivery.State.ACKNOWLEDGED, CaseDelivery.State.WITHDRAWN}
        delivery = CaseDelivery.objects.create(
            conversation_id=world.arguments["conversation_id"],
            case_system=system,
            ordered_by=world.people["member"],
            ordered_at=timezone.now(),
            trigger=CaseDelivery.Trigger.ORDER,
            state=state,
            cause=cause,
            delivered_at=None if state == CaseDelivery.State.WAITING else timezone.now(),
            answered_at=timezone.now() if ended or cause == CaseDelivery.Cause.REFUSED else None,
        )
        delivery.case_number = "KS 2026/3117" if state == CaseDelivery.State.ACKNOWLEDGED else ""
        delivery.refusal = "Fel diarium: ärendet hör till överförmyndarnämnden" if cause else ""
        delivery.save()
    return world


def pages_of(role: str, world: World) -> Iterator[tuple[str, str]]:
    """The pages that the role is the first to see, or sees as its own: (name, path)."""
    earlier = _ROLES[: _ROLES.index(role)]
    for name, pattern in patterns(get_resolver("sdkportal.urls")):
        if name in _NO_PAGES:
            continue
        methods, reached_by = TABLE[name]
        reached_by = BY_GET.get(name, reached_by)
        is_seen = "get" in methods.split() and role in reached_by
        if is_seen and (name in _EACHS_OWN or not reached_by.intersection(earlier)):
            arguments = {key: world.arguments[key] for key in pattern.pattern.converters}
            yield name, reverse(name, kwargs=arguments)
    protected = world.arguments["protected_id"]
    if role == "member":
        yield "conversation, protected", reverse("conversation", args=[protected])
        yield "protection, of a protected one", reverse("protection", args=[protected])
        yield "mailbox, drafts", reverse("mailbox", args=[world.arguments["mailbox_id"]]) + "?view=drafts"


@pytest.mark.timeout(2400)
@pytest.mark.parametrize("role", _TAKEN)
def test_every_page_is_whole_in_every_look(live_server, browser, sample, role):
    if role == "nobody":
        person = Caseworker(browser, live_server.url, role)
    else:
        person = Colleague(browser, live_server.url, sample.people[role])
    page = person.page
    page.set_default_timeout(_PATIENCE_MILLISECONDS)
    wrong: dict[str, object] = {}
    seen = set()
    for name, path in pages_of(role, sample):
        address = live_server.url + path
        answer = page.request.fetch(address, max_redirects=0, timeout=_PATIENCE_MILLISECONDS)
        if answer.status != 200 or not answer.text().startswith("<!doctype html>"):
            continue
        seen.add(name)
        if "sandbox" in answer.headers.get("content-security-policy", ""):
            page.route(address, with_scripts)
        page.goto(address)
        for look, what in faults_of(page).items():
            wrong[f"{name}, {look}"] = what
    person.close()
    assert wrong == {}
    assert _LEAST[role] <= seen, _LEAST[role] - seen


# What would be missed if the sample made it no more.
_LEAST = {
    "nobody": {"login", "help", "accessibility"},
    "member": {
        "start",
        "mailbox",
        "mailbox, drafts",
        "all-mailboxes",
        "conversation",
        "conversation, protected",
        "protection",
        "protection, of a protected one",
        "reassign",
        "register",
        "registration-correct",
        "registration-withdraw",
        "case-delivery-order",
        "case-deliveries",
        "draft",
        "check",
        "labels",
        "writing",
        "canned-text",
        "distribution-list",
        "mailings",
        "mailing",
        "search",
        "notices",
        "addressbook:browse",
    },
    "manager": {
        "mailbox",
        "protected-open",
        "arrival-rules",
        "arrival-rule",
        "administration-mailbox",
        "administration-mailbox-hours",
        "administration-statistics",
        "case-systems-mailbox",
        "registration-mailbox",
    },
    "administrator": {
        "administration-case-systems",
        "administration-case-system",
        "administration-default-hours",
        "administration-directory",
        "administration-directory-group",
        "administration-people",
        "administration-person",
        "administration-client",
        "administration-functions",
    },
    "auditor": {"administration-access-log"},
    "reader": {"mailbox", "conversation", "draft", "case-deliveries"},
    "member of another mailbox": {"start"},
}


@pytest.mark.parametrize(
    ("look", "html"),
    [
        ("light", '<h1>A</h1><p style="color: #999; background: #fff">blek</p>'),
        ("small", '<h1>A</h1><div style="width: 400px">bred</div>'),
        ("400 %", '<h1>A</h1><div style="position: sticky; top: 0; height: 200px">hög</div>'),
        ("reduced motion", '<h1>A</h1><p style="transition: width 1s">rörlig</p>'),
        ("printed", "<h1>A</h1><button>tryck</button>"),
        ("printed, its heading", "<style>@media print { h1 { display: none } }</style><h1>A</h1>"),
    ],
)
def test_what_is_wrong_in_a_look_is_found(browser, look, html):
    page: Page = browser.new_page()
    page.set_content(f'<!doctype html><html lang="sv"><title>A</title><main>{html}</main></html>')
    assert look in faults_of(page)
    page.close()
