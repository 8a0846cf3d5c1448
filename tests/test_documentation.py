"""What is written down is true."""

import re
import tomllib
from pathlib import Path

import pytest

import sdkportal

PROJECT = Path(__file__).resolve().parent.parent
_SET_BY_THE_PROCESS = {"SDK_URLCONF"}


def test_every_setting_is_explained_and_every_explained_setting_exists():
    read = set()
    call = r'env(?:ironment)?\.[a-z_]+\(\s*"(SDK_[A-Z0-9_]+)"|(?:number|text|flag|words)\("(SDK_[A-Z0-9_]+)"'
    for path in sorted((PROJECT / "sdkportal").rglob("*.py")):
        read |= {name for names in re.findall(call, path.read_text()) for name in names if name}
    documented = set(re.findall(r"SDK_[A-Z0-9_]+", (PROJECT / "docs" / "production.md").read_text()))
    assert len(read) > 100
    assert read - _SET_BY_THE_PROCESS - documented == set()
    assert documented - read == set()


def test_the_version_is_the_same_wherever_it_is_told():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    released = re.findall(r"^## \[(\d[^\]]*)\]", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sdkportal.__version__ == project["version"] == released[0]


def test_the_licence_is_the_one_that_is_named():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    text = (PROJECT / "LICENSE").read_text()
    assert project["license"] == "EUPL-1.2"
    assert text.startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2\n")
    assert [f"\n{number}." in text for number in range(1, 16)] == [True] * 15
    assert text.rstrip().endswith("require the production of a new EUPL version.")


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        *(f"docs/{each.name}" for each in (PROJECT / "docs").glob("*.md")),
    ],
)
def test_what_a_page_links_to_is_there(page):
    path = PROJECT / page
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        target, _, _ = link.partition("#")
        if target and "://" not in target:
            assert (path.parent / target).exists(), link


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_every_target_of_make_that_is_told_exists(page):
    makefile = (PROJECT / "Makefile").read_text()
    for target in re.findall(r"(?:`|^    )make ([a-z-]+)", (PROJECT / page).read_text(), re.MULTILINE):
        assert f"\n{target}:" in makefile, target


def test_what_the_readme_names_is_there():
    text = (PROJECT / "README.md").read_text()
    for folder in re.findall(r"^\| `([a-z_/]+/)` \|", text, re.MULTILINE):
        assert (PROJECT / folder).is_dir(), folder


def test_every_term_of_the_glossary_is_there_once_and_has_a_meaning():
    rows = re.findall(
        r"^\| (.+?) \| (.*?) \| (.*?) \| (.*?) \|$", (PROJECT / "docs" / "glossary.md").read_text(), re.M
    )
    terms = [term for term, *_ in rows if term not in ("term", "---")]
    assert len(terms) > 100
    assert sorted(terms) == sorted(set(terms))
    assert [term for term, *rest in rows if not all(rest)] == []


def test_every_test_that_the_threat_model_names_exists():
    missing, path, rows = [], "", 0
    for line in (PROJECT / "docs" / "threat-model.md").read_text().splitlines():
        for named in re.findall(r"`([\w/.]*::\w+)`", line):
            rows += 1
            file, name = named.split("::")
            path = file or path
            source = (PROJECT / path).read_text() if (PROJECT / path).is_file() else ""
            if not re.search(rf"^(async )?def {name}\(", source, re.MULTILINE):
                missing.append(f"{path}::{name}")
    assert missing == []
    assert rows > 50
