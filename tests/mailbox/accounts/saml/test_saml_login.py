"""Logging in by SAML: who gets in, what the others are told, and what another site cannot do."""

import copy
import json
import re
from datetime import timedelta
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from django.utils import timezone
from lxml import etree

from mailbox.access import mailboxes_of
from mailbox.accounts.saml import pending
from mailbox.models import (
    FunctionMailbox,
    MembershipRule,
    PendingSamlLogin,
    Person,
    RememberedAssignment,
    UsedAssertion,
)
from testbed.saml_provider import CANCELLED, Changes
from tests.mailbox.accounts.saml.conftest import HOST, KARIN, Browser

pytestmark = pytest.mark.django_db
LOA3 = "http://id.elegnamnden.se/loa/1.0/loa3"
UNITS = ("SE2321000016-A1", "SE2321000016-B2")


def commission(unit: str, **others: str) -> str:
    return json.dumps({"commissionHsaId": unit, "commissionName": f"Uppdrag {unit[-2:]}", **others})


def mailbox_by_rule(claim: str, value: str) -> FunctionMailbox:
    mailbox = FunctionMailbox.objects.create(participant_id="0203:a.se", address=value, name=value)
    MembershipRule.objects.create(mailbox=mailbox, claim=claim, value=value)
    return mailbox


def test_a_known_person_gets_in_and_is_the_same_as_by_openid_connect(browser):
    person, _ = Person.add(KARIN, "Karin Svensson")
    page = browser.log_in()
    assert page.status_code == 200
    assert int(browser.client.session["_auth_user_id"]) == person.pk
    assert not PendingSamlLogin.objects.exists()


def test_the_request_is_signed_and_asks_for_a_new_login_at_an_accepted_level(browser, settings):
    settings.SDK_SAML_ACCEPTED_LEVELS = [LOA3]
    asked = browser.begin()
    query = dict(parse_qsl(urlsplit(browser.address).query))
    assert query["SigAlg"].endswith("rsa-sha256")
    assert browser.address.startswith("https://eid.example/saml/login?")
    request = browser.request(query)
    assert request.get("ForceAuthn") == "true"
    assert request.get("ID") == asked.request_id
    assert request.get("AssertionConsumerServiceURL") == "https://sdk.habo.se/saml/svar"
    assert [each.text for each in request.iter("{*}AuthnContextClassRef")] == [LOA3]
    assert request.find("{*}RequestedAuthnContext").get("Comparison") == "exact"


def test_a_login_that_the_provider_begins_is_refused(browser, provider):
    Person.add(KARIN, "Karin Svensson")
    asked = browser.begin()
    response = provider.login(asked, KARIN, Changes(in_response_to=None, confirmed_request=None))
    assert browser.follow(browser.bring(response)).status_code == 403
    assert not browser.is_logged_in


def test_an_answer_to_another_browser_s_request_logs_nobody_in(browser, provider, client_class):
    # An attacker has a victim's browser post the attacker's own answer, or the other way round.
    Person.add(KARIN, "Karin Svensson")
    asked = browser.begin()
    victim = Browser(client_class(), provider)
    victim.begin()
    response = provider.login(asked, KARIN)
    assert victim.follow(victim.bring(response)).status_code == 403
    assert not victim.is_logged_in
    assert browser.follow(browser.bring(response)).status_code == 403, "it is used"


@pytest.fixture
def client_class(client):
    return type(client)


def test_an_answer_is_fetched_once(browser, provider):
    Person.add(KARIN, "Karin Svensson")
    asked = browser.begin()
    answered = browser.bring(provider.login(asked, KARIN))
    before = copy.deepcopy(browser.client.cookies)
    assert browser.follow(answered).status_code == 200
    browser.client.post("/logga-ut", **HOST)
    browser.client.cookies = before
    assert browser.follow(answered).status_code == 403
    assert not browser.is_logged_in


def test_cookies_are_sent_by_this_site_alone(browser, provider):
    asked = browser.begin()
    answered = browser.bring(provider.login(asked, KARIN))
    for cookie in answered.cookies.values():
        assert (cookie["samesite"], cookie["httponly"]) == ("Lax", True)
        assert KARIN not in cookie.value


def test_what_waits_is_sealed(browser, provider):
    browser.bring(provider.login(browser.begin(), KARIN))
    (row,) = PendingSamlLogin.objects.all()
    assert KARIN not in row.sealed
    assert "Karin" not in row.sealed


def test_what_nobody_fetches_and_what_has_expired_is_removed(browser, provider):
    browser.bring(provider.login(browser.begin(), KARIN))
    pending.remove_expired()
    assert (PendingSamlLogin.objects.count(), UsedAssertion.objects.count()) == (1, 1)
    late = timezone.now() - timedelta(seconds=1)
    PendingSamlLogin.objects.update(expires_at=late)
    UsedAssertion.objects.update(forgotten_at=late)
    pending.remove_expired()
    assert (PendingSamlLogin.objects.count(), UsedAssertion.objects.count()) == (0, 0)


