"""Checks of PostgreSQL: version, extensions, what the service's role may do, migrations, its clock."""

from collections.abc import Iterator
from typing import Any, Final

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from .findings import Finding, failure, ok, warning

_OLDEST: Final = 150000
_EXTENSIONS: Final = ("pg_trgm", "unaccent")
_ACCESS_LOG: Final = "mailbox_accesslogentry"
_ACCESS_LOG_TRIGGER: Final = "access_log_grows_only"
_SHOWN: Final = 5
# Certificates, receipts and leases are judged by the time; a second is what NTP keeps with ease.
_CLOCK_WARNING_SECONDS: Final = 1.0
_CLOCK_FAILURE_SECONDS: Final = 10.0


def version() -> Iterator[Finding]:
    """PostgreSQL answers, and is one of those that the migrations are for."""
    ((number, text),) = _rows(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version')"
    )
    detail = f"PostgreSQL {str(text).split()[0]}"
    yield ok(detail) if number >= _OLDEST else failure("database-old", detail)


def extensions() -> Iterator[Finding]:
    installed = {name for (name,) in _rows("SELECT extname FROM pg_extension")}
    missing = [name for name in _EXTENSIONS if name not in installed]
    yield failure("extension-missing", ", ".join(missing)) if missing else ok(", ".join(_EXTENSIONS))


def rights() -> Iterator[Finding]:
    """The service's role reads and writes rows, and cannot take away what lets the access log only grow."""
    ((role, is_superuser),) = _rows(
        "SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user"
    )
    guarded = _rows(
        "SELECT pg_has_role(current_user, c.relowner, 'MEMBER'), "
        "has_table_privilege(c.oid, 'UPDATE') OR has_table_privilege(c.oid, 'DELETE') "
        "OR has_table_privilege(c.oid, 'TRUNCATE') OR has_table_privilege(c.oid, 'TRIGGER'), "
        "EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname = %s AND tgenabled IN ('O', 'A')) "
        "FROM pg_class c WHERE c.oid = to_regclass(%s)",
        [_ACCESS_LOG_TRIGGER, _ACCESS_LOG],
    )
    if not guarded:
        yield failure("tables-missing", _ACCESS_LOG)
        return
    ((is_owner, may_change, has_trigger),) = guarded
    if not has_trigger:
        yield failure("access-log-trigger-missing", _ACCESS_LOG_TRIGGER)
    if is_superuser or is_owner or may_change:
        yield failure("access-log-unguarded", str(role))
    closed = [
        str(name)
        for (name,) in _rows(
            "SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p') "
            "AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'django_migrations' "
            "AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')) "
            "ORDER BY c.relname"
        )
    ]
    if closed:
        yield failure("rights-missing", _some(closed))
    elif has_trigger and not (is_superuser or is_owner or may_change):
        yield ok(str(role))


def migrations() -> Iterator[Finding]:
    """The tables are as this version of the code expects them."""
    loader = MigrationExecutor(connection)
    plan = loader.migration_plan(loader.loader.graph.leaf_nodes())
    unapplied = [f"{migration.app_label} {migration.name}" for migration, _ in plan]
    if unapplied:
        yield failure("migrations-unapplied", _some(unapplied))
        return
    applied, known = loader.loader.applied_migrations, loader.loader.disk_migrations
    apps = loader.loader.migrated_apps
    newer = [f"{app} {name}" for app, name in sorted(applied) if app in apps and (app, name) not in known]
    # What was merged into another is applied under both names.
    replaced = {key for migration in known.values() for key in migration.replaces}
    newer = [name for name in newer if tuple(name.split(" ", 1)) not in replaced]
    yield warning("database-newer-than-code", _some(newer)) if newer else ok(f"{len(applied)} applied")


def clock() -> Iterator[Finding]:
    """The clocks of this machine and of the database agree."""
    before = timezone.now()
    ((theirs,),) = _rows("SELECT clock_timestamp()")
    after = timezone.now()
    yield judged_clock((theirs - before).total_seconds(), (after - before).total_seconds())


def judged_clock(ahead: float, uncertain: float) -> Finding:
    """A finding on a clock that was at most so many seconds ahead when asked, or `uncertain` less."""
    off = max(0.0, -ahead, ahead - uncertain)
    detail = f"differs by {off:.1f} s"
    if off >= _CLOCK_FAILURE_SECONDS:
        return failure("clock-wrong", detail)
    return warning("clock-wrong", detail) if off >= _CLOCK_WARNING_SECONDS else ok(detail)


def _rows(statement: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _some(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
