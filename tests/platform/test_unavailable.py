"""Where the database is away or has no connection free, whoever asks is told to come again: never 500."""

import errno

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client
from psycopg_pool import PoolTimeout, TooManyRequests

from mailbox.accounts import views as accounts_views
from mailbox.models import OrganisationIdentity
from transport.access_point import views as access_point
from transport.message_api import views as message_api
from transport.storage.errors import StorageUnavailable


def caused_by(error: Exception) -> Exception:
    """As a layer between would raise it."""
    raised = RuntimeError("something could not be done")
    raised.__cause__ = error
    return raised


AWAY = [
    OperationalError("the connection is lost"),
    InterfaceError("the connection is closed"),
    caused_by(OperationalError()),
    StorageUnavailable("the object store: ReadTimeoutError"),
    OSError(errno.ENOSPC, "no space left"),
]


def raising(error: Exception):
    def raises(*given: object, **named: object) -> None:
        raise error

    return raises


@pytest.fixture
def outside() -> Client:
    return Client(raise_request_exception=False)


def test_what_a_full_pool_raises_is_what_a_lost_connection_raises():
    """Django makes its own OperationalError of both."""
    from psycopg import OperationalError as Theirs

    assert issubclass(PoolTimeout, Theirs)
    assert issubclass(TooManyRequests, Theirs)


@pytest.mark.parametrize("error", AWAY, ids=["lost", "closed", "caused", "storage", "disk full"])
def test_a_page_asks_to_come_again(outside, monkeypatch, error):
    monkeypatch.setattr(accounts_views, "render", raising(error))
    answer = outside.get("/logga-in")
    assert answer.status_code == 503
    assert 0 < int(answer.headers["Retry-After"]) <= 10
    assert "Försök igen om en stund" in answer.text


def test_the_api_asks_to_come_again_in_the_contract_s_form(outside, monkeypatch):
    monkeypatch.setattr(message_api.tokens, "caller_of", raising(OperationalError()))
    answer = outside.get("/v1/sdk/messages", headers={"Authorization": "Bearer x"})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["status"] == 503


def test_the_access_point_asks_to_come_again(outside, monkeypatch, settings):
    settings.ROOT_URLCONF = "sdkportal.urls_access_point"
    settings.SDK_TLS_CLIENT_HEADER = ""
    monkeypatch.setattr(access_point.inbound, "receive", raising(OperationalError()))
    answer = outside.post("/as4", b"--b--", content_type="multipart/related; boundary=b")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_any_other_error_is_still_an_error(outside, monkeypatch):
    monkeypatch.setattr(accounts_views, "render", raising(ValueError()))
    assert outside.get("/logga-in").status_code == 500


@pytest.mark.django_db
def test_the_login_page_asks_the_database_at_most_once_for_all_who_have_no_session(
    outside, django_assert_num_queries
):
    """The organisation's name and logo, which are remembered for a minute."""
    with django_assert_num_queries(1):
        for _ in range(3):
            answer = outside.get("/logga-in")
            assert answer.status_code == 200
            assert "sdk_session" not in answer.cookies


def test_the_login_page_is_shown_while_the_database_is_away(outside, monkeypatch):
    monkeypatch.setattr(OrganisationIdentity.objects, "defer", raising(OperationalError()))
    assert outside.get("/logga-in").status_code == 200
