"""Logging in by SAML in a real browser, at a provider of another site, with a choice of assignment."""

import json
import threading

import pytest
from flask import Flask
from playwright.sync_api import expect
from werkzeug.serving import make_server

from mailbox.models import FunctionMailbox, Membership, MembershipRule, Person
from testbed.authorities import Authority, KeyFiles
from testbed.node import PROJECT
from testbed.register import Person as Citizen
from testbed.register import Register
from testbed.saml_provider import ASSIGNMENTS, SamlProvider
from testbed.services import free_port
from tests.journeys.browser import Caseworker, chromium

pytestmark = [
    pytest.mark.journey,
    pytest.mark.xdist_group("nodes"),
    pytest.mark.django_db(transaction=True),
]
KARIN = "199001012385"
UNITS = {"SE2321000016-A1": "Barnmottagningen", "SE2321000016-B2": "Akuten"}


def assignment(unit: str) -> str:
    return json.dumps(
        {"commissionHsaId": unit, "commissionName": "Vård och behandling", "healthCareUnitName": UNITS[unit]}
    )


@pytest.fixture
def provider(tmp_path, settings, live_server):
    """A provider at 127.0.0.1, which is another site than the node's localhost."""
    port = free_port()
    authority = Authority(tmp_path, "saml", "http://localhost")
    keys = {
        name: authority.issue(KeyFiles(tmp_path / f"{name}.key", tmp_path / f"{name}.pem"), name)
        for name in ("provider", "node")
    }
    register = Register(tmp_path / "register.json")
    register.put("people", KARIN, vars(Citizen(KARIN, "Karin Svensson", role_in_words="Sjuksköterska")))
    one = SamlProvider(register, f"http://127.0.0.1:{port}/saml", keys["provider"])
    one.assignments[KARIN] = [assignment(unit) for unit in UNITS]
    app = Flask("saml", template_folder=str(PROJECT / "testbed" / "templates"))
    app.register_blueprint(one.pages())
    server = make_server("127.0.0.1", port, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "metadata.xml").write_text(one.metadata())
    settings.ALLOWED_HOSTS = ["*"]
    settings.SDK_PUBLIC_URL = live_server.url
    settings.SDK_SAML_METADATA = str(tmp_path / "metadata.xml")
    settings.SDK_SAML_METADATA_CERTIFICATE = str(keys["provider"].certificate)
    settings.SDK_SAML_PROVIDERS = [one.entity_id]
    settings.SDK_SAML_KEY = str(keys["node"].key)
    settings.SDK_SAML_CERTIFICATE = str(keys["node"].certificate)
    settings.SDK_SAML_ASSIGNMENT_ATTRIBUTE = ASSIGNMENTS
    yield one
    server.shutdown()


def test_a_nurse_logs_in_at_another_site_and_chooses_an_assignment(provider, live_server):
    for unit, name in UNITS.items():
        mailbox = FunctionMailbox.objects.create(participant_id="0203:a.se", address=unit, name=name)
        MembershipRule.objects.create(mailbox=mailbox, claim="commissionHsaId", value=unit)
    with chromium() as browser:
        karin = Caseworker(browser, live_server.url, "Karin Svensson")
        page = karin.page

        def come_back(choice: str = "Karin Svensson") -> None:
            page.goto(f"{live_server.url}/logga-in")
            page.get_by_role("link", name="Logga in med Test-SAML").click()
            expect(page.get_by_role("heading", name="Test-e-legitimation")).to_be_visible()
            if choice:
                page.get_by_role("button", name=choice).click()
            else:
                page.get_by_role("link", name="Avbryt").click()
            page.get_by_role("button", name="Tillbaka till tjänsten").click()

        come_back("")
        expect(page.get_by_text("Inloggningen avbröts.")).to_be_visible()

        come_back()
        expect(page.get_by_role("heading", level=1, name="Välj uppdrag")).to_be_visible()
        karin.check_accessibility()
        page.get_by_role("button", name="Fortsätt").press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("Välj ett uppdrag.")
        karin.check_accessibility()
        # By keyboard alone: into the group, to its second choice, and on.
        page.get_by_role("radio").first.focus()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("radio", name="Akuten")).to_be_checked()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1, name="Akuten")).to_be_visible()

        page.get_by_role("button", name="Logga ut").click()
        expect(page.get_by_role("link", name="Logga in med Test-SAML")).to_be_visible()
        come_back()
        expect(page.get_by_role("radio", name="Akuten")).to_be_checked()
        page.get_by_role("radio", name="Barnmottagningen").check()
        page.get_by_role("button", name="Fortsätt").click()
        expect(page.get_by_role("heading", level=1, name="Barnmottagningen")).to_be_visible()
        karin.close()
    person = Person.objects.by_subject(KARIN)
    assert [each.mailbox.name for each in Membership.objects.filter(person=person)] == ["Barnmottagningen"]
