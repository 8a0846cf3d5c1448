"""The last release: its version, its commit, and the last of its migrations of each application.

scripts/last_release.json holds it, and `make release` writes it anew. What comes after these migrations has
to suit the processes of that release too, which run beside it while a node is upgraded (docs/upgrading.md).
"""

import io
import json
import re
import subprocess
import tarfile
from dataclasses import asdict, dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
_FILE = PROJECT / "scripts" / "last_release.json"
_PACKAGES = ("sdkportal", "mailbox", "addressbook", "transport")
_LABEL = re.compile(r'^    label = "(\w+)"$', re.M)


class NotInThisCheckout(Exception):
    """The release's commit is not here: the checkout is shallow, or not one of git."""


@dataclass(frozen=True)
class LastRelease:
    """A release; `migrations` is the number and name of the last migration, by application."""

    version: str
    commit: str
    migrations: dict[str, str]

    def has(self, application: str, migration: str) -> bool:
        """Whether a migration was part of it: names begin with numbers, and their order is that."""
        return migration <= self.migrations.get(application, "")


def read(file: Path = _FILE) -> LastRelease:
    """The last release as the file tells it."""
    return LastRelease(**json.loads(file.read_text()))


def write(version: str, migrations: dict[str, str], file: Path = _FILE) -> None:
    """Let what is checked out be the last release."""
    commit = _git("rev-parse", "HEAD").decode().strip()
    release = LastRelease(version, commit, dict(sorted(migrations.items())))
    file.write_text(json.dumps(asdict(release), indent=1) + "\n")


def unpack(release: LastRelease, directory: Path) -> None:
    """Put the release's files into a directory. Raises `NotInThisCheckout`."""
    archive = _git("archive", "--format=tar", release.commit)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(directory)


def migrations_of(directory: Path = PROJECT) -> dict[str, str]:
    """The last migration of each application of a checkout, by the application's label."""
    last: dict[str, str] = {}
    for package in _PACKAGES:
        for file in (directory / package).glob("**/migrations/[0-9]*.py"):
            label = _label_of(file.parent.parent)
            last[label] = max(file.stem, last.get(label, ""))
    return last


def _label_of(package: Path) -> str:
    said = _LABEL.search((package / "apps.py").read_text())
    return said[1] if said else package.name


def _git(*arguments: str) -> bytes:
    try:
        return subprocess.run(["git", *arguments], cwd=PROJECT, check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        said = error.stderr.decode().strip() if isinstance(error, subprocess.CalledProcessError) else error
        raise NotInThisCheckout(str(said)) from error
