"""What `power` takes away, and that what this project stores is not among it."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from testbed.node import PROJECT
from testbed.services import Postgres
from tests.faults.chaos import power

# Stores one file as messages are stored, and two as nothing should be.
_STORING = """
import io, os, uuid, django
django.setup()
from django.conf import settings
from transport.storage import blobs
root = settings.MEDIA_ROOT
(root / "never").write_bytes(b"content")
with (root / "half").open("wb") as half:
    half.write(b"first")
    half.flush()
    blobs.sync(root / "half")
    blobs.sync(root)
    half.write(b", second")
binding = blobs.BlobBinding("0203:habo.se", "payload", uuid.uuid4())
stored = blobs.store(blobs.dated("outgoing", f"{uuid.uuid4()}.xml"), io.BytesIO(b"content"), binding)
print(stored)
"""


@pytest.mark.django_db(transaction=True)
def test_what_is_stored_outlives_a_power_cut_and_what_was_not_synced_does_not(tmp_path, settings):
    root, log = tmp_path / "data" / "payloads", tmp_path / "synced"
    root.mkdir(parents=True)
    database = settings.DATABASES["default"]
    url = os.environ["SDK_DATABASE_URL"].replace("/sdkportal?", f"/{database['NAME']}?")
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "sdkportal.settings",
        "SDK_DATA_DIR": str(tmp_path / "data"),
        "SDK_DATABASE_URL": url,
        "SDK_WRAPPING_KEY": settings.SDK_WRAPPING_KEY,
        **power.environment(log),
    }
    environment["PYTHONPATH"] += f":{PROJECT}"
    done = subprocess.run(
        [sys.executable, "-c", _STORING], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    stored = root / done.stdout.strip()
    content = stored.read_bytes()
    assert power.lose_files(root, power.synced_by(log)) == 2
    assert stored.read_bytes() == content
    assert (root / "half").read_bytes() == b"first"
    assert (root / "never").read_bytes() == b"", "its name was synced, and nothing in it"


def test_a_file_is_lost_whose_directory_was_not_synced(tmp_path):
    root = tmp_path / "payloads"
    (root / "outgoing").mkdir(parents=True)
    file = root / "outgoing" / "a"
    file.write_bytes(b"content")
    synced = power.Synced(
        sizes={file.stat().st_ino: 7}, names={(root / "outgoing").stat().st_ino: {"a": file.stat().st_ino}}
    )
    assert power.lose_files(root, synced) == 1
    assert list(root.iterdir()) == []


def test_of_the_database_what_was_committed_stays_and_what_nobody_waited_for_is_lost(tmp_path):
    postgres = Postgres(tmp_path / "postgres")
    postgres.start()
    try:
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE TABLE kept (what text)")
            connection.execute("INSERT INTO kept VALUES ('waited for')")
            connection.execute("SET synchronous_commit = off")
            connection.execute("INSERT INTO kept VALUES ('not waited for')")
            timeline, place = power.flushed(connection)
        postgres.kill()
        power.lose_log(postgres.directory, timeline, place)
        postgres.revive()
        with psycopg.connect(postgres.url("postgres")) as connection:
            assert connection.execute("SELECT what FROM kept").fetchall() == [("waited for",)]
    finally:
        postgres.stop()


def test_the_log_is_zeros_after_the_place_up_to_which_it_was_flushed(tmp_path):
    segment = 16 * 1024 * 1024
    names = ["000000010000000000000001", "000000010000000000000002", "000000010000000000000003"]
    (tmp_path / "pg_wal" / "archive_status").mkdir(parents=True)
    for name in names:
        (tmp_path / "pg_wal" / name).write_bytes(b"x" * segment)
    assert power.lose_log(tmp_path, 1, 2 * segment + 100) == segment - 100 + segment
    first, second, third = ((tmp_path / "pg_wal" / name).read_bytes() for name in names)
    assert first == b"x" * segment
    assert second.rstrip(b"\0") == b"x" * 100
    assert not third.strip(b"\0")
    assert len(second) == len(third) == segment


def test_the_record_of_what_was_synced_is_read(tmp_path):
    log = tmp_path / "synced"
    assert power.synced_by(log) == power.Synced()
    log.write_text('{"file": 1, "size": 5}\n{"directory": 2, "names": {"a": 1}}\n{"file": 1, "size": 9}\n')
    assert power.synced_by(log) == power.Synced({1: 9}, {2: {"a": 1}})


def test_a_process_that_is_killed_while_it_records_spoils_no_other_line(tmp_path):
    log = tmp_path / "synced"
    log.write_text('\n{"directory": 2, "names": {"a')
    target = tmp_path / "file"
    code = "import os, sys; os.fsync(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY))"
    environment = {**os.environ, **power.environment(log)}
    subprocess.run([sys.executable, "-c", code, str(target)], env=environment, check=True, timeout=60)
    assert power.synced_by(log) == power.Synced({target.stat().st_ino: 0})


def test_a_process_without_the_record_syncs_as_ever():
    code = "import os; print(os.fsync.__module__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(power.SHIM))},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == "posix"
