"""What every answer carries, so that a browser runs nothing that is not this application's own."""

from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import get_resolver, reverse
from lxml import html

from mailbox.models import Attachment, Draft, FunctionMailbox, Membership, OrganisationRole
from mailbox.workplace import views as workplace_views
from tests.safety.test_reach import ELSEWHERE_TESTED, HABO, KNOWN_BY_TOKEN, TABLE, patterns, world

__all__ = ["world"]
pytestmark = pytest.mark.django_db
_STRICT = {
    "default-src": {"'none'"},
    "script-src": {"'self'"},
    "style-src": {"'self'"},
    "connect-src": {"'self'"},
    "font-src": {"'self'"},
    "manifest-src": {"'self'"},
    "frame-src": {"'self'"},
    "img-src": {"'self'", "data:"},
    "frame-ancestors": {"'none'"},
    "base-uri": {"'none'"},
}
# What a policy may say besides: where forms lead (the provider, for logging out), and that nothing runs.
_FORMS, _SANDBOX = "form-action", "sandbox"


def policy_of(response) -> dict[str, set[str]]:
    directives = [part.split() for part in response.headers["Content-Security-Policy"].split(";")]
    return {words[0]: set(words[1:]) for words in directives if words}


def problems_of(response, *, framed: bool = False) -> list[str]:
    """What an answer lacks, or has too much of. What is `framed` is shown in frames of ours, sandboxed."""
    found = []
    if framed and "sandbox" not in policy_of(response):
        found.append("no sandbox")
    ancestors = {"'self'"} if framed else {"'none'"}
    for name, value in (
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("X-Frame-Options", "SAMEORIGIN" if framed else "DENY"),
    ):
        if response.headers.get(name) != value:
            found.append(f"{name}: {response.headers.get(name)}")
    if "camera=()" not in response.headers.get("Permissions-Policy", ""):
        found.append("no Permissions-Policy")
    policy = policy_of(response)
    if policy.get("default-src") != {"'none'"}:
        found.append("default-src")
    for directive, sources in policy.items():
        if directive in (_FORMS, _SANDBOX):
            if sources & {"*", "https:", "http:"}:
                found.append(f"{directive} {sources}")
        elif not sources <= (ancestors if directive == "frame-ancestors" else _STRICT.get(directive, set())):
            found.append(f"{directive} {sources}")
    if response.headers.get("Content-Type", "").startswith("text/html") and response.content.strip():
        found += inline_in(response.content.decode())
    return found


def inline_in(page: str) -> list[str]:
    """Script and style that stands in a page, and what it fetches from elsewhere."""
    found = []
    for element in html.document_fromstring(page).iter():
        if not isinstance(element.tag, str):
            continue
        if element.tag == "style" or (element.tag == "script" and (element.text or "").strip()):
            found.append(f"<{element.tag}> with content")
        for name, value in element.attrib.items():
            if name == "style" or name.startswith(("on", "hx-on")):
                found.append(f"{element.tag} {name}")
            leads = name in ("href", "src", "action", "formaction", "hx-get", "hx-post")
            if leads and value.strip().lower().startswith(("javascript:", "data:")):
                found.append(f"{element.tag} {name} {value[:20]}")
            fetches = element.tag in ("script", "link", "img", "iframe", "object", "embed")
            if fetches and name in ("href", "src", "data") and urlsplit(value).netloc:
                found.append(f"{element.tag} from {urlsplit(value).netloc}")
    return found


@pytest.fixture
def client(world) -> Client:
    """A browser of somebody who reaches everything of one organisation."""
    person = world.people["manager"]
    for role in OrganisationRole.Role:
        OrganisationRole.objects.create(person=person, participant_id=HABO, role=role)
    observed = FunctionMailbox.objects.create(participant_id=HABO, address="sdk:observed", name="Observerad")
    Membership.objects.create(person=person, mailbox=observed, role=Membership.Role.OBSERVER)
    # Who owns a draft reviews it.
    Draft.objects.update(owner=person)
    browser = Client(raise_request_exception=False)
    browser.force_login(person, backend="mailbox.accounts.login.EidBackend")
    return browser


