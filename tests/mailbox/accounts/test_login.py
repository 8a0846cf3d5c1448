"""Logging in by the testbed's OpenID Connect provider: who gets in, and what the others are told."""

import json
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization

from mailbox.access import mailboxes_of
from mailbox.accounts.login import EidBackend, problem_of
from mailbox.models import FunctionMailbox, Membership, MembershipRule, Person
from testbed.register import Person as Citizen
from tests.transport.protocol.keys import key

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("federation-clients")]
KARIN = "199001012385"
LOA3 = "http://id.elegnamnden.se/loa/1.0/loa3"


@pytest.fixture
def provider(federation, settings):
    """The provider, and settings that point at it."""
    issuer = settings.OIDC_ISSUER = f"{federation.url}/oidc"
    variables = federation.environment()
    settings.OIDC_RP_CLIENT_ID = variables["SDK_OIDC_CLIENT_ID"]
    settings.OIDC_RP_CLIENT_SECRET = variables["SDK_OIDC_CLIENT_SECRET"]
    for name, path in (
        ("AUTHORIZATION", "authorize"),
        ("TOKEN", "token"),
        ("USER", "userinfo"),
        ("JWKS", "jwks"),
        ("LOGOUT", "end_session"),
    ):
        setattr(settings, f"OIDC_OP_{name}_ENDPOINT", f"{issuer}/{path}")
    return federation


def log_in(client, federation, subject: str = KARIN, *, acr: str = LOA3, following: str = ""):
    """What a browser does: there, choose, and back; the last answer."""
    federation.add_person(Citizen(subject, "Karin Svensson", acr))
    asked = {"next": following} if following else {}
    there = client.get("/logga-in/borja", asked, HTTP_HOST="localhost:8000").headers["Location"]
    back = requests.post(there, data={"subject": subject}, allow_redirects=False, timeout=10).headers[
        "Location"
    ]
    path = f"{urlsplit(back).path}?{urlsplit(back).query}"
    answer = client.get(path, HTTP_HOST="localhost:8000")
    return there, client.get(answer.headers["Location"], HTTP_HOST="localhost:8000", follow=True)


