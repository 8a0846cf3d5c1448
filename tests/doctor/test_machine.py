"""What the doctor says of the machine, each check as it is well and as it is not."""

import os
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.core.checks import Error, Warning
from django.core.files.base import ContentFile

from sdkportal.doctor import machine
from testbed.clamav import ClamAV
from transport.storage import malware

from .build import found, problems

GIB = 1024**3


@pytest.fixture(autouse=True)
def _directories(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "payloads"
    settings.SDK_WORK_DIR = tmp_path / "work"
    settings.SDK_WORK_DIR.mkdir(mode=0o700)


def test_what_manage_py_check_says_is_a_finding_of_its_level(monkeypatch):
    said = [Warning("Weak.", id="a.W001"), Error("Wrong.", id="a.E001")]
    monkeypatch.setattr(machine, "run_checks", lambda **_: said)
    assert [(each.level.name, each.detail) for each in machine.configuration()] == [
        ("WARNING", "Weak. (a.W001)"),
        ("FAILURE", "Wrong. (a.E001)"),
    ]
    monkeypatch.setattr(machine, "run_checks", lambda **_: [])
    assert found(machine.configuration) == [("OK", "")]


@pytest.mark.django_db
def test_the_settings_of_a_demo_fail_and_name_the_variable():
    told = [finding.detail for finding in machine.configuration()]
    assert any("SDK_DEMO" in detail and "sdkportal.E002" in detail for detail in told)


def test_storage_is_written_read_and_renamed_and_nothing_is_left(settings, tmp_path):
    assert found(machine.storage) == [("OK", "")]
    assert [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()] == []


def test_storage_that_cannot_be_written_fails(settings, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    settings.MEDIA_ROOT = tmp_path / "file"
    assert found(machine.storage) == [("FAILURE", "storage")]


def test_storage_that_gives_other_bytes_back_fails(monkeypatch):
    monkeypatch.setattr(machine, "ContentFile", lambda content: ContentFile(b"other"))
    assert found(machine.storage) == [("FAILURE", "storage")]


def test_a_rename_that_fails_leaves_nothing(settings, monkeypatch):
    def refused(self, target):
        raise PermissionError

    monkeypatch.setattr(machine.Path, "rename", refused)
    assert found(machine.storage) == [("FAILURE", "storage")]
    assert [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()] == []


def test_a_work_directory_that_is_missing_or_open_is_told(settings, tmp_path):
    assert found(machine.work_directory) == [("OK", "")]
    settings.SDK_WORK_DIR.chmod(0o755)
    assert found(machine.work_directory) == [("WARNING", "work-directory-open")]
    settings.SDK_WORK_DIR = tmp_path / "missing"
    assert found(machine.work_directory) == [("FAILURE", "work-directory")]


def test_a_directory_of_case_systems_that_is_missing_or_open_is_told(settings, tmp_path):
    settings.SDK_CASE_SYSTEM_DIRECTORY = ""
    assert found(machine.case_system_directory) == [("OK", "")]
    directory = tmp_path / "case-systems"
    settings.SDK_CASE_SYSTEM_DIRECTORY = str(directory)
    assert found(machine.case_system_directory) == [("FAILURE", "case-system-directory")]
    directory.mkdir(mode=0o770)
    assert found(machine.case_system_directory) == [("OK", "")]
    directory.chmod(0o755)
    assert found(machine.case_system_directory) == [("WARNING", "case-system-directory-open")]


@pytest.mark.parametrize(
    ("free", "whole", "inodes", "expected"),
    [
        (400 * GIB, 1000 * GIB, 0.5, ("OK", "")),
        (60 * GIB, 10_000 * GIB, 0.5, ("OK", "")),
        (40 * GIB, 10_000 * GIB, 0.5, ("WARNING", "disk-full")),
        (1 * GIB, 20 * GIB, 0.5, ("WARNING", "disk-full")),
        (GIB // 4, 20 * GIB, 0.5, ("FAILURE", "disk-full")),
        (400 * GIB, 1000 * GIB, 0.01, ("WARNING", "disk-full")),
    ],
)
def test_a_disk_without_room_or_inodes_is_told(monkeypatch, free, whole, inodes, expected):
    status = SimpleNamespace(
        f_frsize=4096,
        f_bavail=free // 4096,
        f_blocks=whole // 4096,
        f_files=1000,
        f_favail=int(1000 * inodes),
    )
    monkeypatch.setattr(machine.os, "statvfs", lambda _: status)
    # Both directories are on one disk, which is told once.
    assert found(machine.disks) == [expected]


def test_the_scanner_finds_the_test_file_behind_the_largest_attachment():
    # The tests' scanner has a signature of theirs, and no date of it.
    assert found(machine.scanner) == [("WARNING", "scanner-signatures")]


@pytest.mark.parametrize(
    ("days", "expected"),
    [(1, ("OK", "")), (5, ("WARNING", "scanner-signatures")), (30, ("FAILURE", "scanner-signatures"))],
)
def test_old_signatures_are_told(monkeypatch, days, expected):
    made = datetime.now(UTC) - timedelta(days=days)
    monkeypatch.setattr(malware, "version", lambda: malware.Version("ClamAV 1.4", made))
    assert found(machine.scanner) == [expected]


def test_a_scanner_that_is_away_or_finds_nothing_fails(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(malware, "TEST_FILE", b"nothing bad")
    assert found(machine.scanner) == [("FAILURE", "scanner-blind")]
    settings.SDK_CLAMD = str(tmp_path / "nothing")
    assert found(machine.scanner) == [("FAILURE", "scanner-unavailable")]


@pytest.mark.parametrize(
    ("limits", "code"),
    [({"largest": "10M"}, "scanner-stream-limit"), ({"largest_file": "10M"}, "scanner-size-limit")],
)
def test_a_scanner_with_smaller_limits_than_the_largest_attachment_fails(settings, tmp_path, limits, code):
    scanner = ClamAV(tmp_path / "clamav", **limits)
    scanner.start()
    try:
        settings.SDK_CLAMD = scanner.address
        assert found(machine.scanner) == [("FAILURE", code)]
    finally:
        scanner.stop()


@pytest.mark.parametrize(
    ("answer", "program", "is_dated"),
    [
        ("ClamAV 1.4.3/27810/Mon Nov 30 08:26:19 2026", "ClamAV 1.4.3", True),
        ("ClamAV 1.4.3", "ClamAV 1.4.3", False),
        ("ClamAV 1.4.3/27810/yesterday", "ClamAV 1.4.3", False),
    ],
)
def test_what_the_scanner_says_of_itself_is_read(monkeypatch, answer, program, is_dated):
    monkeypatch.setattr(malware, "_asked", lambda _: answer)
    version = malware.version()
    assert (version.program, version.signatures_at is not None) == (program, is_dated)


def test_what_is_no_scanner_is_not_read(monkeypatch):
    monkeypatch.setattr(malware, "_asked", lambda _: "HTTP/1.1 400")
    with pytest.raises(malware.NotScanned):
        malware.version()


def test_static_files_that_were_not_collected_fail(settings, tmp_path):
    assert found(machine.static_files) == [("OK", "")]
    settings.STATIC_ROOT = str(tmp_path)
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    assert found(machine.static_files) == [("FAILURE", "static-files-missing")]


def test_the_backup_s_age_is_that_of_the_file_that_it_touches(settings, tmp_path):
    assert found(machine.backup) == [("WARNING", "backup-unknown")]
    settings.SDK_BACKUP_FILE = str(tmp_path / "done")
    assert found(machine.backup) == [("FAILURE", "backup-missing")]
    (tmp_path / "done").touch()
    assert problems(machine.backup) == []
    old = time.time() - settings.SDK_BACKUP_HOURS * 3600 - 60
    os.utime(tmp_path / "done", (old, old))
    assert found(machine.backup) == [("FAILURE", "backup-old")]
