"""Migrations beside processes that use the tables: a migration takes its locks before it does anything.

A migration that held one table's lock and waited for another's, while a page held that and waited for the
first, would be a deadlock. PostgreSQL ends one of the two when one has waited for `deadlock_timeout`, a
second; a page that is ended answers 500. So all locks that a migration needs are taken first and within less
than that second, or none.
"""

import re
import sys
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState

# All of a migration's locks are taken in so long, or none.
_LOCKING_MILLISECONDS: Final = 600
# What is locked later, by a migration's own Python or SQL, waits no longer either.
_LATER: Final = "200ms"
_ALTERED: Final = re.compile(r'(?:ALTER|DROP) TABLE (?:IF EXISTS )?(?:ONLY )?"?(\w+)"?')
_READ: Final = re.compile(
    r'(?:REFERENCES|INDEX(?: IF NOT EXISTS)?(?: "?\w+"?)? ON|TRIGGER .+? ON) "?(\w+)"?', re.S
)


class LockingExecutor(MigrationExecutor):
    """Runs migrations as Django's does, each with its locks taken first.

    Raises `OperationalError` (of `psycopg.errors.LockNotAvailable`) where they cannot be had at once; nothing
    of that migration has been done then. Migrations that are no transaction, as those that make indexes
    concurrently, take theirs as they come. In a database that is new nobody else is at work.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_new_database = not self.loader.applied_migrations

    def apply_migration(
        self, state: ProjectState, migration: Migration, fake: bool = False, fake_initial: bool = False
    ) -> ProjectState:
        if fake or fake_initial or not migration.atomic or self._is_new_database:
            return super().apply_migration(state, migration, fake=fake, fake_initial=fake_initial)
        exclusive, shared = tables_locked_by(self.connection, state, migration)
        editor_class = self.connection.SchemaEditorClass

        class Editor(editor_class):  # type: ignore[misc, valid-type]
            def __enter__(self) -> Any:
                entered = super().__enter__()
                try:
                    _lock(self.connection, exclusive, shared)
                except BaseException:
                    # Who fails to enter is not asked to leave: the transaction would stay open.
                    self.__exit__(*sys.exc_info())
                    raise
                return entered

        self.connection.SchemaEditorClass = Editor
        try:
            return super().apply_migration(state, migration)
        finally:
            self.connection.SchemaEditorClass = editor_class


def tables_locked_by(
    connection: BaseDatabaseWrapper, state: ProjectState, migration: Migration
) -> tuple[list[str], list[str]]:
    """The tables that a migration changes, and those that it lets nobody write to meanwhile."""
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        migration.apply(state.clone(), editor, collect_sql=True)
    statements = "\n".join(str(line) for line in editor.collected_sql if not str(line).startswith("--"))
    existing = set(connection.introspection.table_names())
    exclusive = set(_ALTERED.findall(statements)) & existing
    shared = (set(_READ.findall(statements)) & existing) - exclusive
    return sorted(exclusive), sorted(shared)


def _lock(connection: BaseDatabaseWrapper, exclusive: list[str], shared: list[str]) -> None:
    with connection.cursor() as cursor:
        if exclusive or shared:
            each = _LOCKING_MILLISECONDS // (len(exclusive) + len(shared))
            cursor.execute(f"SET LOCAL lock_timeout = '{max(each, 10)}ms'")
            # Those that are read by everybody are closed last.
            for tables, mode in ((shared, "SHARE ROW EXCLUSIVE"), (exclusive, "ACCESS EXCLUSIVE")):
                if tables:
                    names = ", ".join(connection.ops.quote_name(table) for table in tables)
                    cursor.execute(f"LOCK TABLE {names} IN {mode} MODE")
        cursor.execute(f"SET LOCAL lock_timeout = '{_LATER}'")
