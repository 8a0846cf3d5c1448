"""A bare Debian 12 in a directory, which systemd starts as a machine of its own.

    python -m tests.production.bare_debian

makes it with debootstrap, and lays the packages that docs/production.md installs into apt's own cache: they
are what the machine's mirror would give, brought along. The machine itself has no network.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from testbed.node import PROJECT
from tests.production.document import steps_of

PLACE: Final = PROJECT / "var" / "production"
BASE: Final = PLACE / "base"
_MADE: Final = PLACE / "made"
_RELEASE: Final = "bookworm"
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MAKE_SECONDS: Final = 3600
_START_SECONDS: Final = 120
_COMMAND_SECONDS: Final = 900
_STOP_SECONDS: Final = 60


class Failed(Exception):
    """A program ended with an error; the text has the end of what it said."""


class Machine:
    """A copy of the base that has been started; `root` is its file system."""

    def __init__(self, root: Path, log: Path) -> None:
        self.root = root
        self._log = log
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def start(self) -> None:
        """Boot it; returns when systemd has started what is enabled."""
        subprocess.run(["cp", "--archive", "--reflink=auto", str(BASE), str(self.root)], check=True)
        # It is not registered with the machine's own systemd, of which there may be none.
        options = ["--quiet", "--boot", "--register=no", "--keep-unit"]
        options += [f"--machine=sdkportal-test-{os.getpid()}", f"--directory={self.root}"]
        options += ["--link-journal=no", "--resolv-conf=off"]
        with self._log.open("ab") as output:
            self._nspawn = subprocess.Popen(
                ["systemd-nspawn", *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._nspawn.poll() is None:
            self._leader = _child_of(self._nspawn.pid)
            if self._leader and self.ask("systemctl is-system-running").strip() in ("running", "degraded"):
                return
            time.sleep(0.5)
        raise Failed(f"the machine did not start:\n{self._log.read_text(errors='replace')[-3000:]}")

    def stop(self) -> None:
        """End everything in it, and remove its files."""
        if self._nspawn is not None:
            self._nspawn.terminate()
            try:
                self._nspawn.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
        shutil.rmtree(self.root, ignore_errors=True)

    def run(self, command: str, *, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run a line as root in /root, as somebody who has logged in would, with what is typed meanwhile.

        Without a terminal, programs that ask for a password read it from standard input.
        """
        environment = {"HOME": "/root", "PATH": _PATH}
        namespaces = ["--target", str(self._leader), "--mount", "--uts", "--ipc", "--net", "--pid"]
        return subprocess.run(
            ["setsid", "--wait", "nsenter", *namespaces, "--wdns=/root", "/bin/bash", "-c", command],
            input=typed,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_SECONDS,
        )

    def ask(self, command: str) -> str:
        """What a command prints, whatever its status."""
        return self.run(command).stdout

    def put(self, path: str, content: bytes) -> None:
        """Write a file below the machine's root."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def read(self, path: str) -> bytes:
        return (self.root / path.lstrip("/")).read_bytes()


def make() -> None:
    """Make the base with the packages of the document, unless there is one with them."""
    packages = packages_of_the_document()
    if _MADE.is_file() and _MADE.read_text().split() == packages:
        return
    PLACE.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(BASE, ignore_errors=True)
    _run(["debootstrap", _RELEASE, str(BASE)])
    _run(["chroot", str(BASE), "apt-get", "update"])
    _run(["chroot", str(BASE), "apt-get", "install", "--yes", "--download-only", *packages])
    # What is thrown away need not outlive a power cut.
    (BASE / "etc" / "dpkg" / "dpkg.cfg.d" / "unsafe-io").write_text("force-unsafe-io\n")
    _MADE.write_text(" ".join(packages))


def packages_of_the_document() -> list[str]:
    """What the first step of docs/production.md installs."""
    (first,) = (step for step in steps_of("production.md", "## First time") if step.number == 1)
    (words,) = (command.split() for command in first.commands if " install " in command)
    return [word for word in words[words.index("install") + 1 :] if not word.startswith("-")]


def _child_of(pid: int) -> int:
    """The first process that a process has started; 0 while there is none."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else 0


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        text=True,
        check=False,
        timeout=_MAKE_SECONDS,
    )
    if done.returncode:
        raise Failed(f"{' '.join(command[:4])} ...\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


if __name__ == "__main__":
    try:
        make()
    except (Failed, FileNotFoundError) as error:
        sys.exit(f"bare_debian: {error}")
