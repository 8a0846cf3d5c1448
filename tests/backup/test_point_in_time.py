"""A mistake is undone: the database goes back to the moment before it by PostgreSQL's own means, and the
files that it names come back from a backup."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from sdkportal.backup.keys import make_key
from testbed.node import PROJECT
from testbed.services import POSTGRESQL_PROGRAMS, Postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
_WAIT_SECONDS = 60
# A message with an attachment arrives; what the node does is done by its own code.
_ARRIVES = """
import django; django.setup()
from django.db import transaction
from mailbox.models import FunctionMailbox
from tests.mailbox import build
from transport.protocol.sdk_message.message import BytesContent, File
box, _ = FunctionMailbox.objects.get_or_create(
    participant_id="0203:habo.se", address="funktion-b", defaults={"name": "Mottagning"})
with transaction.atomic():
    build.arrives(box, files=(File("beslut.pdf", "application/pdf", BytesContent(b"%PDF-1.7 beslut")),))
"""
# Somebody erases everything, files too.
_ERASES = """
import django; django.setup()
from mailbox.administration import retention
from mailbox.models import Conversation, RetentionRule
for row in Conversation.objects.all():
    RetentionRule.objects.get_or_create(mailbox=row.mailbox, state="trash", defaults={"days": 30})
Conversation.objects.update(state="trash", last_activity_at="2020-01-01T00:00:00Z")
assert retention.run() == 1
"""


@pytest.fixture
def archived(tmp_path) -> Iterator[tuple[Postgres, Path]]:
    """A cluster that archives its log, and the directory that it archives into."""
    postgres = Postgres(tmp_path / "postgres")
    archive = tmp_path / "archive"
    archive.mkdir()
    # Where this runs as root, PostgreSQL runs as a user of its own.
    archive.chmod(0o777)
    postgres.start()
    try:
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET archive_mode = 'on'")
            connection.execute(
                f"ALTER SYSTEM SET archive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f'"
            )
        postgres.kill()
        postgres.revive()
        postgres.ensure_database("node")
        yield postgres, archive
    finally:
        postgres.stop()


class _Node:
    """What is run of a node: its commands, on a database and a directory of files."""

    def __init__(self, postgres: Postgres, directory: Path, recipient: str) -> None:
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "sdkportal.settings",
            "SDK_DATABASE_URL": postgres.url("node"),
            "SDK_DATA_DIR": str(directory),
            "SDK_WRAPPING_KEY": settings.SDK_WRAPPING_KEY,
            "SDK_PERSON_KEY": settings.SDK_PERSON_KEY,
            "SDK_BACKUP_RECIPIENTS": recipient,
        }

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def moment_of(postgres: Postgres) -> str:
    with psycopg.connect(postgres.url("node"), autocommit=True) as connection:
        (now,) = connection.execute("SELECT clock_timestamp()::text").fetchall()[0]
    return str(now)


def archive_now(postgres: Postgres) -> None:
    """Have the log archived as far as it is written, and wait for that."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        (name,) = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchall()[0]
        for _ in range(_WAIT_SECONDS * 10):
            row = connection.execute(
                "SELECT last_archived_wal >= %s FROM pg_stat_archiver, pg_sleep(0.1)", [name]
            ).fetchone()
            if row is not None and row[0]:
                return
    pytest.fail(f"PostgreSQL has not archived {name} in {_WAIT_SECONDS} s")


def recovered(base: Path, archive: Path, target: str) -> Postgres:
    """A server that is started from a base backup, and goes on with the archived log up to a moment."""
    with (base / "postgresql.auto.conf").open("a") as configuration:
        configuration.write(
            f"archive_mode = 'off'\nrestore_command = 'cp {archive}/%f %p'\n"
            f"recovery_target_time = '{target}'\nrecovery_target_action = 'promote'\n"
        )
    (base / "recovery.signal").touch()
    postgres = Postgres(base)
    postgres.start()
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        for _ in range(_WAIT_SECONDS * 10):
            row = connection.execute("SELECT NOT pg_is_in_recovery() FROM pg_sleep(0.1)").fetchone()
            if row is not None and row[0]:
                return postgres
    pytest.fail(f"PostgreSQL has not ended its recovery in {_WAIT_SECONDS} s")


def test_a_mistake_is_undone_and_what_it_erased_comes_back(archived, tmp_path):
    postgres, archive = archived
    identity, data = tmp_path / "backup.key", tmp_path / "data"
    node = _Node(postgres, data, make_key(identity))
    node.run("manage.py", "migrate", "--verbosity", "0")
    base = tmp_path / "base"
    backup = [POSTGRESQL_PROGRAMS / "pg_basebackup", "-d", postgres.url("node"), "-D", base, "-X", "stream"]
    subprocess.run([*backup, "--checkpoint=fast"], check=True, timeout=120)
    owner = postgres.directory.stat()
    for path in (base, *base.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    node.run("-c", _ARRIVES)
    node.run("manage.py", "backup", str(tmp_path / "sets"))
    before = moment_of(postgres)
    node.run("-c", _ERASES)
    assert [path for path in (data / "payloads").rglob("*") if path.is_file()] == []
    archive_now(postgres)
    postgres.kill()

    restored = recovered(base, archive, before)
    try:
        node = _Node(restored, data, "")
        done = node.run("manage.py", "restore_files", str(tmp_path / "sets"), "--identity", str(identity))
        assert "1 files brought back" in done
        assert "sound: 1 files" in node.run("manage.py", "check_stored")
        with psycopg.connect(restored.url("node")) as connection:
            assert connection.execute("SELECT count(*), max(state) FROM mailbox_conversation").fetchall() == [
                (1, "open")
            ]
    finally:
        restored.stop()
