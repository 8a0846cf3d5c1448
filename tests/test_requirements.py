"""What is asked for, pinned and imported belongs together; and the check of it finds what does not."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
_CHECK = PROJECT / "scripts" / "check_requirements.py"


def check(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(_CHECK), str(directory)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path) -> Path:
    """The requirements, and no code."""
    for file in PROJECT.glob("requirements*"):
        shutil.copy(file, tmp_path)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert re.search(old, text, re.M)
    path.write_text(re.sub(old, new, text, count=1, flags=re.M))


def test_the_requirements_belong_together():
    done = check(PROJECT)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_a_package_that_is_asked_for_has_to_be_pinned(copy):
    with (copy / "requirements.in").open("a") as file:
        file.write("left-pad>=1\n")
    done = check(copy)
    assert done.returncode == 1
    assert "left-pad: asked for and not pinned in requirements.txt; run `make lock`" in done.stdout


def test_a_pin_that_is_not_allowed_any_more_is_found(copy):
    change(copy / "requirements.in", r"^lxml\S+", "lxml>=999")
    assert "lxml: requirements.txt pins" in check(copy).stdout


def test_a_package_that_nobody_asks_for_any_more_is_found(copy):
    change(copy / "requirements.in", r"^lxml.*\n", "")
    assert "lxml: pinned in requirements.txt and asked for no more" in check(copy).stdout


def test_a_pin_without_hashes_is_found(copy):
    change(copy / "requirements.txt", r"^(lxml==\S+) \\\n( +--hash=\S+( \\)?\n)+", r"\1\n")
    assert "lxml: pinned in requirements.txt without hashes" in check(copy).stdout


def test_files_that_pin_different_versions_are_found(copy):
    change(copy / "requirements.txt", r"^lxml==(\S+)", r"lxml==\1.post1")
    assert "lxml: requirements.txt and requirements-dev.txt pin different versions" in check(copy).stdout


@pytest.mark.parametrize(
    "line", ["--index-url https://index.example/", "-f https://index.example/", "--find-links ./x"]
)
def test_an_index_is_a_setting_of_the_machine(copy, line):
    text = (copy / "requirements.txt").read_text()
    (copy / "requirements.txt").write_text(f"{line}\n{text}")
    assert "names where packages come from" in check(copy).stdout


@pytest.mark.parametrize(
    ("folder", "statement", "told"),
    [
        ("mailbox", "import tzlocal", "mailbox/x.py: imports tzlocal (tzlocal): not in requirements.in"),
        ("mailbox", "from flask import Flask", "mailbox/x.py: imports flask (flask): not in requirements.in"),
        ("tests", "    import amqp", "tests/x.py: imports amqp (amqp): not in requirements-dev.in"),
    ],
)
def test_what_is_imported_has_to_be_asked_for(copy, folder, statement, told):
    (copy / folder).mkdir()
    (copy / folder / "x.py").write_text(f"if True:\n    {statement.strip()}\n")
    assert told in check(copy).stdout


def test_every_package_is_installed_with_its_hash():
    for file in ("scripts/install", "deploy/Containerfile"):
        text = (PROJECT / file).read_text()
        installs = [line for line in text.splitlines() if re.search(r"pip\"? install", line)]
        assert installs, file
        assert [line for line in installs if "--require-hashes" not in line] == [], file
