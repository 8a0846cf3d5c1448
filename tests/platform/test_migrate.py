"""`migrate` beside processes that use the tables: it waits for nobody for long, and tries again."""

import threading
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from sdkportal.doctor import migrations
from sdkportal.management.commands import migrate
from sdkportal.postgresql import schema

pytestmark = pytest.mark.django_db(transaction=True)
TABLE = "doctor_examination"
MADE = "0002_made_up"
_FILE = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("doctor", "0001_examinations")]
    operations = [migrations.AddField("examination", "note", models.TextField(null=True))]
"""


@pytest.fixture
def one_more(tmp_path, settings, monkeypatch):
    """A migration that adds a column to a table; undone after the test."""
    package = tmp_path / "made_to_wait"
    package.mkdir()
    (package / "__init__.py").touch()
    first = "0001_examinations.py"
    (package / first).write_text((Path(migrations.__file__).parent / first).read_text())
    (package / f"{MADE}.py").write_text(_FILE)
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.MIGRATION_MODULES = {"doctor": package.name}
    yield
    call_command("migrate", "doctor", "0001", verbosity=0)


def has_column() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM information_schema.columns WHERE table_name = %s AND column_name = 'note'", [TABLE]
        )
        return cursor.fetchone() is not None


def reader() -> psycopg.Connection:
    """A page's transaction that has read the table and is not over."""
    given = connection.get_connection_params()
    wanted = {name: given[name] for name in ("host", "port", "user", "password", "dbname") if name in given}
    other = psycopg.connect(**wanted)
    other.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(TABLE)))
    return other


def test_it_tries_again_until_the_table_is_free(one_more, monkeypatch):
    other = reader()
    tried = []

    def pause(_seconds: float) -> None:
        # Nobody stands behind the migration meanwhile: the table can be read.
        other.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(TABLE)))
        tried.append(has_column())
        if len(tried) == 3:
            other.close()

    monkeypatch.setattr(migrate.time, "sleep", pause)
    call_command("migrate", "doctor", verbosity=0)
    assert tried == [False, False, False]
    assert has_column()


def test_it_says_so_when_it_gets_no_lock(one_more, monkeypatch):
    monkeypatch.setattr(migrate, "_TRY_SECONDS", 0)
    with reader(), pytest.raises(CommandError, match="has not got its locks"):
        call_command("migrate", "doctor", verbosity=0)
    assert not has_column()


def test_the_locks_of_a_migration_are_found_before_it_runs(one_more):
    loader = MigrationLoader(connection)
    state = loader.project_state(("doctor", "0001_examinations"))
    made = loader.get_migration("doctor", MADE)
    assert schema.tables_locked_by(connection, state, made) == ([TABLE], [])
    before = loader.project_state(("mailbox", "0031_redirections"))
    forwards = loader.get_migration("mailbox", "0032_what_a_draft_forwards")
    assert schema.tables_locked_by(connection, before, forwards) == (["mailbox_draft"], ["mailbox_message"])


def test_a_migration_that_waits_for_one_table_has_not_closed_another_for_long(one_more):
    """A page that began to wait meanwhile is let go before PostgreSQL looks for deadlocks, after a second."""
    page = reader()
    read = []

    def read_on() -> None:
        with page:
            read.append(page.execute("SELECT count(*) FROM django_content_type").fetchone())

    waiting = threading.Thread(target=read_on)

    def migration() -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE django_content_type IN ACCESS EXCLUSIVE MODE")
            waiting.start()
            schema._lock(connection, [TABLE], [])

    with pytest.raises(OperationalError, match="lock timeout"):
        migration()
    waiting.join(30)
    assert len(read) == 1
