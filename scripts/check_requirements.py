"""What is asked for, what is pinned and what is imported belong together. It asks no package index.

    python scripts/check_requirements.py [DIRECTORY]

- Each requirement of requirements.in and requirements-dev.in is pinned beside it, with hashes, to a version
  that it allows.
- Nothing is pinned that nobody asks for, and all files pin the same versions.
- requirements-traces.in, an optional extra, is checked likewise, and pyproject.toml says the same of it.
- The files name no package index.
- Each package that is imported is asked for, not only there because another needs it: what runs in production
  in requirements.in, the rest in either.

Prints a line for each thing that is wrong, and ends with 1 if there is any.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parent.parent
_PRODUCTION = ("sdkportal", "mailbox", "addressbook", "transport")
_OTHER = ("testbed", "tests", "benchmarks", "scripts")
# Programs that run in an environment of their own, with pins of their own.
_APART = ("tests/interop/as4_peer", "tests/mailbox/archive/eark_validator")
_PIN = re.compile(r"^(?P<name>[\w.-]+)(\[[^]]*\])?==(?P<version>[^ \\;]+)")
# What imports the packages of the optional extra.
_TRACES = "transport/observation/export.py"
# There for type checkers alone.
_NOWHERE = {"_typeshed"}
_LOCK = "run `make lock`"


@dataclass(frozen=True)
class Pin:
    """A package as a compiled file has it: `asked_by` are names of packages, or `-r FILE`."""

    version: str
    hashes: int
    asked_by: frozenset[str]


def asked_for(path: Path) -> dict[str, Requirement]:
    """The requirements of a file of ours by name, without those that it includes."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    found = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return {canonicalize_name(each.name): each for each in found}


def pinned(path: Path) -> dict[str, Pin]:
    """The pins of a compiled file by name."""
    blocks: dict[str, list[str]] = {}
    block: list[str] = []
    for line in path.read_text().splitlines():
        if match := _PIN.match(line):
            block = blocks.setdefault(canonicalize_name(match["name"]), [])
        block.append(line)
    return {name: _pin(lines) for name, lines in blocks.items()}


def _pin(lines: list[str]) -> Pin:
    match = _PIN.match(lines[0])
    assert match
    notes = [line.strip().lstrip("#").strip().removeprefix("via").strip() for line in lines if "#" in line]
    return Pin(
        match["version"],
        sum("--hash=sha256:" in line for line in lines),
        frozenset(note for note in notes if note),
    )


def problems(directory: Path) -> Iterator[str]:
    """What does not belong together."""
    production = asked_for(directory / "requirements.in")
    development = asked_for(directory / "requirements-dev.in")
    traces = asked_for(directory / "requirements-traces.in")
    pins = pinned(directory / "requirements.txt")
    trace_pins = pinned(directory / "requirements-traces.txt")
    all_pins = pinned(directory / "requirements-dev.txt")
    yield from _unlocked("requirements.txt", production, pins, {"requirements.in"})
    yield from _unlocked("requirements-traces.txt", traces, trace_pins, {"requirements-traces.in"})
    yield from _unlocked(
        "requirements-dev.txt",
        production | traces | development,
        all_pins,
        {"requirements.in", "requirements-traces.in", "requirements-dev.in"},
    )
    for file, some in (("requirements.txt", pins), ("requirements-traces.txt", trace_pins)):
        for name, pin in some.items():
            if name not in all_pins or all_pins[name].version != pin.version:
                yield f"{name}: {file} and requirements-dev.txt pin different versions; {_LOCK}"
    yield from _extra_differs(directory, traces)
    for name in sorted(path.name for path in directory.glob("requirements*")):
        if re.search(
            r"://|^-(i|f)\b|^--(index|extra-index|find-links|trusted)", _read(directory, name), re.M
        ):
            yield f"{name}: names where packages come from, which is a setting of the machine"
    yield from _not_asked_for(directory, set(production), set(traces), set(production | traces | development))


def _extra_differs(directory: Path, traces: dict[str, Requirement]) -> Iterator[str]:
    path = directory / "pyproject.toml"
    if not path.is_file():
        return
    extras = tomllib.loads(path.read_text())["project"]["optional-dependencies"]
    if {str(Requirement(line)) for line in extras["traces"]} != {str(each) for each in traces.values()}:
        yield "pyproject.toml: the extra traces is not requirements-traces.in"


def _read(directory: Path, name: str) -> str:
    return (directory / name).read_text()


def _unlocked(
    file: str, asked: dict[str, Requirement], pins: dict[str, Pin], sources: set[str]
) -> Iterator[str]:
    for name, requirement in asked.items():
        if name not in pins:
            yield f"{name}: asked for and not pinned in {file}; {_LOCK}"
        elif not requirement.specifier.contains(pins[name].version, prereleases=True):
            yield f"{name}: {file} pins {pins[name].version}, which {requirement.specifier} excludes; {_LOCK}"
    for name, pin in pins.items():
        if not pin.hashes:
            yield f"{name}: pinned in {file} without hashes; {_LOCK}"
        by_us = {note for note in pin.asked_by if note.partition("-r ")[2] in sources}
        if by_us and name not in asked:
            yield f"{name}: pinned in {file} and asked for no more; {_LOCK}"
        if not by_us and not {canonicalize_name(note) for note in pin.asked_by} & set(pins):
            yield f"{name}: pinned in {file}, and nothing needs it; {_LOCK}"


def _not_asked_for(
    directory: Path, production: set[str], traces: set[str], everything: set[str]
) -> Iterator[str]:
    ours = set(_PRODUCTION + _OTHER)
    distributions = packages_distributions()
    for folder in _PRODUCTION + _OTHER:
        for path in sorted((directory / folder).rglob("*.py")):
            if path.relative_to(directory).as_posix().startswith(_APART):
                continue
            allowed = production if folder in _PRODUCTION else everything
            if path.relative_to(directory).as_posix() == _TRACES:
                allowed = production | traces
            for module in _imported(path) - ours - _NOWHERE - set(sys.stdlib_module_names):
                names = {canonicalize_name(name) for name in distributions.get(module, [])}
                if not names & allowed:
                    told = ", ".join(sorted(names)) or "which is not installed"
                    where = "requirements-dev.in" if allowed is everything else "requirements.in"
                    yield f"{path.relative_to(directory)}: imports {module} ({told}): not in {where}"


def _imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def main(arguments: list[str]) -> int:
    directory = Path(arguments[0]).resolve() if arguments else PROJECT
    found = list(problems(directory))
    for problem in found:
        print(problem)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