def test_an_answer_by_an_earlier_login_at_the_provider_is_refused(browser):
    Person.add(KARIN, "Karin Svensson")
    page = browser.log_in(changes=Changes(authenticated_at=timedelta(minutes=-5)))
    assert page.status_code == 403


def test_relay_state_leads_nowhere(browser, provider):
    Person.add(KARIN, "Karin Svensson")
    asked = browser.begin()
    answered = browser.bring(provider.login(asked, KARIN), RelayState="https://evil.example/")
    page = browser.follow(answered)
    assert page.redirect_chain[-1][0] == "/"


@pytest.mark.parametrize(
    ("following", "where"),
    [("/adressbok/", "/adressbok/"), ("https://evil.example/", "/"), ("//evil.example/", "/")],
)
def test_the_page_that_was_asked_for_follows_if_it_is_ours(browser, following, where):
    Person.add(KARIN, "Karin Svensson")
    assert browser.log_in(following=following).redirect_chain[-1][0] == where


def test_a_cancelled_login_is_told_in_plain_words(browser, provider):
    page = browser.follow(browser.bring(provider.refusal(browser.begin(), CANCELLED)))
    assert "Inloggningen avbröts." in page.content.decode()


def test_a_level_that_is_too_low_is_told(browser, provider):
    level = "http://id.elegnamnden.se/loa/1.0/loa2"
    response = provider.response(browser.begin(), {"a": ["b"]}, level, Changes())
    page = browser.follow(browser.bring(response)).content.decode()
    assert "för låg tillitsnivå" in page
    assert level in page


def test_somebody_unknown_and_somebody_locked_are_told_what_to_do(browser):
    assert "Be en administratör" in browser.log_in().content.decode()
    Person.add(KARIN, "Karin Svensson")
    Person.objects.update(is_active=False)
    assert "spärrad" in browser.log_in().content.decode()


def test_somebody_of_whom_the_provider_does_not_say_who_they_are_is_refused(browser, settings):
    settings.SDK_SAML_PERSON_ATTRIBUTE = "http://sambi.se/attributes/1/employeeHsaId"
    assert "lämnade inte de uppgifter" in browser.log_in().content.decode()


def test_a_rule_for_openid_connect_holds_for_saml(browser):
    mailbox = mailbox_by_rule("https://id.oidc.se/claim/personalIdentityNumber", KARIN)
    browser.log_in()
    person = Person.objects.by_subject(KARIN)
    assert person.name == "Karin Svensson"
    assert list(mailboxes_of(person)) == [mailbox]


def test_the_only_assignment_is_not_asked_for(browser, provider):
    mailbox = mailbox_by_rule("commissionHsaId", UNITS[0])
    provider.assignments[KARIN] = [commission(UNITS[0])]
    browser.log_in()
    assert list(mailboxes_of(Person.objects.by_subject(KARIN))) == [mailbox]


def test_of_several_assignments_the_chosen_one_decides_and_is_suggested_next_time(browser, provider):
    first, second = (mailbox_by_rule("commissionHsaId", unit) for unit in UNITS)
    provider.assignments[KARIN] = [f"[{commission(UNITS[0])},{commission(UNITS[1])}]"]
    page = browser.log_in().content.decode()
    assert "Välj uppdrag" in page
    assert "checked" not in page
    assert not browser.is_logged_in
    browser.client.post("/saml/uppdrag", {"assignment": "1"}, **HOST)
    assert browser.is_logged_in
    person = Person.objects.by_subject(KARIN)
    assert list(mailboxes_of(person)) == [second]
    assert UNITS[1] not in RememberedAssignment.objects.get().assignment_hash
    page = browser.log_in().content.decode()
    assert re.findall(r'value="(\d)"\s+checked', page) == ["1"]
    browser.client.post("/saml/uppdrag", {"assignment": "0"}, **HOST)
    assert list(mailboxes_of(person)) == [first]


def test_an_assignment_may_say_who_the_person_is(browser, provider, settings):
    settings.SDK_SAML_PERSON_ATTRIBUTE = "employeeHsaId"
    people = [Person.add(f"SE{number}", "Karin")[0] for number in (1, 2)]
    provider.assignments[KARIN] = [
        commission(unit, employeeHsaId=f"SE{number}") for number, unit in enumerate(UNITS, 1)
    ]
    for number, person in enumerate(people):
        browser.log_in()
        browser.client.post("/saml/uppdrag", {"assignment": str(number)}, **HOST)
        assert int(browser.client.session["_auth_user_id"]) == person.pk
    assert re.findall(r'value="(\d)"\s+checked', browser.log_in().content.decode()) == ["1"]


