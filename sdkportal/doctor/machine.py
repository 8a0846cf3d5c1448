"""Checks of this machine: settings, static files, storage, work directory, disks, scanner, backup."""

import os
import tempfile
import time
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.checks import ERROR, run_checks
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from mailbox.attachments.uploads import room_for_files
from sdkportal.monitoring.backup import backup_age_seconds
from transport.storage import malware

from .findings import Finding, Level, duration, failure, ok, warning

_GIB: Final = 1024**3
# Below this part of a disk a warning, on large disks below so much.
_SHARE_FREE: Final = 0.1
_ENOUGH_FREE: Final = 50 * _GIB
_TRANSFERS_FREE: Final = 4
# What an archive has besides its first file, and more.
_ARCHIVE_ROOM: Final = 1024
_OLD_SIGNATURES_SECONDS: Final = 3 * 86400
_VERY_OLD_SIGNATURES_SECONDS: Final = 14 * 86400


def configuration() -> Iterator[Finding]:
    """What `check --deploy --database default` says: Django's own checks and those of `sdkportal.startup`."""
    messages = run_checks(include_deployment_checks=True, databases=["default"])
    for message in messages:
        if not message.is_silenced():
            level = Level.FAILURE if message.level >= ERROR else Level.WARNING
            yield Finding(level, "setting", f"{message.msg} ({message.id})")
    if not any(not message.is_silenced() for message in messages):
        yield ok()


def static_files() -> Iterator[Finding]:
    """What pages need of styles and scripts has been collected by this version."""
    stored: dict[str, str] | None = getattr(staticfiles_storage, "hashed_files", None)
    if stored is None:
        yield ok("served from the code")
        return
    missing = [
        path for finder in get_finders() for path, _ in finder.list(["CVS", ".*", "*~"]) if path not in stored
    ]
    if missing:
        yield failure("static-files-missing", f"{len(missing)} of them, {missing[0]} among them")
    else:
        yield ok(str(settings.STATIC_ROOT))


def storage() -> Iterator[Finding]:
    """A file can be written, read, renamed (where storage is a directory) and removed."""
    content = os.urandom(1024)
    name = f"doctor/{uuid.uuid4()}"
    try:
        stored = default_storage.save(name, ContentFile(content))
        try:
            with default_storage.open(stored) as file:
                is_whole = file.read() == content
            path = _path_of(stored)
            if path is not None:
                path.rename(path.with_name(f"{path.name}.renamed"))
                stored = f"{stored}.renamed"
        finally:
            default_storage.delete(stored)
    except Exception as error:  # noqa: BLE001 - each storage has errors of its own
        yield failure("storage", type(error).__name__)
        return
    where = "S3" if path is None else str(settings.MEDIA_ROOT)
    yield ok(where) if is_whole else failure("storage", f"{where}: other bytes come back")


def work_directory() -> Iterator[Finding]:
    """Files on their way can be written, and no other user of the machine reads them."""
    directory = Path(settings.SDK_WORK_DIR)
    try:
        mode = _written_in(directory)
    except OSError as error:
        yield failure("work-directory", f"{directory}: {error.strerror}")
        return
    if mode & 0o077:
        yield warning("work-directory-open", f"{directory}: mode {mode:o}")
    else:
        yield ok(str(directory))


def case_system_directory() -> Iterator[Finding]:
    """Where there is one: files can be written, and no other user of the machine reads them."""
    if not settings.SDK_CASE_SYSTEM_DIRECTORY:
        yield ok()
        return
    directory = Path(settings.SDK_CASE_SYSTEM_DIRECTORY)
    try:
        mode = _written_in(directory)
    except OSError as error:
        yield failure("case-system-directory", f"{directory}: {error.strerror}")
        return
    if mode & 0o007:
        yield warning("case-system-directory-open", f"{directory}: mode {mode:o}")
    else:
        yield ok(str(directory))


