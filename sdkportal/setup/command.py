"""The command: it works before there are any settings, so it is none of Django's."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

from sdkportal.environment import read_file
from sdkportal.startup.unsafe_settings import problems

from . import answers, environment_file

_FAILED: Final = 1
_CARRY_ON: Final = 3


def main(arguments: Sequence[str], default_file: Path) -> int:
    """Set a node up; the exit status. 3 says that the database is to be made ready, and setup run again."""
    parser = argparse.ArgumentParser(
        prog="sdkportal setup",
        description="Writes the environment file with generated secrets, then makes organisations, keys with "
        "their requests, and the first people, and prints what is left. Run again, it carries on.",
    )
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="FILE", help="answers in TOML, instead of asking"
    )
    parser.add_argument(
        "--environment", type=Path, default=default_file, help=f"the file to write ({default_file})"
    )
    parser.add_argument("--replace", action="store_true", help="write the file anew; its secrets are kept")
    given = parser.parse_args(arguments)
    try:
        told = answers.read(given.source) if given.source else answers.asked()
        _write(given.environment, told, replace=given.replace)
        _use(given.environment)
    except EOFError:
        return _fail("the questions were not answered")
    except (answers.AnswersWrong, OSError, ValueError) as error:
        return _fail(str(error))
    return _make(told, given.environment)


def _write(path: Path, told: answers.Answers, *, replace: bool) -> None:
    _check_safety(told.settings)
    try:
        environment_file.write(path, told.settings, replace=replace)
    except environment_file.FileExists:
        _say(f"{path} is there and stays as it is (--replace writes it anew)")
        differing = sorted(
            name for name, value in told.settings.items() if read_file(path).get(name) != value
        )
        if differing:
            _say(f"in it is another value than the answer: {', '.join(differing)}")
    else:
        _say(f"wrote {path}, with secrets of its own; keep a copy where the backups are not")


def _use(path: Path) -> None:
    """Let this process have the file's settings, and no others of the environment's."""
    variables = read_file(path)
    for name in [name for name in os.environ if name.startswith("SDK_")]:
        del os.environ[name]
    os.environ.update(variables, DJANGO_SETTINGS_MODULE="sdkportal.settings")
    _check_safety(variables)


def _check_safety(variables: Mapping[str, str]) -> None:
    """Raises `AnswersWrong` for what no node on a network starts with. What is not there yet will be made."""
    unsafe = problems(
        hosts=[host.strip() for host in variables.get("SDK_ALLOWED_HOSTS", "").split(",")],
        is_demo=variables.get("SDK_DEMO", "0") != "0",
        is_debug=variables.get("SDK_DEBUG", "0") != "0",
        secret_key=variables.get("SDK_SECRET_KEY", environment_file.a_secret()),
        person_key=variables.get("SDK_PERSON_KEY", environment_file.a_secret()),
        wrapping_keys=[variables.get("SDK_WRAPPING_KEY", "")],
    )
    if unsafe:
        raise answers.AnswersWrong(" ".join(unsafe))


def _make(told: answers.Answers, path: Path) -> int:
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management.base import CommandError
    from django.db import DatabaseError

    try:
        django.setup()
        database = import_module("sdkportal.doctor.database")
        unready = [finding for finding in database.migrations() if finding.code == "migrations-unapplied"]
    except ImproperlyConfigured as error:
        return _fail(str(error))
    except DatabaseError as error:
        _say(f"the database does not answer ({type(error).__name__}): make it ready, and run setup again")
        return _CARRY_ON
    if unready:
        _say("the database has no tables of this version: run `sdkportal migrate` as its owner, then")
        _say("grants.sql (docs/production.md), and setup again")
        return _CARRY_ON
    try:
        for line in import_module("sdkportal.setup.node").make(told, path.parent / "requests"):
            _say(line)
    except (CommandError, DatabaseError, OSError) as error:
        # A database's error may repeat values.
        return _fail(type(error).__name__ if isinstance(error, DatabaseError) else str(error))
    _say("")
    _say("What is left:")
    for number, line in enumerate(import_module("sdkportal.setup.remaining").remaining(), 1):
        _say(f"{number:2}. {line}")
    return 0


def _fail(text: str) -> int:
    sys.stderr.write(f"sdkportal setup: {text}\n")
    return _FAILED


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