def test_a_known_person_gets_in_and_is_known_by_the_configured_claim(client, provider):
    person, _ = Person.add(KARIN, "Karin Svensson")
    there, page = log_in(client, provider)
    assert page.status_code == 200
    assert int(client.session["_auth_user_id"]) == person.pk
    query = parse_qs(urlsplit(there).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["prompt"] == ["login"]
    assert json.loads(query["claims"][0])["id_token"]["acr"]["essential"] is True
    assert LOA3 in json.loads(query["claims"][0])["id_token"]["acr"]["values"]
    assert KARIN not in there


def test_somebody_unknown_whom_a_rule_lets_in_becomes_a_member(client, provider):
    mailbox = FunctionMailbox.objects.create(participant_id="0203:a.se", address="a", name="A")
    MembershipRule.objects.create(mailbox=mailbox, claim="name", value="Karin Svensson")
    log_in(client, provider)
    person = Person.objects.by_subject(KARIN)
    assert int(client.session["_auth_user_id"]) == person.pk
    assert list(mailboxes_of(person)) == [mailbox]


@pytest.mark.parametrize(("count", "where"), [(0, "/"), (1, "/brevlada/{}/"), (2, "/")])
def test_somebody_with_one_mailbox_begins_in_it(client, provider, count, where):
    person, _ = Person.add(KARIN, "Karin Svensson")
    for number in range(count):
        mailbox = FunctionMailbox.objects.create(participant_id="0203:a.se", address=f"a{number}", name="A")
        Membership.objects.create(person=person, mailbox=mailbox)
    _, page = log_in(client, provider)
    assert page.request["PATH_INFO"] == where.format(mailbox.pk if count else "")


def test_somebody_with_one_mailbox_who_asked_for_another_page_comes_to_that(client, provider):
    person, _ = Person.add(KARIN, "Karin Svensson")
    mailbox = FunctionMailbox.objects.create(participant_id="0203:a.se", address="a", name="A")
    Membership.objects.create(person=person, mailbox=mailbox)
    _, page = log_in(client, provider, following="/adressbok/")
    assert page.request["PATH_INFO"] == "/adressbok/"
    _, page = log_in(client, provider, following="/")
    assert page.request["PATH_INFO"] == f"/brevlada/{mailbox.pk}/"


def test_logging_in_gives_a_new_session(client, provider):
    Person.add(KARIN, "Karin Svensson")
    session = client.session
    session["before"] = True
    session.save()
    before = client.session.session_key
    log_in(client, provider)
    assert client.session.session_key != before


@pytest.mark.parametrize(
    "acr",
    [
        "http://id.elegnamnden.se/loa/1.0/loa2",
        LOA3 + "/",
        LOA3.upper(),
        "",
    ],
)
def test_a_level_that_is_not_exactly_one_of_those_accepted_is_refused(client, provider, acr):
    Person.add(KARIN, "Karin Svensson")
    _, page = log_in(client, provider, acr=acr)
    assert page.status_code == 403
    assert "för låg tillitsnivå" in page.content.decode()
    assert "_auth_user_id" not in client.session


def test_a_person_whom_nobody_has_added_is_told_whom_to_ask(client, provider):
    _, page = log_in(client, provider, "198112289874")
    assert page.status_code == 403
    assert "Be en administratör" in page.content.decode()
    assert not Person.objects.exists()


def test_a_locked_person_is_refused(client, provider):
    person, _ = Person.add(KARIN, "Karin Svensson")
    Person.objects.update(is_active=False)
    _, page = log_in(client, provider)
    assert "spärrad" in page.content.decode()
    assert EidBackend().get_user(person.pk) is None


def test_without_the_configured_claim_nobody_gets_in(client, provider, settings):
    settings.SDK_OIDC_PERSON_CLAIM = "employeeHsaId"
    Person.add(KARIN, "Karin Svensson")
    _, page = log_in(client, provider)
    assert page.status_code == 403
    assert "lämnade inte de uppgifter" in page.content.decode()


def test_a_login_that_was_cancelled_has_a_way_back(client, provider):
    there = client.get("/logga-in/borja", HTTP_HOST="localhost:8000").headers["Location"]
    state = parse_qs(urlsplit(there).query)["state"][0]
    answer = client.get(f"/oidc/callback/?error=access_denied&state={state}", HTTP_HOST="localhost:8000")
    page = client.get(answer.headers["Location"], HTTP_HOST="localhost:8000")
    assert "Inloggningen avbröts." in page.content.decode()
    assert 'href="/logga-in"' in page.content.decode()


def test_an_answer_that_was_not_asked_for_is_refused(client, provider):
    answer = client.get("/oidc/callback/?code=x&state=made-up", HTTP_HOST="localhost:8000")
    assert answer.status_code in {302, 400}
    assert "_auth_user_id" not in client.session


def test_a_token_of_another_issuer_is_no_login(client, provider, settings):
    settings.OIDC_ISSUER = "https://another.example"
    Person.add(KARIN, "Karin Svensson")
    _, page = log_in(client, provider)
    assert page.status_code == 403
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, ""),
        ({"aud": ["sdkportal"]}, ""),
        ({"aud": ["sdkportal", "other"], "azp": "sdkportal"}, ""),
        ({"iss": "https://other"}, "issued by somebody else"),
        ({"aud": "other"}, "meant for somebody else"),
        ({"aud": None}, "meant for somebody else"),
        ({"aud": ["sdkportal", "other"]}, "meant for several, and not for us first"),
        ({"exp": None}, "without a time"),
        ({"iat": 99_999_999_999}, "issued in the future"),
    ],
)
def test_an_id_token_is_for_us_and_from_our_provider(settings, changes, problem):
    settings.OIDC_ISSUER = "https://provider.example"
    settings.OIDC_RP_CLIENT_ID = "sdkportal"
    claims = {
        "iss": "https://provider.example",
        "aud": "sdkportal",
        "exp": 2_000_000_000,
        "iat": 1_700_000_000,
    }
    assert problem_of({**claims, **changes}) == problem


def test_nothing_personal_reaches_the_log(client, provider, caplog):
    Person.add(KARIN, "Karin Svensson")
    with caplog.at_level("DEBUG", logger="mailbox"):
        log_in(client, provider)
        log_in(client, provider, "198112289874")
    told = "\n".join(record.getMessage() + str(getattr(record, "fields", "")) for record in caplog.records)
    assert "login_refused" in told
    assert KARIN not in told
    assert "198112289874" not in told
    assert "Karin" not in told


def test_with_a_key_the_client_shows_a_signed_assertion_and_no_secret(settings, tmp_path, monkeypatch):
    path = tmp_path / "client.pem"
    path.write_bytes(
        key("oidc-client").private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    settings.SDK_OIDC_CLIENT_KEY = str(path)
    settings.OIDC_RP_CLIENT_ID = "sdkportal"
    settings.OIDC_OP_TOKEN_ENDPOINT = "https://provider.example/token"
    sent = {}
    monkeypatch.setattr(
        "mozilla_django_oidc.auth.OIDCAuthenticationBackend.get_token",
        lambda _, form: sent.update(form) or {},
    )
    EidBackend().get_token({"client_id": "sdkportal", "client_secret": "x", "code": "c"})
    assert "client_secret" not in sent
    claims = jwt.decode(
        sent["client_assertion"],
        key("oidc-client").public_key(),
        algorithms=["RS256"],
        audience="https://provider.example/token",
    )
    assert (claims["iss"], claims["sub"]) == ("sdkportal", "sdkportal")
    assert claims["exp"] - claims["iat"] <= 60
