"""Makes a release: a wheel, an offline bundle with every dependency, an SBOM, and its notes.

    python -m scripts.release [--snapshot] [--directory dist]

Afterwards it is the last release (scripts/last_release.json), unless it was a snapshot.

The version is that of sdkportal/__init__.py. What the changelog has under Unreleased stops it: a version is
to be given to it first. `--snapshot` makes one all the same, with those notes. At the end the bundle is
installed in an environment of its own, from its files alone.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from packaging.utils import parse_wheel_filename

import sdkportal
from scripts import last_release
from scripts.release_notes import NoNotes, notes_of

PROJECT = Path(__file__).resolve().parent.parent
# What an administrator needs besides the packages.
_SHIPPED = ("deploy", "docs", "CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md")
_INSTALL = """#!/bin/sh
# Installs sdkportal from the files beside this one, without a network: ./install /opt/sdkportal
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?usage: ./install DIRECTORY}
(cd "$here" && sha256sum --check --quiet SHA256SUMS)
mkdir -p "$target"
[ -x "$target/.venv/bin/pip" ] || "${PYTHON:-python3}" -m venv "$target/.venv"
"$target/.venv/bin/pip" install --quiet --disable-pip-version-check --no-index \\
    --find-links "$here/packages" --no-deps --require-hashes -r "$here/requirements.txt"
rm -rf "$target/deploy" "$target/docs"
cp -R "$here/deploy" "$here/docs" "$target/"
echo "installed $("$target/.venv/bin/sdkportal" --release) in $target; see $target/docs/production.md"
"""


class ReleaseFailed(Exception):
    """A release cannot be made; the text says what to do."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Makes a release.")
    parser.add_argument("--snapshot", action="store_true", help="of what is not released yet")
    parser.add_argument("--directory", type=Path, default=PROJECT / "dist")
    given = parser.parse_args(arguments)
    try:
        bundle = make(given.directory.resolve(), is_snapshot=given.snapshot)
        verify(bundle)
        if not given.snapshot:
            last_release.write(sdkportal.__version__, last_release.migrations_of())
            _say("wrote scripts/last_release.json: commit it")
    except (ReleaseFailed, NoNotes, last_release.NotInThisCheckout) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


def make(directory: Path, *, is_snapshot: bool) -> Path:
    """Make everything of a release in the directory; the bundle's file. Raises `ReleaseFailed`, `NoNotes`."""
    version = sdkportal.__version__
    notes = _notes(version, is_snapshot=is_snapshot)
    name = f"sdkportal-{version}"
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory) as temporary:
        root = Path(temporary) / name
        (root / "packages").mkdir(parents=True)
        wheel = build_wheel(root / "packages")
        _say(f"built {wheel.name}")
        fetch_dependencies(root / "packages")
        _say(f"fetched {len(list((root / 'packages').iterdir())) - 1} dependencies")
        (root / "requirements.txt").write_text(requirements_of(root / "packages"))
        write_sbom(root / "sbom.cdx.json")
        (root / "RELEASE-NOTES.md").write_text(f"# sdkportal {version}\n\n{notes}")
        for shipped in _SHIPPED:
            source = PROJECT / shipped
            shutil.copytree(source, root / shipped) if source.is_dir() else shutil.copy(
                source, root / shipped
            )
        (root / "install").write_text(_INSTALL)
        (root / "install").chmod(0o755)
        write_sums(root)
        bundle = directory / f"{name}-offline.tar"
        with tarfile.open(bundle, "w") as archive:
            archive.add(root, name, filter=_anonymous)
        for path in (wheel, root / "sbom.cdx.json", root / "RELEASE-NOTES.md"):
            shutil.copy(path, directory / path.name)
    (directory / f"{bundle.name}.sha256").write_text(f"{_sha256(bundle)}  {bundle.name}\n")
    _say(f"wrote {bundle} ({bundle.stat().st_size / 1e6:.0f} MB), its sum, the wheel, the SBOM and the notes")
    return bundle


def build_wheel(directory: Path) -> Path:
    """Build the wheel into the directory."""
    _run("hatchling", "build", "--target", "wheel", "--directory", str(directory))
    (wheel,) = directory.glob("sdkportal-*.whl")
    return wheel


