"""What is written down is true."""

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
_SET_BY_THE_PROCESS = {"SDK_URLCONF"}


def test_every_setting_is_explained_and_every_explained_setting_exists():
    read = set()
    for name in ("settings.py", "environment.py"):
        read |= set(re.findall(r'"(SDK_[A-Z0-9_]+)"', (PROJECT / "sdkportal" / name).read_text()))
    told = set(re.findall(r"SDK_[A-Z0-9_]+", (PROJECT / "docs" / "production.md").read_text()))
    assert read - _SET_BY_THE_PROCESS - told == set()
    assert told - read == set()


def test_what_the_readme_names_is_there():
    text = (PROJECT / "README.md").read_text()
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (PROJECT / link).exists(), link
    for folder in re.findall(r"^\| `([a-z_/]+/)` \|", text, re.MULTILINE):
        assert (PROJECT / folder).is_dir(), folder
    makefile = (PROJECT / "Makefile").read_text()
    for target in re.findall(r"make ([a-z-]+)", text):
        assert f"\n{target}:" in makefile, target
