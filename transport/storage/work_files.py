"""Directories for temporary files, removed when the work ends, or later if its process was killed."""

import os
import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

_OLDEST_SECONDS = 6 * 3600


@contextmanager
def workspace(purpose: str) -> Generator[Path, None, None]:
    """A new directory below SDK_WORK_DIR, readable by this user only."""
    name = f"{purpose}.{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex}"
    directory = Path(settings.SDK_WORK_DIR) / name
    directory.mkdir(mode=0o700, parents=True)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def keep_temporary_files() -> None:
    """Have this process, and those that it starts, put their temporary files in SDK_WORK_DIR too.

    Uploads and files for previews are then not in a directory that all users of the machine share.
    """
    directory = str(settings.SDK_WORK_DIR)
    Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["TMPDIR"] = directory
    tempfile.tempdir = directory


def remove_stale() -> int:
    """Remove what killed processes have left; returns how many directories."""
    root = Path(settings.SDK_WORK_DIR)
    if not root.is_dir():
        return 0
    stale = [directory for directory in root.iterdir() if directory.is_dir() and _is_stale(directory)]
    for directory in stale:
        shutil.rmtree(directory, ignore_errors=True)
    for file in root.iterdir():
        if file.is_file() and _is_old(file):
            file.unlink(missing_ok=True)
    return len(stale)


def _is_old(file: Path) -> bool:
    """Whether a temporary file is so old that its process has ended."""
    try:
        return time.time() - file.stat().st_mtime > _OLDEST_SECONDS
    except FileNotFoundError:
        return False


def _is_stale(directory: Path) -> bool:
    try:
        _, host, pid, _ = directory.name.rsplit(".", 3)
        age = time.time() - directory.stat().st_mtime
    except (ValueError, FileNotFoundError):
        return False
    if host == socket.gethostname() and pid.isdigit() and not _is_running(pid):
        return True
    return age > _OLDEST_SECONDS


def _is_running(pid: str) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
