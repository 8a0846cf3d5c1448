import base64
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from django.apps import apps
from django.db import connection
from psycopg import sql

from sdkportal.backup.keys import make_key
from sdkportal.backup.targets import target_at
from tests.mailbox.conftest import mailbox
from tests.world import federation, world
from transport import short_memory
from transport.storage.encryption import keys

__all__ = ["federation", "mailbox", "world"]


def on_server(statement: str, *names: str) -> None:
    known = connection.get_connection_params()
    parameters = {key: known[key] for key in ("host", "user") if key in known} | {"dbname": "postgres"}
    with psycopg.connect(**parameters, autocommit=True) as line:
        line.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def empty(name: str) -> None:
    """Empty the tables of a database, whatever a test has left in the one that it was copied from."""
    known = connection.get_connection_params()
    parameters = {key: known[key] for key in ("host", "user") if key in known} | {"dbname": name}
    with psycopg.connect(**parameters) as line:
        line.execute("SET session_replication_role = replica")
        for model in apps.get_models(include_auto_created=True):
            if model._meta.app_label not in ("auth", "contenttypes"):
                line.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(model._meta.db_table)))


@pytest.fixture(scope="session")
def second_database(django_db_setup, django_db_blocker) -> str:
    """Another database with all tables, emptied after each test that uses it."""
    with django_db_blocker.unblock():
        connection.close()
        # A database in use cannot be copied, and a thread of an earlier test may still be in ours.
        source = os.environ.get("SDK_TEST_TEMPLATE") or connection.settings_dict["NAME"]
        name = f"elsewhere_{os.getpid()}"
        on_server("DROP DATABASE IF EXISTS {}", name)
        on_server("CREATE DATABASE {} TEMPLATE {}", name, source)
        empty(name)
        yield name
        on_server("DROP DATABASE {} WITH (FORCE)", name)


@dataclass
class Elsewhere:
    """Another installation: a database, a storage, and keys of its own."""

    name: str
    directory: Path
    settings: object
    person_key: str = "another installation's person key, long enough"

    @contextmanager
    def here(self):
        """Be that installation."""
        settings = self.settings
        before = {
            each: getattr(settings, each) for each in ("SDK_WRAPPING_KEY", "SDK_PERSON_KEY", "MEDIA_ROOT")
        }
        name = connection.settings_dict["NAME"]
        self._switch(self.name, self.directory, base64.b64encode(b"2" * 32).decode(), self.person_key)
        try:
            yield
        finally:
            self._switch(name, before["MEDIA_ROOT"], before["SDK_WRAPPING_KEY"], before["SDK_PERSON_KEY"])

    def _switch(self, name: str, storage: Path, wrapping_key: str, person_key: str) -> None:
        connection.close()
        connection.settings_dict["NAME"] = name
        self.settings.MEDIA_ROOT = storage
        self.settings.SDK_WRAPPING_KEY = wrapping_key
        self.settings.SDK_PERSON_KEY = person_key
        keys.drop_cached()
        short_memory.clear_all()


@pytest.fixture
def elsewhere(second_database, settings, tmp_path, transactional_db) -> Elsewhere:
    yield Elsewhere(second_database, tmp_path / "elsewhere", settings)
    empty(second_database)


@dataclass(frozen=True)
class Places:
    """Where an export goes, and the key pair of its receiver."""

    root: Path

    @property
    def export(self) -> Path:
        return self.root / "export"

    @property
    def private(self) -> Path:
        return self.root / "receiver.key"

    @property
    def public(self) -> Path:
        return self.root / "receiver.pub"

    @property
    def target(self):
        return target_at(str(self.export))


@pytest.fixture
def places(tmp_path, settings) -> Places:
    found = Places(tmp_path)
    found.public.write_text(f"# the receiver's\n{make_key(found.private)}\n")
    settings.SDK_WORK_DIR = tmp_path / "work"
    settings.SDK_WORK_DIR.mkdir(exist_ok=True)
    return found
