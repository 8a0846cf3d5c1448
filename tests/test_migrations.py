"""Migrations suit the last release's processes, and what would not is refused."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scripts import last_release
from scripts.lint_migrations import EXCEPTIONS, problems

pytestmark = pytest.mark.django_db
PROJECT = Path(__file__).resolve().parent.parent
RELEASED = replace(last_release.read(), migrations=last_release.migrations_of())
_FILE = """
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = [("doctor", "0001_examinations")]
    operations = [{operation}]
"""


def found_in(operation: str, directory: Path, settings, monkeypatch, *, atomic: bool = True, exceptions=None):
    """What the linter says of one more migration of sdkportal/doctor."""
    package = directory / f"made_{directory.name}"
    package.mkdir()
    first = PROJECT / "sdkportal/doctor/migrations/0001_examinations.py"
    (package / "__init__.py").touch()
    (package / first.name).write_text(first.read_text())
    (package / "0002_made_up.py").write_text(_FILE.format(operation=operation, atomic=atomic))
    monkeypatch.syspath_prepend(str(directory))
    settings.MIGRATION_MODULES = {"doctor": package.name}
    try:
        return list(problems(RELEASED, exceptions or {}))
    finally:
        for name in [name for name in sys.modules if name.startswith(package.name)]:
            del sys.modules[name]


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ('migrations.RemoveField("examination", "host")', "DROP_COLUMN"),
        ('migrations.DeleteModel("examination")', "DROP_TABLE"),
        ('migrations.RenameField("examination", "host", "machine")', "RENAME_COLUMN"),
        ('migrations.AlterModelTable("examination", "examined")', "RENAME_TABLE"),
        ('migrations.AddField("examination", "note", models.TextField(default=""))', "NOT_NULL"),
        ('migrations.AlterField("examination", "finished_at", models.DateTimeField())', "NOT_NULL"),
        ('migrations.AlterField("examination", "host", models.TextField())', "ALTER_COLUMN"),
        ('migrations.AlterField("examination", "host", models.TextField(unique=True))', "ADD_UNIQUE"),
        ('migrations.AddIndex("examination", models.Index(fields=["host"], name="by_host"))', "CREATE_INDEX"),
        ("migrations.RunPython(lambda apps, schema_editor: None)", "RUNPYTHON_REVERSIBLE"),
    ],
)
def test_what_the_last_release_or_a_large_table_would_not_stand_is_refused(
    operation, code, tmp_path, settings, monkeypatch
):
    lines = found_in(operation, tmp_path, settings, monkeypatch)
    assert any(line.startswith(f"doctor 0002_made_up: {code}: ") for line in lines), lines


@pytest.mark.parametrize(
    "operation",
    [
        'migrations.AddField("examination", "note", models.TextField(null=True))',
        'migrations.AddField("examination", "note", models.TextField(default="", db_default=""))',
        'migrations.CreateModel("Note", [("id", models.BigAutoField(primary_key=True)), '
        '("of", models.ForeignKey("examination", models.CASCADE)), ("kind", models.TextField())], '
        '{"indexes": [models.Index("kind", condition=models.Q(kind="a"), name="kinds_a")]})',
    ],
)
def test_what_only_adds_is_taken(operation, tmp_path, settings, monkeypatch):
    assert found_in(operation, tmp_path, settings, monkeypatch) == []


@pytest.mark.django_db(transaction=True)
def test_an_index_that_is_made_concurrently_is_taken(tmp_path, settings, monkeypatch):
    operation = 'AddIndexConcurrently("examination", models.Index(fields=["host"], name="by_host"))'
    assert found_in(operation, tmp_path, settings, monkeypatch, atomic=False) == []


def test_an_exception_lets_one_thing_through_and_is_refused_where_nothing_needs_it(
    tmp_path, settings, monkeypatch
):
    made = ("doctor", "0002_made_up")
    exceptions = {made: {"DROP_COLUMN": "no release has used it since 1.0", "DROP_TABLE": "not needed"}}
    lines = found_in(
        'migrations.RemoveField("examination", "host")',
        tmp_path,
        settings,
        monkeypatch,
        exceptions=exceptions,
    )
    assert lines == [
        "doctor 0002_made_up: nothing needs the exception for DROP_TABLE (scripts/lint_migrations.py)"
    ]


def test_what_was_released_is_not_looked_at_again():
    assert list(problems(RELEASED, {})) == []


def test_every_exception_has_a_reason():
    assert all(len(reason) > 20 for reasons in EXCEPTIONS.values() for reason in reasons.values())
