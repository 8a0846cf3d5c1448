"""Running a job in a confined process, and ending that in any case.

Bubblewrap gives the process a root directory that holds Python, its libraries and fonts, all read-only; no
network, no processes but its own, no environment, a user without rights. Where it cannot run, the process
still has no environment, no open files, another user if this one is root, and the same limits and system
calls; but it can read what that user can read, and `Confinement.is_full` is false.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final

from .syscalls import filter_program

_HERE: Final = Path(__file__).resolve().parent
_CHILD: Final = _HERE / "child.py"
_CHUNK: Final = 64 * 1024
# The user `nobody`: in the confinement, and of processes that root starts.
_NOBODY: Final = 65534
_AT_ONCE: Final = 2
_PROBE_SECONDS: Final = 20
_FONTS: Final = (
    "/etc/fonts",
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/usr/share/fontconfig",
    "/var/cache/fontconfig",
)
_drawing: Final = threading.BoundedSemaphore(_AT_ONCE)


class RenderingFailed(Exception):
    """The job did not end well: its input is broken or too demanding, or the process could not start."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a job may use. `seconds` is both processor time and time on the clock; the rest is bytes."""

    memory: int
    seconds: int
    input: int
    output: int


@dataclass(frozen=True, slots=True)
class Job:
    """A program that defines `run(source, target)`, and its limits."""

    program: Path
    limits: Limits


@dataclass(frozen=True, slots=True)
class Confinement:
    """How a process is started: bubblewrap's arguments or none, and the user it becomes if root starts it."""

    wrapper: tuple[str, ...] = ()
    user: int | None = None

    @property
    def is_full(self) -> bool:
        return bool(self.wrapper) and bool(filter_program())

    def description(self) -> dict[str, object]:
        """Which parts of the confinement are in effect, for the log."""
        return {
            "bubblewrap": int(bool(self.wrapper)),
            "seccomp": int(bool(filter_program())),
            "user": self.user if self.user is not None else os.geteuid(),
        }


def render_here(job: Job, source: BinaryIO | bytes, confinement: Confinement | None = None) -> bytes:
    """Run the job in a confined process of this machine. Raises `RenderingFailed`."""
    used = confinement or strongest()
    if not _drawing.acquire(timeout=job.limits.seconds):
        raise RenderingFailed("others are drawing")
    try:
        return _rendered(job, source, used)
    except (OSError, subprocess.SubprocessError) as error:
        raise RenderingFailed(type(error).__name__) from None
    finally:
        _drawing.release()


@lru_cache(maxsize=1)
def strongest() -> Confinement:
    """The strongest confinement that works on this machine, found by trying."""
    probe = Job(_HERE / "probe.py", Limits(512 * 1024 * 1024, _PROBE_SECONDS, _CHUNK, _CHUNK))
    for candidate in _candidates():
        try:
            if _rendered(probe, b"", candidate) == b"ready":
                return candidate
        except (OSError, subprocess.SubprocessError, RenderingFailed):
            continue
    return Confinement()


def _candidates() -> Iterator[Confinement]:
    users = (_NOBODY, None) if os.geteuid() == 0 else (None,)
    bubblewrap = shutil.which("bwrap", path="/usr/bin:/bin:/usr/local/bin")
    if bubblewrap is not None:
        wrapper = bubblewrap_arguments(bubblewrap)
        yield from (Confinement(wrapper, user) for user in users)
    yield from (Confinement((), user) for user in users)


