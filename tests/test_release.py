"""A release: its notes, its wheel with everything that is not Python, and what its bundle is made of."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import sdkportal
from scripts import release
from scripts.release_notes import NoNotes, main, notes_of

PROJECT = Path(__file__).resolve().parent.parent
CHANGELOG = """# Changelog

## [Unreleased]

### Added

## [1.10.0] - 2026-11-01

### Added

- A thing.

## [1.1.0]

- An older thing.

## [1.0.0] - 2026-01-01

[1.10.0]: https://example.org/1.10.0
"""


def test_the_notes_of_a_version_are_its_section():
    assert notes_of("1.10.0", CHANGELOG) == "### Added\n\n- A thing.\n"
    assert notes_of("1.1.0", CHANGELOG) == "- An older thing.\n"


@pytest.mark.parametrize("version", ["Unreleased", "1.0.0", "1.1", "2.0.0", "1.1.*"])
def test_a_version_without_a_word_in_the_changelog_has_no_notes(version):
    with pytest.raises(NoNotes):
        notes_of(version, CHANGELOG)


def test_the_script_prints_them_and_fails_where_there_are_none(tmp_path, capsys):
    path = tmp_path / "CHANGELOG.md"
    path.write_text(CHANGELOG)
    assert main(["1.1.0", str(path)]) == 0
    assert capsys.readouterr().out == "- An older thing.\n"
    assert main(["9.9.9", str(path)]) == 1
    assert "9.9.9" in capsys.readouterr().err
    assert main([]) == 1


def test_this_version_has_notes():
    assert notes_of(sdkportal.__version__, (PROJECT / "CHANGELOG.md").read_text())


def test_what_is_not_released_stops_a_release_and_not_a_snapshot(monkeypatch, tmp_path):
    changelog = CHANGELOG.replace("### Added\n\n## [1.10", "### Added\n\n- New.\n\n## [1.10")
    (tmp_path / "CHANGELOG.md").write_text(changelog)
    monkeypatch.setattr(release, "PROJECT", tmp_path)
    with pytest.raises(release.ReleaseFailed, match="Unreleased"):
        release._notes("1.10.0", is_snapshot=False)
    assert "- New." in release._notes("1.10.0", is_snapshot=True)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    assert "- A thing." in release._notes("1.10.0", is_snapshot=False)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The wheel's files, as pip would put them."""
    directory = tmp_path_factory.mktemp("wheel")
    wheel = release.build_wheel(directory)
    assert wheel.name == f"sdkportal-{sdkportal.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory / "site")
    return directory / "site"


def test_the_wheel_has_every_file_of_ours_and_nothing_else(installed):
    tracked = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("this is no checkout of git")
    packages = ("sdkportal/", "mailbox/", "addressbook/", "transport/")
    expected = {
        f"sdkportal_packages/{name}" for name in tracked.stdout.splitlines() if name.startswith(packages)
    }
    beside = ("templates/", "static/", "locale/")
    expected |= {
        f"sdkportal_packages/sdkportal/{name}"
        for name in tracked.stdout.splitlines()
        if name.startswith(beside)
    }
    found = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    found = {name for name in found if ".dist-info/" not in name}
    assert sorted(expected - found) == []
    assert [name for name in found if name.startswith(("testbed/", "tests/", "scripts/"))] == []
    beside_code = ("locale/en/LC_MESSAGES/django.mo", "templates/help/page.html")
    assert {f"sdkportal_packages/sdkportal/{name}" for name in beside_code} | {"sdkportal.pth"} <= found


def test_the_wheel_says_what_it_needs_and_what_its_command_is(installed):
    (metadata,) = installed.glob("*.dist-info")
    told = (metadata / "METADATA").read_text()
    assert "Requires-Dist: django<5.3,>=5.2.19" in told
    assert "Requires-Dist: pytest" not in told
    assert "sdkportal = sdkportal.startup.command_line:main" in (metadata / "entry_points.txt").read_text()


def test_the_wheel_runs_outside_of_a_checkout(installed, tmp_path):
    """Before the standard library's `mailbox`; pages are drawn, and data are not beside the code."""
    code = """
import os
import site
import sys
site.addsitedir(os.environ["INSTALLED"])
sys.argv = ["sdkportal", "collectstatic", "--noinput", "--verbosity", "0"]
from sdkportal.startup.command_line import main
main()
import sdkportal
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.translation import gettext, override
from mailbox.archive import page
assert page._STYLESHEET.is_file()
with override("en"):
    print(gettext("Kontrollera nu"), bool(render_to_string("404.html")), settings.DATA_DIR)
print(sdkportal.__file__)
"""
    own = {name: value for name, value in os.environ.items() if not name.startswith("SDK_")}
    environment = tmp_path / "environment"
    secret = "p7Q-3sJ_v0K1x2Y9z8W4u6T5r3E1a7S2d4F6g8H0j9L1m3N5b7"
    environment.write_text(
        f"SDK_SECRET_KEY={secret}\nSDK_PERSON_KEY={secret}\nSDK_STATIC_DIR={tmp_path / 'static'}\n"
        f"SDK_WORK_DIR={tmp_path / 'work'}\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env={**own, "INSTALLED": str(installed), "SDK_ENVIRONMENT_FILE": str(environment)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told, code_file = done.stdout.split("\n")[:2]
    assert told == "Check now True /var/lib/sdkportal"
    assert code_file == f"{installed}/sdkportal_packages/sdkportal/__init__.py"
    assert (tmp_path / "static" / "staticfiles.json").is_file()


def test_the_wheel_checks_files_without_any_setting(installed, tmp_path):
    code = """
import os
import site
import sys
site.addsitedir(os.environ["INSTALLED"])
sys.argv = ["sdkportal", "sdkcheck", "missing"]
from sdkportal.startup.command_line import main
main()
"""
    own = {name: value for name, value in os.environ.items() if not name.startswith("SDK_")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env={**own, "INSTALLED": str(installed), "SDK_WORK_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr


def test_the_sbom_names_every_dependency_with_its_hashes(tmp_path):
    release.write_sbom(tmp_path / "sbom.json")
    told = json.loads((tmp_path / "sbom.json").read_text())
    assert told["bomFormat"] == "CycloneDX"
    component = told["metadata"]["component"]
    assert (component["name"], component["version"]) == ("sdkportal", sdkportal.__version__)
    pinned = [
        line.partition("==")[0].partition("[")[0]
        for line in (PROJECT / "requirements.txt").read_text().splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    ]
    named = {each["name"].lower().replace("_", "-"): each for each in told["components"]}
    assert {name.lower() for name in pinned} == set(named)
    references = [each.get("externalReferences", []) for each in named.values()]
    assert all(any(reference.get("hashes") for reference in found) for found in references)


def test_the_bundle_s_requirements_are_its_wheels_by_their_hashes(tmp_path):
    (tmp_path / "An_Example-1.0-py3-none-any.whl").write_bytes(b"wheel")
    line = release.requirements_of(tmp_path)
    assert line.startswith("an-example==1.0 --hash=sha256:")
    assert len(line.strip().rpartition(":")[2]) == 64


def test_the_sums_of_a_bundle_are_what_sha256sum_checks(tmp_path):
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "a").write_text("a")
    release.write_sums(tmp_path)
    check = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    assert subprocess.run(check, cwd=tmp_path, check=False).returncode == 0
    (tmp_path / "packages" / "a").write_text("b")
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 1
