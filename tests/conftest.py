"""What any test may ask for."""

import gc
import os
from pathlib import Path

import hypothesis
import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

# Time limits are pytest's: how long an example takes says more about the machine.
_SLOW = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile("sdkportal", deadline=None, suppress_health_check=_SLOW)
hypothesis.settings.load_profile("sdkportal")
# What needs more than the test's own process and its services: a browser, Java, a proxy, a node. A test is
# marked `whole` when it uses one of these fixtures or stands in one of these folders; `make test-fast` leaves
# it out.
_WHOLE_FIXTURES = {"browser", "caseworker", "front", "own", "phase4", "two_nodes"}
_WHOLE_FOLDERS = {"faults", "interop", "journeys", "platform", "upgrade"}
SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(here).parts[0]
        if folder in _WHOLE_FOLDERS or _WHOLE_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.whole)


def pytest_collection_finish() -> None:
    """What has been loaded stays: garbage collections need not look it over again while tests run."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The federation's specifications, schemas and examples; skips where they are missing."""
    if not SHARED.is_dir():
        pytest.skip("the federation's files are not at ../shared")
    return SHARED


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """A worker's database is a copy of the one that was migrated for them all (tests/services.py)."""
    from django.db import connection

    if template := os.environ.get("SDK_TEST_TEMPLATE"):
        connection.settings_dict["TEST"]["TEMPLATE"] = template


@pytest.fixture(scope="session", autouse=True)
def _emptied_where_rows_are():
    """After a test with transactions of its own, only the tables that hold rows are emptied, row by row.

    To truncate a hundred tables, and to register content types and permissions again, costs ten times as
    much.
    """
    from django.core.management.commands import flush

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush, "sql_flush", _deletions)
        patch.setattr(flush, "emit_post_migrate_signal", lambda *_, **__: None)
        yield


_REGISTERED_ONCE = {"auth_permission", "django_content_type"}


def _deletions(_style: object, connection: BaseDatabaseWrapper, **_: object) -> list[str]:
    """Statements that empty the database's tables, without foreign keys and triggers."""
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = [connection.ops.quote_name(name) for name in names if name not in _REGISTERED_ONCE]
    looks = (f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in tables)
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(looks))
        filled = [table for (table,) in cursor.fetchall()]
    if not filled:
        return []
    deletions = [f"DELETE FROM {table};" for table in filled]
    return ["SET LOCAL session_replication_role = replica;", *deletions]


@pytest.fixture(scope="session", autouse=True)
def _celery_configured() -> None:
    """Celery reads its settings and makes its connections when they are first asked for: now, and not while a
    test has changed the settings."""
    from sdkportal.celery import app

    assert app.conf.broker_url
    assert app.amqp.producer_pool


@pytest.fixture(autouse=True)
def _nothing_remembered():
    """What a process remembers for a while, though the last test's rows are gone."""
    from django.core.cache import cache

    from transport import short_memory
    from transport.access_point import transfer_log
    from transport.storage.encryption import keys

    cache.clear()
    short_memory.clear_all()
    keys.drop_cached()
    transfer_log.forget_stored_certificates()