def test_plain_identifiers_are_assignments_too(browser, provider, settings):
    second = [mailbox_by_rule(settings.SDK_SAML_ASSIGNMENT_ATTRIBUTE, unit) for unit in UNITS][1]
    provider.assignments[KARIN] = list(UNITS)
    browser.log_in()
    browser.client.post("/saml/uppdrag", {"assignment": "1"}, **HOST)
    assert list(mailboxes_of(Person.objects.by_subject(KARIN))) == [second]


@pytest.mark.parametrize("chosen", ["", "2", "-1", "x", "\x00", "\ud800", "9" * 400])
def test_what_is_no_assignment_is_not_chosen(browser, provider, chosen):
    Person.add(KARIN, "Karin Svensson")
    provider.assignments[KARIN] = list(UNITS)
    browser.log_in()
    sent = f"assignment={quote(chosen, errors='surrogatepass')}"
    form = {"content_type": "application/x-www-form-urlencoded", **HOST}
    assert browser.client.post("/saml/uppdrag", sent, **form).status_code == 422
    assert not browser.is_logged_in


def test_without_an_answer_that_waits_there_is_nothing_to_choose(client, provider):
    for answer in (client.get("/saml/uppdrag", **HOST), client.post("/saml/uppdrag", {}, **HOST)):
        assert answer.headers["Location"] == "/logga-in"


def test_the_provider_s_end_of_the_session_ends_it_here(browser):
    Person.add(KARIN, "Karin Svensson")
    browser.log_in(changes=Changes(session_ends=timedelta(minutes=7)))
    assert 6 * 60 < browser.client.session.get_expiry_age() <= 7 * 60


def test_logging_out_ends_the_session_here_and_leads_to_no_provider(browser, settings):
    settings.OIDC_OP_LOGOUT_ENDPOINT = "https://other.example/end_session"
    Person.add(KARIN, "Karin Svensson")
    browser.log_in()
    assert browser.client.post("/logga-ut", **HOST).headers["Location"] == "/"
    assert not browser.is_logged_in


def test_the_login_page_offers_what_is_configured(client, provider, settings):
    settings.OIDC_ISSUER = "https://eid.example"
    page = client.get("/logga-in", **HOST).content.decode()
    assert "Logga in med Test-SAML" in page
    assert "Logga in med e-legitimation" in page
    settings.OIDC_ISSUER = ""
    assert "Logga in med e-legitimation" not in client.get("/logga-in", **HOST).content.decode()
    # Where the person was going is part of the link.
    page = client.get("/logga-in?next=/brevlada/7/", **HOST).content.decode()
    assert "&amp;next=/brevlada/7/" in page
    assert "{{" not in page
    settings.SDK_SAML_PROVIDERS = []
    page = client.get("/logga-in", **HOST).content.decode()
    assert "Logga in med e-legitimation" in page
    assert "Test-SAML" not in page


@pytest.mark.parametrize("path", ["borja", "klar", "uppdrag", "metadata"])
def test_without_configuration_there_is_nothing(client, path):
    assert client.get(f"/saml/{path}", **HOST).status_code == 404
    assert client.post("/saml/svar", **HOST).status_code == 404


@pytest.mark.parametrize("given", ["", "https://other.example", "\x00", "x" * 5000])
def test_nobody_is_sent_to_a_provider_that_is_not_configured(client, provider, given):
    assert client.get("/saml/borja", {"provider": given}, **HOST).headers["Location"] == "/logga-in/nekad"


@pytest.mark.parametrize("sent", ["", "!", "=", "\x00", "x" * 70_000, "\u00e5"])
def test_what_is_no_answer_is_refused(client, provider, sent):
    answer = client.post("/saml/svar", {"SAMLResponse": sent}, **HOST)
    assert answer.status_code in {302, 413}
    assert not PendingSamlLogin.objects.exists()


def test_our_metadata_says_what_a_federation_asks_for(client, provider, settings):
    settings.SDK_SAML_ORGANISATION = "Håbo kommun"
    settings.SDK_OPERATOR_MAIL = ["drift@habo.se"]
    answer = client.get("/saml/metadata", **HOST)
    assert answer.headers["Content-Type"] == "application/samlmetadata+xml"
    root = etree.fromstring(answer.content)
    service = root.find("{*}SPSSODescriptor")
    assert root.get("entityID") == "https://sdk.habo.se/saml/metadata"
    assert (service.get("AuthnRequestsSigned"), service.get("WantAssertionsSigned")) == ("true", "true")
    assert root.findtext(".//{*}EntityAttributes//{*}AttributeValue").endswith("loa3-pnr")
    assert {
        each.get("{http://www.w3.org/XML/1998/namespace}lang") for each in root.iter("{*}Description")
    } == {
        "sv",
        "en",
    }
    required = [
        each.get("Name") for each in root.iter("{*}RequestedAttribute") if each.get("isRequired") == "true"
    ]
    assert required == [settings.SDK_SAML_PERSON_ATTRIBUTE]
    assert root.findtext("{*}Organization/{*}OrganizationName") == "Håbo kommun"
