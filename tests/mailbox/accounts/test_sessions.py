"""How long a login lasts, and who ends it."""

import asyncio
import time
from urllib.parse import urlsplit

import pytest
import requests
from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import AsyncClient

from mailbox import events
from mailbox.accounts import sessions
from mailbox.accounts.login import EidBackend
from mailbox.live.hub import hub
from mailbox.models import FunctionMailbox, LoginSession, Membership, Person
from testbed.eid import Login
from testbed.register import Person as Citizen
from tests.mailbox.live.reading import next_event

from .test_login import KARIN, LOA3, log_in, provider

__all__ = ["provider"]
pytestmark = pytest.mark.xdist_group("federation-clients")
BACKEND = "mailbox.accounts.login.EidBackend"
OTHER = "198502022384"


@pytest.fixture
def karin(db) -> Person:
    return Person.add(KARIN, "Karin Svensson")[0]


def is_logged_in(client) -> bool:
    return client.get("/").status_code == 200


def back_to(client, seconds: float, *names: str) -> None:
    """Let the session's times lie so far back."""
    session = client.session
    for name in names:
        session[name] = time.time() - seconds
    session.save()


def test_a_session_ends_when_nobody_has_been_there(client, karin, settings):
    client.force_login(karin, backend=BACKEND)
    back_to(client, settings.SDK_SESSION_IDLE_SECONDS - 5, sessions.SEEN, sessions.BEGUN)
    assert is_logged_in(client)
    back_to(client, settings.SDK_SESSION_IDLE_SECONDS + 5, sessions.SEEN)
    assert not is_logged_in(client)
    page = client.get("/logga-in").content.decode()
    assert "Du har loggats ut" in page
    assert "Du har loggats ut" not in client.get("/logga-in").content.decode()
    assert not LoginSession.objects.exists()


def test_a_session_ends_though_somebody_is_there_all_the_time(client, karin, settings):
    client.force_login(karin, backend=BACKEND)
    back_to(client, settings.SESSION_COOKIE_AGE + 5, sessions.BEGUN)
    assert not is_logged_in(client)


def test_only_what_a_person_does_counts_as_being_there(client, karin, settings):
    client.force_login(karin, backend=BACKEND)
    for header, counts in (({"X-Background": "1"}, False), ({}, True)):
        back_to(client, 100, sessions.SEEN)
        before = client.session[sessions.SEEN]
        assert client.get("/", headers=header).status_code == 200
        assert (client.session[sessions.SEEN] != before) is counts


def test_a_part_of_a_page_takes_the_whole_page_to_the_login(client, db):
    response = client.get("/", headers={"HX-Request": "true"})
    assert response.status_code == 401
    assert response.headers["HX-Redirect"] == "/logga-in"


@pytest.mark.django_db(transaction=True)
def test_a_stream_ends_when_the_session_is_over(settings):
    person = Person.add(KARIN, "Karin Svensson")[0]
    mailbox = FunctionMailbox.objects.create(participant_id="0203:a.se", address="a", name="A")
    Membership.objects.create(person=person, mailbox=mailbox)
    client = AsyncClient()

    async def story() -> None:
        await sync_to_async(client.force_login)(person, backend=BACKEND)
        stream = (await client.get("/handelser")).streaming_content.__aiter__()
        for _ in range(3):
            await next_event(stream)
        await sync_to_async(back_to)(client, settings.SDK_SESSION_IDLE_SECONDS + 5, sessions.SEEN)
        await sync_to_async(events.announce)(mailbox.pk)
        assert b"ended" in await next_event(stream)
        with pytest.raises(StopAsyncIteration):
            await next_event(stream)
        hub._listener.cancel()
        await sync_to_async(lambda: connection.close())()

    asyncio.run(story())


@pytest.mark.django_db(transaction=True)
def test_logging_out_in_one_place_logs_out_everywhere(provider, live_server):
    """Two browsers of one person and one of another's: the provider tells of those that it ends."""
    for subject, name in ((KARIN, "Karin Svensson"), (OTHER, "Olle Berg")):
        Person.add(subject, name)
        provider.add_person(Citizen(subject, name, LOA3))
    here, there, other = (browser(live_server.url, subject) for subject in (KARIN, KARIN, OTHER))
    assert LoginSession.objects.count() == 3
    token = here.get(f"{live_server.url}/").text.partition('name="csrfmiddlewaretoken" value="')[2][:64]
    here.post(f"{live_server.url}/logga-ut", data={"csrfmiddlewaretoken": token}, timeout=10)
    assert [shown(each, live_server.url) for each in (here, there, other)] == ["login", "login", "start"]
    assert [row.person.name for row in LoginSession.objects.all()] == ["Olle Berg"]


def browser(url: str, subject: str) -> requests.Session:
    """Somebody who has logged in by the provider."""
    session = requests.Session()
    there = session.get(f"{url}/logga-in/borja", allow_redirects=False, timeout=10).headers["Location"]
    session.post(there, data={"subject": subject}, timeout=10)
    return session


def shown(session: requests.Session, url: str) -> str:
    return "login" if urlsplit(session.get(f"{url}/", timeout=10).url).path == "/logga-in" else "start"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "another-client"}, "claims"),
        ({"iss": "https://elsewhere.example"}, "claims"),
        ({"exp": 1}, "signature"),
        ({"events": {}}, "event"),
        ({"events": "backchannel-logout"}, "event"),
        ({"nonce": "of-an-id-token"}, "event"),
        ({"sub": None, "sid": None}, "names-nobody"),
    ],
)
def test_what_is_no_logout_token_ends_nothing(client, provider, karin, changes, reason):
    log_in(client, provider)
    row = LoginSession.objects.get()
    forged = provider.eid.logout_token(Login(KARIN, row.provider_session, ""), **changes)
    with pytest.raises(sessions.NotALogoutToken) as refused:
        sessions.end_sessions_of_token(forged)
    assert refused.value.reason == reason
    response = client.post("/oidc/utloggad", {"logout_token": forged})
    assert (response.status_code, response.headers["Cache-Control"]) == (400, "no-store")
    assert is_logged_in(client)


def test_an_id_token_or_nothing_at_all_ends_nothing(client, provider, karin, monkeypatch):
    shown: list[str] = []
    verify = EidBackend.verify_token
    monkeypatch.setattr(
        EidBackend, "verify_token", lambda *args, **more: shown.append(args[1]) or verify(*args, **more)
    )
    log_in(client, provider)
    assert len(shown) == 1
    for token in (*shown, "", "no.token.atall"):
        assert client.post("/oidc/utloggad", {"logout_token": token}).status_code == 400
    assert is_logged_in(client)


def test_a_login_is_ended_by_its_name_alone(client, provider, karin):
    """A provider may name the session, the person, or both."""
    for named in ({"sub": None}, {"sid": None}, {}):
        log_in(client, provider)
        assert SESSION_KEY in client.session
        row = LoginSession.objects.get()
        token = provider.eid.logout_token(Login(KARIN, row.provider_session, ""), **named)
        assert client.post("/oidc/utloggad", {"logout_token": token}).status_code == 200
        assert not is_logged_in(client)


def test_what_is_kept_of_sessions_that_are_gone_is_removed(client, karin):
    client.force_login(karin, backend=BACKEND)
    sessions.remove_ended_sessions()
    assert LoginSession.objects.count() == 1
    Session.objects.all().update(expire_date="2020-01-01T00:00:00Z")
    sessions.remove_ended_sessions()
    assert not LoginSession.objects.exists()
    assert not Session.objects.exists()
