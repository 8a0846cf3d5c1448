"""Sessions as they are stored, where a browser's requests write theirs at the same time."""

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session

from mailbox.accounts.session_store import SessionStore, stored_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> SessionStore:
    created = SessionStore()
    created["seen"] = 1
    created["notices"] = ["Sparat"]
    created.create()
    return created


def read(session: SessionStore) -> SessionStore:
    """The session as another request reads it."""
    again = SessionStore(session.session_key)
    assert again.get("seen")
    return again


def test_a_request_stores_what_it_has_changed_and_nothing_else(session):
    slow, quick = read(session), read(session)
    quick["notices"] = ["Sparat", "Skickat"]
    quick["chosen"] = "listan"
    quick.save()
    slow["seen"] = 2
    slow.save()
    assert dict(read(session).items()) == {"seen": 2, "notices": ["Sparat", "Skickat"], "chosen": "listan"}
    assert slow["notices"] == ["Sparat", "Skickat"]


def test_what_one_request_has_taken_out_another_does_not_put_back(session):
    slow, quick = read(session), read(session)
    assert quick.pop("notices") == ["Sparat"]
    quick.save()
    slow["seen"] = 2
    slow.save()
    assert dict(read(session).items()) == {"seen": 2}


def test_what_a_request_takes_out_is_gone_though_another_has_written_meanwhile(session):
    slow, quick = read(session), read(session)
    quick["seen"] = 2
    quick.save()
    del slow["notices"]
    slow.save()
    assert dict(read(session).items()) == {"seen": 2}


def test_a_change_inside_a_value_is_stored(session):
    changed = read(session)
    changed["notices"].append("Skickat")
    changed.save()
    assert read(session)["notices"] == ["Sparat", "Skickat"]


def test_a_session_with_a_new_key_has_all_that_the_old_one_had(session):
    old = session.session_key
    changed = read(session)
    changed.cycle_key()
    changed["seen"] = 2
    changed.save()
    assert dict(read(changed).items()) == {"seen": 2, "notices": ["Sparat"]}
    assert not Session.objects.filter(session_key=stored_key(old)).exists()


def test_a_session_that_was_ended_meanwhile_does_not_come_back(session):
    slow = read(session)
    read(session).flush()
    slow["seen"] = 2
    with pytest.raises(UpdateError):
        slow.save()
    assert not Session.objects.exists()


def test_a_session_that_nobody_can_decrypt_is_not_written_over(session):
    slow = read(session)
    Session.objects.update(session_data="in the clear")
    slow["seen"] = 2
    with pytest.raises(UpdateError):
        slow.save()