def fetch_dependencies(directory: Path) -> None:
    """A wheel of everything that requirements.txt pins by its hash, for this machine's Python.

    What comes as source alone is built here, with pinned tools, so that nothing has to be built where it is
    installed.
    """
    options = ["--quiet", "--disable-pip-version-check", "--no-build-isolation", "--no-deps"]
    options += ["--require-hashes"]
    _run("pip", "wheel", *options, "--wheel-dir", str(directory), "-r", "requirements.txt")


def requirements_of(directory: Path) -> str:
    """What pip installs from the wheels in a directory: all of them, by their hashes."""
    lines = []
    for wheel in sorted(directory.glob("*.whl")):
        name, version, _, _ = parse_wheel_filename(wheel.name)
        lines.append(f"{name}=={version} --hash=sha256:{_sha256(wheel)}\n")
    return "".join(lines)


def write_sbom(path: Path) -> None:
    """What the release is made of, as CycloneDX: every dependency with its version and hashes."""
    options = ["--pyproject", "pyproject.toml", "--mc-type", "application", "--output-reproducible"]
    _run("cyclonedx_py", "requirements", *options, "--output-file", str(path), "requirements.txt")
    written = json.loads(path.read_text())
    # The version is not in pyproject.toml itself.
    component = written["metadata"]["component"]
    component["version"] = sdkportal.__version__
    component["purl"] = f"pkg:pypi/sdkportal@{sdkportal.__version__}"
    path.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n")


def write_sums(root: Path) -> None:
    """SHA256SUMS of everything below the directory, as sha256sum reads it."""
    paths = sorted(path for path in root.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    (root / "SHA256SUMS").write_text(
        "".join(f"{_sha256(path)}  {path.relative_to(root)}\n" for path in paths)
    )


def verify(bundle: Path) -> None:
    """Install the bundle in an environment of its own, from its files alone, and start a command of it."""
    with tempfile.TemporaryDirectory() as temporary:
        with tarfile.open(bundle) as archive:
            archive.extractall(temporary)
        (root,) = Path(temporary).iterdir()
        target = Path(temporary) / "installed"
        # In a network without any way out, where the system allows making one.
        apart = ["unshare", "--user", "--map-root-user", "--net"]
        if subprocess.run([*apart, "true"], check=False, capture_output=True).returncode:
            _say("this system makes no networks apart: the bundle is installed with the network in reach")
            apart = []
        done = subprocess.run(
            [*apart, str(root / "install"), str(target)],
            env={"PATH": "/usr/bin:/bin", "PYTHON": sys.executable, "HOME": temporary},
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise ReleaseFailed(f"the bundle cannot be installed:\n{done.stdout}{done.stderr}")
        # The code is that of the bundle, and starts: checks of files need neither settings nor services.
        command = [str(target / ".venv/bin/sdkportal"), "sdkcheck", str(root / "sbom.cdx.json")]
        done = subprocess.run([*apart, *command], cwd=temporary, check=False, capture_output=True, text=True)
        if "Traceback" in done.stderr or done.returncode not in (1, 2):
            raise ReleaseFailed(f"what is installed does not start:\n{done.stdout}{done.stderr}")
        _say(f"installed and started without a network: {sdkportal.__version__}")


def _notes(version: str, *, is_snapshot: bool) -> str:
    changelog = (PROJECT / "CHANGELOG.md").read_text()
    if is_snapshot:
        return notes_of("Unreleased", changelog)
    try:
        notes_of("Unreleased", changelog)
    except NoNotes:
        return notes_of(version, changelog)
    raise ReleaseFailed(
        "CHANGELOG.md has entries under Unreleased: give them a version, there and in sdkportal/__init__.py "
        "(or make a snapshot: make release ARGS=--snapshot)"
    )


def _run(module: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=PROJECT, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise ReleaseFailed(f"{module} failed:\n{done.stdout}{done.stderr}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Nothing of who made the bundle; and no bytecode."""
    if "__pycache__" in member.name:
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def _say(text: str) -> None:
    print(f"  {text}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