def test_what_is_looked_for_is_found():
    assert inline_in("<p style='x'>") == ["p style"]
    assert inline_in("<p onclick='x'>") == ["p onclick"]
    assert inline_in("<script>x</script>") == ["<script> with content"]
    assert inline_in("<a href=' JavaScript:x'>")
    assert inline_in("<img src='//elsewhere/x'>") == ["img from elsewhere"]
    assert inline_in("<script src='/a.js'></script><a href='https://x/'>") == []


def test_every_answer_lets_nothing_run_but_the_application_s_own(world, client):
    wrong, shown = {}, 0
    for name, pattern in patterns(get_resolver("sdkportal.urls")):
        if name in ELSEWHERE_TESTED:
            continue
        arguments = {key: world.arguments[key] for key in pattern.pattern.converters}
        # Reading first: what is posted may end what is to be read.
        if "get" not in TABLE[name][0].split():
            continue
        response = client.get(reverse(name, kwargs=arguments))
        is_answered = response.status_code == (401 if name in KNOWN_BY_TOKEN else 200)
        # The message here has no evidence; who is logged in needs no login.
        assert is_answered or name in {"login", "evidence-piece"}, (name, response.status_code)
        shown += response.headers["Content-Type"].startswith("text/html")
        if problems := problems_of(response, framed=name == "attachment-show"):
            wrong[name] = problems
    assert wrong == {}
    assert shown > 20


@pytest.mark.parametrize("url", ["/finns-inte", "/logga-in", "/logga-in/nekad", "/halsa", "/halsa/", "/"])
def test_answers_to_nobody_and_to_what_is_not_there_are_as_strict(db, url):
    assert problems_of(Client().get(url)) == []


def test_errors_are_as_strict(client, monkeypatch):
    refused = Client(enforce_csrf_checks=True).post(reverse("search"), {"question": "x"})
    assert refused.status_code == 403

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(workplace_views.inbox, "mailboxes_with_counts", fail)
    broken = client.get(reverse("start"))
    assert broken.status_code == 500
    assert [problems_of(each) for each in (refused, broken)] == [[], []]


@pytest.mark.parametrize("content_type", ["text/html", "image/svg+xml", "application/xhtml+xml", "åäö"])
def test_an_attachment_is_a_download_and_never_active_here(client, content_type):
    row = Attachment.objects.get()
    row.content_type = content_type
    row.save()
    response = client.get(reverse("attachment", args=[row.pk]))
    assert response.headers["Content-Disposition"].startswith("attachment; filename=")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    policy = policy_of(response)
    assert (policy["default-src"], policy["sandbox"]) == ({"'none'"}, set())


def test_what_is_fetched_as_a_file_is_a_download(world, client):
    """CSV, JSON, ZIP and requests: nothing that a browser would show as a page of this origin."""
    checked = []
    for name, pattern in patterns(get_resolver("sdkportal.urls")):
        if name in ELSEWHERE_TESTED or "get" not in TABLE[name][0].split():
            continue
        arguments = {key: world.arguments[key] for key in pattern.pattern.converters}
        response = client.get(reverse(name, kwargs=arguments))
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        if kind in ("text/html", "text/plain", "text/javascript", "application/javascript", ""):
            continue
        is_json = kind in ("application/json", "application/scim+json")
        if is_json and "Content-Disposition" not in response.headers:
            # Read by the application's own script, or by a directory service.
            continue
        if name == "organisation-logo":
            # A picture of the page's head, whose type was decided here when it was chosen.
            assert kind == "image/png"
            continue
        checked.append(name)
        assert response.headers["Content-Disposition"].startswith("attachment"), name
    assert {"attachment", "administration-retention-file", "administration-functions-file"} <= set(checked)


def test_what_somebody_reads_is_not_kept_by_the_browser(world, client):
    for name in ("start", "conversation", "mailbox", "draft", "search", "administration"):
        (pattern,) = [each for found, each in patterns(get_resolver()) if found == name]
        arguments = {key: world.arguments[key] for key in pattern.pattern.converters}
        response = client.get(reverse(name, kwargs=arguments))
        assert "no-store" in response.headers["Cache-Control"], name
