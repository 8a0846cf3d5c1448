"""The service's own database user reads and writes rows; it cannot take away what guards the access log."""

import os
import subprocess
import sys
from collections.abc import Generator

import psycopg
import pytest

from testbed.node import PROJECT
from tests.faults.pages import Pages

pytestmark = pytest.mark.xdist_group("many-pages")
SCRIPTS = PROJECT / "deploy" / "postgresql"


def as_role(pages: Pages, role: str) -> str:
    return pages.postgres.url("pages").replace("postgres@", f"{role}@")


@pytest.fixture
def service(pages: Pages) -> Generator[psycopg.Connection, None, None]:
    """A node that had one role so far, after deploy/ has divided it; a connection of the service's."""
    for role, script in (
        ("postgres", "roles.sql"),
        ("sdkportal_owner", "grants.sql"),
        # Again, as after an upgrade.
        ("postgres", "roles.sql"),
        ("sdkportal_owner", "grants.sql"),
    ):
        with psycopg.connect(as_role(pages, role), autocommit=True) as connection:
            connection.execute((SCRIPTS / script).read_text())
    with psycopg.connect(as_role(pages, "sdkportal"), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER access_log_grows_only ON mailbox_accesslogentry",
        "ALTER TABLE mailbox_accesslogentry DISABLE TRIGGER access_log_grows_only",
        "ALTER TABLE mailbox_accesslogentry DISABLE TRIGGER ALL",
        "CREATE OR REPLACE FUNCTION access_log_grows_only() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RETURN NEW; END'",
        "DROP FUNCTION access_log_grows_only() CASCADE",
        "CREATE FUNCTION public.own() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE RULE own AS ON INSERT TO mailbox_accesslogentry DO INSTEAD NOTHING",
        "TRUNCATE mailbox_accesslogentry",
        "DELETE FROM mailbox_accesslogentry",
        "UPDATE mailbox_accesslogentry SET what = 'x'",
        "DROP TABLE mailbox_accesslogentry",
        "ALTER TABLE mailbox_accesslogentry RENAME TO gone",
        "SET session_replication_role = replica",
        "SET ROLE sdkportal_owner",
        "DELETE FROM django_migrations",
        "CREATE TABLE own (id int)",
    ],
)
def test_the_service_cannot_take_away_what_guards_the_access_log(service, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        service.execute(statement)


def test_the_service_reads_every_table_and_writes_rows(service):
    tables = service.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert len(tables) > 30
    for (table,) in tables:
        service.execute(f'SELECT * FROM "{table}" LIMIT 0')
        if table != "django_migrations":
            assert service.execute("SELECT has_table_privilege(%s, 'INSERT')", [table]).fetchone() == (True,)


def test_a_node_works_as_the_service_s_user(service, pages):
    """It notes in the access log, and the log is whole after that."""
    script = (
        "import django; django.setup()\n"
        "from mailbox import access_log\n"
        "from mailbox.models import Conversation, Person\n"
        "access_log.record_printed(Person.objects.first(), Conversation.objects.first())\n"
        "assert not list(access_log.verify('0203:habo.se'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "sdkportal.settings",
            "SDK_DATABASE_URL": as_role(pages, "sdkportal"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert service.execute("SELECT count(*) > 0 FROM mailbox_accesslogentry").fetchone() == (True,)


def test_what_a_migration_makes_belongs_to_the_owner_and_is_the_service_s_to_use(service, pages):
    with psycopg.connect(as_role(pages, "sdkportal_owner"), autocommit=True) as owner:
        owner.execute("CREATE TABLE made_later (id bigserial PRIMARY KEY)")
        try:
            service.execute("INSERT INTO made_later DEFAULT VALUES")
            assert service.execute("SELECT count(*) FROM made_later").fetchone() == (1,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                service.execute("DROP TABLE made_later")
        finally:
            owner.execute("DROP TABLE made_later")
