"""Which tokens are the provider's: key sets as others write them, its clock, and tokens used again."""

import time

import pytest
from django.core.exceptions import SuspiciousOperation

from mailbox.accounts import provider_keys
from mailbox.accounts.sessions import remove_ended_sessions
from mailbox.models import LoginSession, Person, UsedLogoutToken
from testbed.eid import Login

from .test_login import KARIN, log_in, provider

__all__ = ["provider"]
pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("federation-clients")]
UNKNOWN_TYPE = {"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AAAA"}
OF_ANOTHER_KIND = {"kty": "OKP", "crv": "Ed448", "kid": "ed", "x": "AAAA"}
BROKEN = {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"}


@pytest.fixture
def eid(provider):
    """The provider's e-ID, as it is again afterwards; keys are fetched anew."""
    eid = provider.eid
    provider_keys.discard()
    yield eid
    eid.published, eid.seconds_ahead, eid.userinfo_overrides = None, 0, {}
    provider_keys.discard()


@pytest.fixture
def karin(db) -> Person:
    return Person.add(KARIN, "Karin Svensson")[0]


def nameless(key: dict) -> dict:
    return {name: value for name, value in key.items() if name != "kid"}


@pytest.mark.parametrize(
    "published",
    [
        lambda key: [nameless(key)],
        lambda key: [nameless(key), UNKNOWN_TYPE],
        lambda key: [UNKNOWN_TYPE, OF_ANOTHER_KIND, BROKEN, key],
        lambda key: [UNKNOWN_TYPE | {"kid": key["kid"]}, BROKEN | {"kid": key["kid"]}, key],
        lambda key: ["no key", None, key],
        lambda key: [nameless(key) | {"use": "enc"}, key],
    ],
)
def test_a_key_set_may_have_keys_without_names_and_of_types_unknown_here(
    client, provider, eid, karin, published
):
    eid.published = published(eid.public_key)
    _, page = log_in(client, provider)
    assert page.status_code == 200
    assert LoginSession.objects.count() == 1


@pytest.mark.parametrize("published", [[], [UNKNOWN_TYPE], [BROKEN], ["no key"]])
def test_a_key_set_without_the_right_key_is_a_refused_login_and_no_error(
    client, provider, eid, karin, published
):
    eid.published = published
    _, page = log_in(client, provider)
    assert page.status_code == 403


def test_a_key_for_encryption_signs_nothing(eid):
    eid.published = [eid.public_key | {"use": "enc"}]
    with pytest.raises(SuspiciousOperation):
        provider_keys.claims_of(eid.logout_token(Login(KARIN, "sid", "")), "RS256")


@pytest.mark.parametrize("answer", [[], {"sub": None}, "x"])
def test_userinfo_that_is_none_is_a_refused_login_and_no_error(
    client, provider, eid, karin, monkeypatch, answer
):
    monkeypatch.setattr("mozilla_django_oidc.auth.OIDCAuthenticationBackend.get_userinfo", lambda *_: answer)
    _, page = log_in(client, provider)
    assert page.status_code == 403


@pytest.mark.parametrize(("ahead", "status"), [(50, 200), (300, 403)])
def test_the_provider_s_clock_may_be_a_minute_ahead(client, provider, eid, karin, ahead, status):
    eid.seconds_ahead = ahead
    _, page = log_in(client, provider)
    assert page.status_code == status


@pytest.mark.parametrize(("ahead", "status"), [(50, 200), (300, 400)])
def test_a_logout_token_may_be_a_minute_ahead(client, provider, eid, karin, ahead, status):
    log_in(client, provider)
    row = LoginSession.objects.get()
    token = eid.logout_token(Login(KARIN, row.provider_session, ""), iat=int(time.time()) + ahead)
    assert client.post("/oidc/utloggad", {"logout_token": token}).status_code == status


def test_a_logout_token_ends_nothing_twice(client, provider, eid, karin):
    log_in(client, provider)
    # It names the person alone, so that it would fit every later login.
    token = eid.logout_token(Login(KARIN, "", ""), sid=None, iat=int(time.time()) + 30)
    assert client.post("/oidc/utloggad", {"logout_token": token}).status_code == 200
    assert not LoginSession.objects.exists()
    log_in(client, provider)
    assert client.post("/oidc/utloggad", {"logout_token": token}).status_code == 400
    assert LoginSession.objects.count() == 1


def test_a_logout_token_from_before_the_login_does_not_end_it(client, provider, eid, karin):
    token = eid.logout_token(Login(KARIN, "", ""), sid=None, iat=int(time.time()) - 5)
    log_in(client, provider)
    assert client.post("/oidc/utloggad", {"logout_token": token}).status_code == 200
    assert LoginSession.objects.count() == 1


def test_a_logout_token_without_a_name_of_its_own_is_none(client, provider, eid, karin):
    token = eid.logout_token(Login(KARIN, "", ""), jti=None)
    assert client.post("/oidc/utloggad", {"logout_token": token}).status_code == 400


def test_used_logout_tokens_are_forgotten_when_they_have_expired(client, provider, eid, karin):
    token = eid.logout_token(Login(KARIN, "x", ""))
    assert client.post("/oidc/utloggad", {"logout_token": token}).status_code == 200
    remove_ended_sessions()
    assert UsedLogoutToken.objects.count() == 1
    UsedLogoutToken.objects.update(forgotten_at="2020-01-01T00:00:00Z")
    remove_ended_sessions()
    assert not UsedLogoutToken.objects.exists()


def test_tokens_that_nobody_has_signed_do_not_have_the_keys_fetched_each_time(
    client, provider, eid, karin, monkeypatch
):
    fetched: list[str] = []
    fetch = provider_keys._fetch
    monkeypatch.setattr(provider_keys, "_fetch", lambda at: fetched.append(at) or fetch(at))
    good = eid.logout_token(Login(KARIN, "x", ""))
    forged = good[:-20] + "A" * 20
    for _ in range(20):
        assert client.post("/oidc/utloggad", {"logout_token": forged}).status_code == 400
    assert client.post("/oidc/utloggad", {"logout_token": good}).status_code == 200
    assert len(fetched) == 1


def test_a_key_that_the_provider_has_changed_to_is_fetched(eid, monkeypatch):
    token = eid.logout_token(Login(KARIN, "x", ""))
    eid.published = []
    with pytest.raises(SuspiciousOperation):
        provider_keys.claims_of(token, "RS256")
    eid.published = None
    monkeypatch.setattr(provider_keys, "_FETCHED_EVERY_SECONDS", -1.0)
    assert provider_keys.claims_of(token, "RS256")["sid"] == "x"
