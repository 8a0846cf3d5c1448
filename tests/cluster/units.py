"""What `deploy/systemd` starts, as commands of a host."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from testbed.node import PROJECT

_UNITS: Final = PROJECT / "deploy" / "systemd"
_PROGRAMS: Final = "/opt/sdkportal/.venv/bin/"
_DATA: Final = "/var/lib/sdkportal"


def command_of(unit: str, *, address: str, data: Path, environment: Mapping[str, str]) -> list[str]:
    """The ExecStart of a unit, changed as its operator would: it listens on the host's address."""
    text = (_UNITS / f"sdkportal-{unit}.service").read_text()
    (line,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    program, *arguments = line.split()
    if not program.startswith(_PROGRAMS):
        raise ValueError(f"{unit}: {program} is none of ours")
    return [
        *(sys.executable, "-m", program.removeprefix(_PROGRAMS)),
        *(_changed(argument, address, data, environment) for argument in arguments),
    ]


def _changed(argument: str, address: str, data: Path, environment: Mapping[str, str]) -> str:
    given = re.sub(r"\$\{(\w+)\}", lambda found: environment[found[1]], argument)
    # systemd's way to write one percent sign.
    return given.replace("127.0.0.1", address).replace(_DATA, str(data)).replace("%%", "%")
