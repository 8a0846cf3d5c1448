"""Images and containers by podman and buildah, with a base that debootstrap makes of Debian's packages."""

import contextlib
import os
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed.node import PROJECT

BASE = "localhost/sdkportal-test-base"
IMAGE = "localhost/sdkportal-test"
_STORE = PROJECT / "var" / "containers"
_BUILD_SECONDS = 3600
_RUN_SECONDS = 300


class Failed(Exception):
    """A program ended with an error; the text has the end of what it said."""


class Podman:
    """Containers in a store of our own below var/, whose layers are kept for the next time."""

    def __init__(self) -> None:
        _STORE.mkdir(parents=True, exist_ok=True)
        self._options = ["--root", str(_STORE / "root"), "--runroot", str(_STORE / "run")]
        self._runtime: list[str] = []

    def build(self) -> None:
        """The image of deploy/Containerfile, on the base."""
        if not self._succeeds("image", "exists", BASE):
            self._make_base()
        # Certificates of this machine's own, where a package index is reached through a proxy.
        certificates = ["--volume", "/etc/ssl/certs:/etc/ssl/certs:ro"]
        _run(
            [
                *("buildah", *self._options, "build", "--layers", "--isolation", "chroot", *certificates),
                *("--build-arg", f"BASE={BASE}", "--file", "deploy/Containerfile", "--tag", IMAGE, "."),
            ],
            _BUILD_SECONDS,
        )
        self._runtime = self._usable_runtime()

    def run(self, *arguments: str) -> str:
        """`podman run` with these arguments; what it printed."""
        return _run([*self._podman(), "run", *arguments], _RUN_SECONDS)

    def execute(self, name: str, *command: str) -> str:
        """Run a command in a container; what it printed."""
        return _run([*self._podman(), "exec", name, *command], _RUN_SECONDS)

    def is_healthy(self, name: str, command: Sequence[str]) -> bool:
        return self._succeeds("exec", name, *command)

    def logs(self, name: str) -> str:
        done = subprocess.run(
            [*self._podman(), "logs", "--tail", "40", name], capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr

    def remove(self, *names: str) -> None:
        """Stop and remove them in this order: one whose network another uses cannot go first."""
        for name in names:
            with contextlib.suppress(Failed):
                _run([*self._podman(), "rm", "--force", "--ignore", "--time", "10", name], _RUN_SECONDS)

    def remove_volume(self, name: str) -> None:
        with contextlib.suppress(Failed):
            _run([*self._podman(), "volume", "rm", "--force", name], _RUN_SECONDS)

    def _podman(self) -> list[str]:
        return ["podman", *self._options, "--cgroup-manager", "cgroupfs", *self._runtime]

    def _succeeds(self, *arguments: str) -> bool:
        done = subprocess.run(
            [*self._podman(), *arguments], capture_output=True, check=False, timeout=_RUN_SECONDS
        )
        return done.returncode == 0

    def _make_base(self) -> None:
        root, archive = _STORE / "base", _STORE / "base.tar"
        if not archive.exists():
            packages = "--include=ca-certificates"
            _run(["debootstrap", "--variant=minbase", packages, "bookworm", str(root)], _BUILD_SECONDS)
            unfinished = archive.with_suffix(".part")
            with tarfile.open(unfinished, "w") as files:
                files.add(root, ".")
            os.replace(unfinished, archive)
        _run([*self._podman(), "import", str(archive), BASE], _BUILD_SECONDS)

    def _usable_runtime(self) -> list[str]:
        """Podman's own, or runc by a wrapper: see docs/decisions.md, "Containers"."""
        wrapper = ["--runtime", str(Path(__file__).parent / "runc")]
        said = ""
        for runtime in ([], wrapper):
            self._runtime = runtime
            try:
                self.run("--rm", "--network", "none", IMAGE, "true")
                return runtime
            except Failed as error:
                said += f"{error}\n"
        raise Failed(f"no runtime starts a container here:\n{said}")


def hardened(service: dict[str, Any]) -> list[str]:
    """What compose.yaml says of a service's rights, as options of `podman run`."""
    options = ["--user", service["user"]]
    if service["read_only"]:
        options.append("--read-only")
    options += [f"--cap-drop={name}" for name in service["cap_drop"]]
    options += [f"--security-opt={each.partition(':')[0]}" for each in service["security_opt"]]
    return options + [f"--tmpfs={each}" for each in service["tmpfs"]]


def _run(command: Sequence[str], seconds: float) -> str:
    try:
        done = subprocess.run(
            command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=seconds
        )
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is missing: make test-containers installs it") from error
    if done.returncode:
        raise Failed(f"{' '.join(command[:8])} ...\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout
