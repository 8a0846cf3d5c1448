"""Oxalis as an access point: its AS4 servlet and sender, built on CXF and WSS4J.

The program is in `oxalis_peer/`. `scripts/install oxalis` builds it into var/oxalis, from where it runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.interop.program import BUILDS, SOURCES, Peer, build_with_maven

_BUILD = BUILDS / "oxalis"


@dataclass
class Oxalis(Peer):
    """The running program."""

    kind: ClassVar[str] = "oxalis"

    @classmethod
    def ensure_built(cls) -> None:
        build_with_maven("oxalis", SOURCES / "oxalis_peer", _BUILD)

    def command(self, configuration: Path) -> Sequence[str]:
        return [
            *("java", f"-Djava.io.tmpdir={self.directory}", "-XX:TieredStopAtLevel=1"),
            *("-cp", f"{_BUILD}/classes:{_BUILD}/libraries/*"),
            *("se.sdkportal.oxalis.Program", str(configuration)),
        ]
