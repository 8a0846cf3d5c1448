import os
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from sdkportal.backup.keys import make_key
from tests.mailbox.conftest import mailbox
from tests.transport.encryption.test_story import bucket

__all__ = ["bucket", "mailbox"]


@pytest.fixture(autouse=True)
def place(settings, tmp_path) -> Path:
    """A directory for backups; the node's own data beside it."""
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    return tmp_path / "backups"


@pytest.fixture
def identity(settings, tmp_path) -> Path:
    """The file with the private key; the node has the public one."""
    file = tmp_path / "backup.key"
    settings.SDK_BACKUP_RECIPIENTS = [make_key(file)]
    return file


class Scratch:
    """A database that was empty when the test began."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.url = urlsplit(os.environ["SDK_DATABASE_URL"])._replace(path=f"/{name}").geturl()

    def ask(self, statement: str):
        with psycopg.connect(**self._parameters(self.name)) as line:
            return line.execute(statement).fetchall()

    def execute(self, statement: str) -> None:
        with psycopg.connect(**self._parameters("postgres"), autocommit=True) as line:
            line.execute(sql.SQL(statement).format(sql.Identifier(self.name)))

    @staticmethod
    def _parameters(name: str) -> dict[str, object]:
        known = connection.get_connection_params()
        return {key: known[key] for key in ("host", "user") if key in known} | {"dbname": name}


@pytest.fixture
def scratch():
    database = Scratch(f"scratch_{uuid.uuid4().hex[:10]}")
    database.execute("CREATE DATABASE {} TEMPLATE template1")
    yield database
    database.execute("DROP DATABASE {} WITH (FORCE)")