def bubblewrap_arguments(bubblewrap: str) -> tuple[str, ...]:
    """Bubblewrap's command line: an empty root directory, and in it what Python needs."""
    arguments = [
        *(bubblewrap, "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
        *("--unshare-cgroup-try", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"),
        *("--uid", str(_NOBODY), "--gid", str(_NOBODY), "--hostname", "confined"),
    ]
    for link in ("/lib", "/lib64"):
        if os.path.islink(link):
            arguments += ["--symlink", os.readlink(link), link]
    for path in _needed_paths():
        arguments += ["--ro-bind", path, path]
    return tuple(arguments)


def _needed_paths() -> list[str]:
    """Interpreter, standard library, installed packages, the system's libraries, fonts and the child."""
    multiarch = sysconfig.get_config_var("MULTIARCH")
    library_dir, library = sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME")
    wanted = [
        _interpreter(),
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("platstdlib"),
        *_packages(),
        *(f"{root}/{multiarch}" for root in ("/lib", "/usr/lib", "/usr/local/lib") if multiarch),
        *(["/usr/lib"] if not multiarch else []),
        "/lib64",
        "/usr/lib64",
        f"{library_dir}/{library}",
        "/etc/ld.so.cache",
        *_FONTS,
        str(_CHILD),
    ]
    existing = dict.fromkeys(path for path in wanted if path and os.path.exists(path))
    return [path for path in existing if not _is_linked(path)]


def _is_linked(path: str) -> bool:
    """Whether the path leads through `/lib` or `/lib64` where these are links, which are links there too."""
    top = "/" + path.strip("/").partition("/")[0]
    return top in {"/lib", "/lib64"} and os.path.islink(top)


def _interpreter() -> str:
    """Python itself: a virtual environment's is a link to it."""
    return os.path.realpath(sys.executable)


def _packages() -> list[str]:
    return list(dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))))


def _rendered(job: Job, source: BinaryIO | bytes, confinement: Confinement) -> bytes:
    with _memory_file("input") as given, _memory_file("output") as made:
        _copy(source, given, job.limits.input)
        _run(_command(job, confinement), given, made, job.limits.seconds, confinement.user)
        made.seek(0)
        return made.read(job.limits.output)


def _command(job: Job, confinement: Confinement) -> list[str]:
    asked = {
        "program": str(job.program),
        "paths": _packages(),
        "memory": job.limits.memory,
        "seconds": max(job.limits.seconds, 1),
        "output": job.limits.output,
        "filter": base64.b64encode(filter_program()).decode(),
    }
    python = [_interpreter(), "-I", "-S", "-B", "-X", "utf8", str(_CHILD), json.dumps(asked)]
    if not confinement.wrapper:
        return python
    program = str(job.program)
    closing = ("--ro-bind", program, program, "--remount-ro", "/", "--chdir", "/", "--")
    return [*confinement.wrapper, *closing, *python]


def _run(command: Sequence[str], given: BinaryIO, made: BinaryIO, seconds: int, user: int | None) -> None:
    """Run the command until it ends or its time is up, and kill all of its processes.

    Output goes to a file in memory, whose size the child's own limit bounds, and is read when the process has
    ended.
    """
    process = subprocess.Popen(  # noqa: S603
        command,
        stdin=given,
        stdout=made,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={},
        start_new_session=True,
        user=user,
        group=user,
        extra_groups=[] if user is not None else None,
    )
    try:
        is_over = _ends_within(process, seconds)
    finally:
        # Before `wait`, after which another process could have the same id.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
    if not is_over:
        raise RenderingFailed("the time is up")
    if status != 0:
        raise RenderingFailed("the process failed")


def _ends_within(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    descriptor = os.pidfd_open(process.pid)
    try:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        return bool(waiting.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def _memory_file(name: str) -> BinaryIO:
    return os.fdopen(os.memfd_create(name, os.MFD_CLOEXEC), "w+b")


def _copy(source: BinaryIO | bytes, target: BinaryIO, most: int) -> None:
    remaining = most
    if isinstance(source, bytes):
        if len(source) > most:
            raise RenderingFailed("the input is too large")
        target.write(source)
    else:
        while chunk := source.read(_CHUNK):
            remaining -= len(chunk)
            if remaining < 0:
                raise RenderingFailed("the input is too large")
            target.write(chunk)
    target.flush()
    target.seek(0)
