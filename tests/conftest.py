"""What any test may ask for."""

import os
from pathlib import Path

import hypothesis
import pytest

# Time limits are pytest's: how long an example takes says more about the machine.
_SLOW = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile("sdkportal", deadline=None, suppress_health_check=_SLOW)
hypothesis.settings.load_profile("sdkportal")
# What needs more than the test's own process and its services: a browser, Java, a proxy, a node. A test is
# marked `whole` when it uses one of these fixtures or stands in one of these folders; `make test-fast` leaves
# it out.
_WHOLE_FIXTURES = {"browser", "caseworker", "front", "own", "phase4", "two_nodes"}
_WHOLE_FOLDERS = {"faults", "interop", "journeys", "platform"}
SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(here).parts[0]
        if folder in _WHOLE_FOLDERS or _WHOLE_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.whole)


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
def _celery_configured() -> None:
    """Celery reads its settings when they are first asked for: now, and not while a test has changed them."""
    from sdkportal.celery import app

    assert app.conf.broker_url


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
