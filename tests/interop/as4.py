"""The Python library as4 as an access point, in an environment of its own.

The program is in `as4_peer/`. `scripts/install as4` makes the environment, anew when its packages change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.interop.program import BUILDS, SOURCES, Peer, PeerMissing

ENVIRONMENT = BUILDS / "as4"
_SOURCES = SOURCES / "as4_peer"


@dataclass
class As4(Peer):
    """The running program."""

    kind: ClassVar[str] = "as4"

    @classmethod
    def ensure_built(cls) -> None:
        installed = ENVIRONMENT / "requirements.txt"
        wanted = (_SOURCES / "requirements.txt").read_text()
        if not installed.exists() or installed.read_text() != wanted:
            raise PeerMissing("no environment with its packages here; `scripts/install as4` makes it")

    def command(self, configuration: Path) -> Sequence[str]:
        return [str(ENVIRONMENT / "bin" / "python"), str(_SOURCES / "program.py"), str(configuration)]