def _written_in(directory: Path) -> int:
    """Write a file into the directory, and tell the directory's mode. Raises `OSError`."""
    with tempfile.TemporaryFile(dir=directory) as file:
        file.write(b"doctor")
        file.flush()
        os.fsync(file.fileno())
    return directory.stat().st_mode & 0o777


def disks() -> Iterator[Finding]:
    """Room and free inodes where payloads and files on their way are."""
    seen = set()
    kept_locally = [Path(settings.MEDIA_ROOT)] if _path_of("doctor") is not None else []
    for directory in (*kept_locally, Path(settings.SDK_WORK_DIR)):
        existing = next((path for path in (directory, *directory.parents) if path.is_dir()), Path("/"))
        device = existing.stat().st_dev
        if device not in seen:
            seen.add(device)
            yield _judged_disk(existing)


def _judged_disk(directory: Path) -> Finding:
    found = os.statvfs(directory)
    free, whole = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    detail = f"{directory}: {free / _GIB:.1f} GiB of {whole / _GIB:.1f} GiB free"
    if free < _TRANSFERS_FREE * settings.SDK_MAX_TRANSFER_BYTES:
        return failure("disk-full", detail)
    if free < min(whole * _SHARE_FREE, _ENOUGH_FREE):
        return warning("disk-full", detail)
    # A file system without a fixed number of inodes says 0.
    if found.f_files and found.f_favail < found.f_files * _SHARE_FREE:
        return warning("disk-full", f"{directory}: {found.f_favail} of {found.f_files} inodes free")
    return ok(detail)


def scanner() -> Iterator[Finding]:
    """ClamAV answers, finds the test file, and looks through the largest attachment that may be sent."""
    try:
        version = malware.version()
        if _signature_behind(0) is None:
            yield failure("scanner-blind", version.program)
            return
        in_largest = _signature_behind(room_for_files())
    except malware.TooLargeToScan:
        yield failure("scanner-stream-limit", f"the largest attachment has {room_for_files()} bytes")
        return
    except malware.NotScanned as error:
        yield failure("scanner-unavailable", str(error))
        return
    if in_largest is None or "Limits.Exceeded" in in_largest:
        yield failure("scanner-size-limit", f"the largest attachment has {room_for_files()} bytes")
        return
    if version.signatures_at is None:
        yield warning("scanner-signatures", f"{version.program}: how old they are is not told")
        return
    age = time.time() - version.signatures_at.timestamp()
    detail = f"{version.program}, signatures {duration(max(0.0, age))} old"
    if age > _VERY_OLD_SIGNATURES_SECONDS:
        yield failure("scanner-signatures", detail)
    elif age > _OLD_SIGNATURES_SECONDS:
        yield warning("scanner-signatures", detail)
    else:
        yield ok(detail)


def _signature_behind(size: int) -> str | None:
    """The signature found in an archive of so many bytes that ends with the test file."""
    with tempfile.TemporaryFile(dir=settings.SDK_WORK_DIR) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            with archive.open("before", "w") as before:
                left = size - _ARCHIVE_ROOM
                while left > 0:
                    left -= before.write(bytes(min(left, 1024 * 1024)))
            archive.writestr("eicar.com", malware.TEST_FILE)
        file.seek(0)
        return malware.signature_in(file)


def backup() -> Iterator[Finding]:
    """The age of the file that the backup touches when it has ended well; nothing of the backup is read."""
    if not settings.SDK_BACKUP_FILE:
        yield warning("backup-unknown", "SDK_BACKUP_FILE is not set")
        return
    age = backup_age_seconds()
    if age is None:
        yield failure("backup-missing", settings.SDK_BACKUP_FILE)
        return
    detail = f"{settings.SDK_BACKUP_FILE} was touched {duration(age)} ago"
    yield failure("backup-old", detail) if age > settings.SDK_BACKUP_HOURS * 3600 else ok(detail)


def _path_of(name: str) -> Path | None:
    """A stored file's path; None where storage is no directory."""
    try:
        return Path(default_storage.path(name))
    except NotImplementedError:
        return None
