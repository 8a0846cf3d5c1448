"""The command `sdkportal`, and manage.py: Django's management commands and those of this node."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .. import __version__
from .. import environment as env
from ..setup import command as setup

# Where `sdkportal setup` writes the settings, and the units of deploy/ read them.
ENVIRONMENT_FILE: Final = Path("/etc/sdkportal/environment")


def main() -> None:
    """`sdkportal COMMAND`: as manage.py, with the settings of the environment file besides the environment.

    The file is the one that SDK_ENVIRONMENT_FILE names, else `ENVIRONMENT_FILE` where it can be read. What
    the environment says itself counts.
    """
    named = env.text("SDK_ENVIRONMENT_FILE", "")
    path = Path(named) if named else ENVIRONMENT_FILE
    if sys.argv[1:2] == ["setup"]:
        sys.exit(setup.main(sys.argv[2:], path))
    if named or os.access(path, os.R_OK):
        try:
            env.add_file(path)
        except (OSError, ValueError) as error:
            sys.exit(f"sdkportal: {path} cannot be read: {error}")
    run(sys.argv)


def run(arguments: Sequence[str]) -> None:
    """Run a management command; the first argument is the program's name. `--release` prints the version."""
    if arguments[1:2] == ["--release"]:
        sys.stdout.write(f"sdkportal {__version__}\n")
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sdkportal.settings")
    if arguments[1:2] == ["sdkcheck"]:
        # Checks files and serves nobody: it needs no configuration.
        os.environ.setdefault("SDK_DEMO", "1")
    from django.core.management import execute_from_command_line

    execute_from_command_line(list(arguments))
