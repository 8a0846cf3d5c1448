"""What a login leaves behind: nothing that tells who somebody is, and nothing that opens a session."""

from importlib import import_module
from urllib.parse import parse_qs, urlsplit

import pytest
from django.apps import apps
from django.conf import settings as node
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as PlainStore
from django.contrib.sessions.models import Session
from django.db import connection

from mailbox.accounts import session_store, sessions
from mailbox.models import LoginSession, Person
from mailbox.models.person import subject_key

from .test_login import KARIN, log_in, provider

__all__ = ["provider"]
pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("federation-clients")]
HOST = {"HTTP_HOST": "localhost:8000"}


@pytest.fixture
def karin(db) -> Person:
    return Person.add(KARIN, "Karin Svensson")[0]


def everything_stored() -> str:
    """Every column of what is kept of sessions, as the database has it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT row_to_json(s)::text FROM django_session s "
            "UNION ALL SELECT row_to_json(l)::text FROM mailbox_loginsession l"
        )
        return "\n".join(text for (text,) in cursor.fetchall())


def is_logged_in(client) -> bool:
    return client.get("/").status_code == 200


def test_the_database_tells_no_name_number_or_key_of_who_is_logged_in(client, provider, karin):
    log_in(client, provider)
    key = client.cookies[node.SESSION_COOKIE_NAME].value
    stored = everything_stored()
    assert LoginSession.objects.count() == Session.objects.count() == 1
    assert Session.objects.get().session_data.startswith("at-rest:1:")
    assert not [word for word in (key, KARIN, "Karin", "eyJ", "id_token", "_auth_user") if word in stored]
    assert not [name for name, _ in client.session.items() if "token" in name]


def test_what_the_table_holds_of_a_key_opens_no_session(client, provider, karin):
    log_in(client, provider)
    client.cookies[node.SESSION_COOKIE_NAME] = Session.objects.get().session_key
    assert not is_logged_in(client)


def test_a_session_does_not_open_in_the_place_of_another(client, karin):
    client.force_login(karin, backend="mailbox.accounts.login.EidBackend")
    other = session_store.SessionStore()
    other["x"] = 1
    other.save()
    row = Session.objects.get(session_key=session_store.stored_key(client.session.session_key))
    Session.objects.filter(session_key=session_store.stored_key(other.session_key)).update(
        session_data=row.session_data
    )
    assert session_store.SessionStore(other.session_key).load() == {}
    assert is_logged_in(client)


def test_a_session_in_the_clear_is_not_taken_and_is_removed(client, karin):
    plain = PlainStore()
    plain[SESSION_KEY] = str(karin.pk)
    key = "a" * 32
    Session.objects.create(
        session_key=session_store.stored_key(key),
        session_data=plain.encode({SESSION_KEY: str(karin.pk)}),
        expire_date="2099-01-01T00:00:00Z",
    )
    assert session_store.SessionStore(key).load() == {}
    sessions.remove_ended_sessions()
    assert not Session.objects.exists()


def test_the_upgrade_erases_sessions_that_hold_tokens(client, karin):
    Session.objects.create(session_key="k", session_data="token", expire_date="2099-01-01T00:00:00Z")
    LoginSession.objects.create(session_key="k", person=karin)
    import_module("mailbox.migrations.0030_sealed_sessions").end_all(apps, None)
    assert not Session.objects.exists()
    assert not LoginSession.objects.exists()


def test_logging_out_sends_no_token_in_an_address(client, provider, karin):
    log_in(client, provider)
    there = urlsplit(client.post("/logga-ut", **HOST).headers["Location"])
    assert set(parse_qs(there.query)) == {"client_id", "post_logout_redirect_uri"}
    assert not is_logged_in(client)
    assert not Session.objects.exists()
    assert not LoginSession.objects.exists()


def test_a_link_on_another_site_logs_nobody_out(client, provider, karin):
    log_in(client, provider)
    assert client.get("/logga-ut", **HOST).status_code == 405
    assert is_logged_in(client)


def test_visits_before_a_login_leave_no_session(client, provider):
    provider.eid.userinfo_overrides = {}
    for _ in range(3):
        client.cookies.clear()
        client.get("/logga-in")
        client.get("/logga-in/borja", **HOST)
        client.get("/oidc/authenticate/", **HOST)
        client.get("/oidc/callback/?error=access_denied&state=x", **HOST)
        client.get("/oidc/callback/?code=x&state=x", **HOST)
        client.get("/logga-in/nekad")
    log_in(client, provider)
    assert not Session.objects.exists()


def test_two_pages_of_one_browser_may_log_in_at_once(client, provider, karin):
    client.get("/logga-in/borja", **HOST)
    log_in(client, provider)
    assert is_logged_in(client)


def test_the_pages_of_a_login_show_what_the_cookie_of_this_node_says_and_no_other(client, db):
    for forged in ("x", "at-rest:1:", "at-rest:1:AAAA", '{"reason": "locked"}'):
        client.cookies[f"{node.SESSION_COOKIE_NAME}_refused"] = forged
        assert "spärrad" not in client.get("/logga-in/nekad").content.decode()
        client.cookies[f"{node.SESSION_COOKIE_NAME}_login"] = forged
        assert client.get("/oidc/callback/?code=x&state=x", **HOST).status_code == 302


def test_an_error_from_another_site_logs_nobody_out(client, provider, karin):
    log_in(client, provider)
    for address in ("/oidc/callback/?error=x", "/oidc/callback/?error=x&state=made-up", "/oidc/callback/"):
        client.get(address, **HOST)
        assert is_logged_in(client)


def test_userinfo_of_another_subject_is_no_login(client, provider, karin):
    provider.eid.userinfo_overrides = {"sub": "another"}
    try:
        _, page = log_in(client, provider)
    finally:
        provider.eid.userinfo_overrides = {}
    assert page.status_code == 403
    assert not LoginSession.objects.exists()


def test_a_second_login_in_one_browser_replaces_the_first(client, provider, karin):
    log_in(client, provider)
    first, key = LoginSession.objects.get(), client.session.session_key
    log_in(client, provider)
    second = LoginSession.objects.get()
    assert second.provider_session != first.provider_session
    assert second.provider_subject == first.provider_subject
    assert second.session_key == session_store.stored_key(client.session.session_key)
    assert not session_store.SessionStore().exists(key)
    assert second.provider_subject != subject_key("")
