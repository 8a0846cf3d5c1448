"""What is written down is true."""

import re
import tokenize
import tomllib
from pathlib import Path

import pytest
from django.core.management import get_commands

import sdkportal

PROJECT = Path(__file__).resolve().parent.parent
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *sorted(f"docs/{each.name}" for each in (PROJECT / "docs").glob("*.md")),
]
FOLDERS = {
    "addressbook",
    "benchmarks",
    "deploy",
    "docs",
    "mailbox",
    "scripts",
    "sdkportal",
    "static",
    "templates",
    "testbed",
    "tests",
    "transport",
}
NAMES_OF_MODULES = {path.name for folder in FOLDERS for path in (PROJECT / folder).rglob("*.py")} | {
    "manage.py"
}
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
    """The package's own, from which the build takes it; and the newest of the changelog."""
    told = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert told["project"]["dynamic"] == ["version", "dependencies"]
    assert told["tool"]["hatch"]["version"] == {"path": "sdkportal/__init__.py"}
    released = re.findall(r"^## \[(\d[^\]]*)\]", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sdkportal.__version__ == released[0]


def test_the_licence_is_the_one_that_is_named():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    text = (PROJECT / "LICENSE").read_text()
    assert project["license"] == "EUPL-1.2"
    assert text.startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2\n")
    assert [f"\n{number}." in text for number in range(1, 16)] == [True] * 15
    assert text.rstrip().endswith("require the production of a new EUPL version.")


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_links_to_is_there(page):
    path = PROJECT / page
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        target, _, _ = link.partition("#")
        if target and "://" not in target:
            assert (path.parent / target).exists(), link


@pytest.mark.parametrize("page", PAGES)
def test_every_target_of_make_that_is_told_exists(page):
    makefile = (PROJECT / "Makefile").read_text()
    for target in re.findall(r"(?:`|^    )make ([a-z-]+)", (PROJECT / page).read_text(), re.MULTILINE):
        assert f"\n{target}:" in makefile, target


@pytest.mark.parametrize("page", PAGES)
def test_every_file_of_ours_that_is_named_exists(page):
    """A file or folder with its path, from the top or from a package; a module also by its name alone."""
    quoted = re.findall(r"`([^`\n]+)`", (PROJECT / page).read_text())
    words = [word for words in map(str.split, quoted) for word in words]
    is_file = re.compile(r"([\w-]+/)*[\w.-]+\.(py|html|js|css|toml)(::\w*)?").fullmatch
    is_path = re.compile(r"[\w-]+(/[\w.-]+)*/?").fullmatch
    files = [word.partition("::")[0] for word in words if is_file(word)]
    folders = [word for word in words if is_path(word) and word.split("/")[0] in FOLDERS]
    missing = [
        path
        for path in (*files, *(folder for folder in folders if "/" in folder))
        if not any((PROJECT / above / path).exists() for above in ("", "transport", "mailbox", "docs"))
        and ("/" in path or path not in NAMES_OF_MODULES)
    ]
    assert [path for path in missing if not path.startswith("testprotokoll.")] == []


def test_what_docstrings_and_comments_name_of_a_module_exists():
    """A module that is renamed leaves no `old_name.function` behind in what is written about it."""
    rooms = ("addressbook", "benchmarks", "mailbox", "sdkportal", "testbed", "transport")
    known, named = set(), []
    for path in (path for room in rooms for path in sorted((PROJECT / room).rglob("*.py"))):
        known |= {path.stem, path.parent.name}
        previous = tokenize.NEWLINE
        with path.open("rb") as file:
            for token in tokenize.tokenize(file.readline):
                is_docstring = token.type == tokenize.STRING and previous not in (tokenize.OP, tokenize.NAME)
                if token.type == tokenize.COMMENT or is_docstring:
                    found = re.findall(r"`([a-z_]+(?:\.\w+)+)`", token.string)
                    named += [(str(path.relative_to(PROJECT)), name) for name in found]
                elif token.type in (tokenize.NAME, tokenize.STRING):
                    known |= set(re.findall(r"\w+", token.string))
                if token.type not in (tokenize.COMMENT, tokenize.NL):
                    previous = token.type
    assert len(named) > 60
    assert [(path, name) for path, name in named if not set(name.split(".")) <= known] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_named_exists(page):
    named = set(re.findall(r"manage\.py ([a-z_]+)", (PROJECT / page).read_text()))
    assert named - set(get_commands()) - {"help"} == set()


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
