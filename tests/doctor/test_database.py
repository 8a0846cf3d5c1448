"""What the doctor says of the database, each check as it is well and as it is not."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from sdkportal.doctor import database

from .build import found, problems

pytestmark = pytest.mark.django_db


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def service_role() -> str:
    """A role that may do what deploy/postgresql/grants.sql lets the service do; not yet the current one."""
    execute(
        "CREATE ROLE doctor_service",
        "GRANT USAGE ON SCHEMA public TO doctor_service",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO doctor_service",
        "REVOKE UPDATE, DELETE ON mailbox_accesslogentry FROM doctor_service",
    )
    return "doctor_service"


def test_the_version_of_the_server_is_told_and_an_old_one_fails(monkeypatch):
    assert found(database.version) == [("OK", "")]
    monkeypatch.setattr(database, "_OLDEST", 990000)
    assert found(database.version) == [("FAILURE", "database-old")]


def test_a_missing_extension_is_named():
    assert found(database.extensions) == [("OK", "")]
    execute("DROP EXTENSION pg_trgm CASCADE")
    (finding,) = database.extensions()
    assert (finding.code, finding.detail) == ("extension-missing", "pg_trgm")


def test_a_role_that_owns_the_access_log_fails():
    assert ("FAILURE", "access-log-unguarded") in found(database.rights)


def test_the_service_s_own_role_is_well(service_role):
    execute(f"SET LOCAL ROLE {service_role}")
    assert found(database.rights) == [("OK", "")]


@pytest.mark.parametrize("right", ["UPDATE", "DELETE", "TRUNCATE", "TRIGGER"])
def test_a_role_that_could_change_the_access_log_or_its_trigger_fails(service_role, right):
    execute(f"GRANT {right} ON mailbox_accesslogentry TO {service_role}", f"SET LOCAL ROLE {service_role}")
    assert found(database.rights) == [("FAILURE", "access-log-unguarded")]


def test_a_role_that_could_become_the_owner_fails(service_role):
    execute(
        "CREATE ROLE doctor_owner",
        "GRANT CREATE ON SCHEMA public TO doctor_owner",
        "ALTER TABLE mailbox_accesslogentry OWNER TO doctor_owner",
        f"GRANT doctor_owner TO {service_role}",
        f"SET LOCAL ROLE {service_role}",
    )
    assert ("FAILURE", "access-log-unguarded") in found(database.rights)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER access_log_grows_only ON mailbox_accesslogentry",
        "ALTER TABLE mailbox_accesslogentry DISABLE TRIGGER access_log_grows_only",
    ],
)
def test_an_access_log_without_its_trigger_fails(service_role, statement):
    execute(statement, f"SET LOCAL ROLE {service_role}")
    assert found(database.rights) == [("FAILURE", "access-log-trigger-missing")]


def test_a_table_that_the_service_may_not_use_is_named(service_role):
    execute(f"REVOKE INSERT ON mailbox_draft FROM {service_role}", f"SET LOCAL ROLE {service_role}")
    (finding,) = database.rights()
    assert (finding.code, finding.detail) == ("rights-missing", "mailbox_draft")


def test_migrations_that_have_not_run_and_those_of_a_newer_version_are_told():
    assert found(database.migrations) == [("OK", "")]
    execute("INSERT INTO django_migrations (app, name, applied) VALUES ('mailbox', '9999_later', now())")
    (finding,) = database.migrations()
    assert (finding.level.name, finding.code) == ("WARNING", "database-newer-than-code")
    assert finding.detail == "mailbox 9999_later"
    execute("DELETE FROM django_migrations WHERE app = 'doctor'")
    (finding,) = database.migrations()
    assert (finding.code, finding.detail) == ("migrations-unapplied", "doctor 0001_examinations")


@pytest.mark.parametrize(
    ("off", "expected"),
    [
        (0, ("OK", "")),
        (3, ("WARNING", "clock-wrong")),
        (-3, ("WARNING", "clock-wrong")),
        (60, ("FAILURE", "clock-wrong")),
    ],
)
def test_a_clock_that_is_not_the_database_s_is_told(monkeypatch, off, expected):
    now = timezone.now
    monkeypatch.setattr(database.timezone, "now", lambda: now() + timedelta(seconds=off))
    assert found(database.clock) == [expected]


def test_a_slow_answer_is_not_taken_for_a_wrong_clock():
    assert database.judged_clock(20.0, 20.0).level.name == "OK"
    assert database.judged_clock(20.0, 5.0).level.name == "FAILURE"
    assert problems(lambda: [database.judged_clock(-2.0, 20.0)]) == [("WARNING", "clock-wrong")]
