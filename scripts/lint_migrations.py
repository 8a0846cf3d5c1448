"""Refuses migrations that the last release's processes, or a large table, would not stand.

    python -m scripts.lint_migrations

A node is migrated while processes of the last release use its database (docs/upgrading.md). So a migration
may add to the schema, and take away only what that release does not use: expand first, contract a release
later. django-migration-linter judges the SQL of each migration since the last release
(scripts/last_release.json); its warnings count as errors here. `EXCEPTIONS` allows some all the same, each
for a reason; an exception that nothing needs is an error too. Prints a line for each problem, and ends with 1
if there is any.
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import django

from scripts import last_release
from testbed.services import Postgres

Exceptions = Mapping[tuple[str, str], Mapping[str, str]]
# How a migration's functions call their arguments is a matter of taste.
_NOT_CHECKED = ("RUNPYTHON_ARGS_NAMING_CONVENTION", "RUNPYTHON_MODEL_VARIABLE_NAME")
_INDEX_CODES = ("CREATE_INDEX", "CREATE_INDEX_EXCLUSIVE")
_LONGER = {
    "ALTER_COLUMN": "character varying to text: no row is rewritten, and both releases read and write both"
}
_FEW_DRAFTS = "a node has some thousand drafts at most: the index is made in milliseconds"
_FEW_PEOPLE = "a node has some thousand people and memberships: the index is made in milliseconds"
_FEW_LEASES = "only rows under a lease are in the index, a handful: the table is read once"
EXCEPTIONS: Exceptions = {
    ("access_point", "0004_places"): dict.fromkeys(_INDEX_CODES, _FEW_LEASES),
    ("mailbox", "0032_what_a_draft_forwards"): dict.fromkeys(_INDEX_CODES, _FEW_DRAFTS),
    ("mailbox", "0033_function_addresses_of_any_length"): _LONGER,
    ("mailbox", "0036_drafts_have_an_owner"): dict.fromkeys(_INDEX_CODES, _FEW_DRAFTS),
    ("mailbox", "0041_answers_to_function_addresses_of_any_length"): _LONGER,
    ("mailbox", "0058_directory_service"): dict.fromkeys(_INDEX_CODES, _FEW_PEOPLE),
    ("message_api", "0003_places"): dict.fromkeys(_INDEX_CODES, _FEW_LEASES),
    ("message_api", "0004_functions_of_any_length"): _LONGER,
    ("message_service", "0010_every_wrapped_key"): _LONGER,
}
_NEW_TABLE = re.compile(r'CREATE TABLE "(\w+)"')
_INDEX = re.compile(r'CREATE (?:UNIQUE )?INDEX "\w+" ON "(\w+)"')
_ADVICE = {
    "DROP_COLUMN": "take the field out of the model in one release, and the column away in the next",
    "DROP_TABLE": "take the model away in one release, and the table in the next",
    "RENAME_COLUMN": "keep the column, and name it by db_column",
    "RENAME_TABLE": "keep the table, and name it by db_table",
    "NOT_NULL": "the last release's rows come without it: db_default, or null=True",
    "ALTER_COLUMN": "add a column of the new type, write both, and take the old one away a release later",
    "ADD_UNIQUE": "it locks the table, and the last release may break it: an index, concurrently, first",
    "CREATE_INDEX": "nobody can write to the table meanwhile: AddIndexConcurrently",
    "CREATE_INDEX_EXCLUSIVE": "locks are held meanwhile: AddIndexConcurrently, in a migration of its own",
    "DROP_INDEX": "RemoveIndexConcurrently",
}


def problems(release: last_release.LastRelease, exceptions: Exceptions) -> Iterator[str]:
    """What is wrong with the migrations since a release, a line each; the settings' database is asked."""
    from django_migration_linter import MigrationLinter
    from django_migration_linter.sql_analyser import PostgresqlAnalyser, analyse_sql_statements

    linter = MigrationLinter(analyser_string="postgresql", no_cache=True, no_output=True)
    own = last_release.migrations_of().keys()
    needed: set[tuple[tuple[str, str], str]] = set()
    for key, migration in sorted(linter.migration_loader.disk_migrations.items()):
        label, name = key
        if label not in own or release.has(label, name):
            continue
        statements = list(_without_new_tables_indexes(linter.get_sql(label, name)))
        found = [
            *analyse_sql_statements(PostgresqlAnalyser, statements, _NOT_CHECKED),
            *linter.analyse_data_migration(migration),
        ]
        codes = {issue.code: issue for issues in found for issue in issues if issue.code not in _NOT_CHECKED}
        for code, issue in sorted(codes.items()):
            if code in exceptions.get(key, {}):
                needed.add((key, code))
            else:
                yield f"{label} {name}: {code}: {_ADVICE.get(code, issue.message)}"
    for key, reasons in exceptions.items():
        for code in reasons:
            if (key, code) not in needed:
                yield f"{' '.join(key)}: nothing needs the exception for {code} (scripts/lint_migrations.py)"


def _without_new_tables_indexes(statements: list[str]) -> Iterator[str]:
    """Nobody waits for an index of a table that is created with it; the linter reports some of these."""
    created = {match[1] for line in statements if (match := _NEW_TABLE.match(line))}
    for line in statements:
        index = _INDEX.match(line)
        if index is None or index[1] not in created:
            yield line


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        postgres = Postgres(Path(directory))
        postgres.start()
        try:
            postgres.ensure_database("lint")
            os.environ |= {
                "SDK_DEMO": "1",
                "SDK_LOG_LEVEL": "WARNING",
                "SDK_DATABASE_URL": postgres.url("lint"),
                "DJANGO_SETTINGS_MODULE": "sdkportal.settings",
            }
            django.setup()
            found = list(problems(last_release.read(), EXCEPTIONS))
        finally:
            postgres.stop()
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
