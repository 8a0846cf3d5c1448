"""phase4 as a second access point: building it, starting it, and telling it what to do.

The program is in `peer/` (what it understands is written there, in Peer.java and Sender.java).
`scripts/install phase4` installs what it needs and builds it into var/interop, from where it runs.

    with Phase4(federation, "AP9001-SDK-TEST", directory) as peer:
        peer.send(to=..., certificate=..., url=..., payloads=[...])
        peer.received()
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.interop.program import BUILDS, SOURCES, Payload, Peer, PeerMissing, Sent, build_with_maven

__all__ = ["Payload", "Phase4", "Phase4Missing", "Sent", "ensure_built", "require"]
Phase4Missing = PeerMissing
_BUILD = BUILDS / "interop"


@dataclass
class Phase4(Peer):
    """The running program. One thread at a time may use it."""

    kind: ClassVar[str] = "phase4"

    java_options: Sequence[str] = ()
    has_revocation: bool = True
    asks_certificates: bool = True

    @classmethod
    def ensure_built(cls) -> None:
        build_with_maven("phase4", SOURCES / "peer", _BUILD)

    def command(self, configuration: Path) -> Sequence[str]:
        return [
            *("java", f"-Djava.io.tmpdir={self.directory}", *self.java_options),
            *("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",),
            *("-cp", f"{_BUILD}/classes:{_BUILD}/libraries/*"),
            *("se.sdkportal.peer.Peer", str(configuration)),
        ]

    def settings(self) -> dict[str, Any]:
        return {"revocation": self.has_revocation, "client_certificates": self.asks_certificates}

    def send_many(self, count: int, parallel: int = 1, **order: Any) -> dict[str, Any]:
        """Send a message so many times; what `Peer.java` says of time, CPU and memory."""
        answer = self.ask("send", **self.order(**order), count=count, parallel=parallel)
        self.exchanged.taken_here += sum(result["outcome"] == "SUCCESS" for result in answer["results"])
        return answer

    def usage(self, *, reset: bool = False) -> dict[str, Any]:
        """CPU seconds so far, memory now and at its peak, in bytes; with `reset` the peak starts anew."""
        return self.ask("usage", reset=reset)

    def compose(self, **order: Any) -> tuple[str, str, bytes]:
        """(message id, Content-Type, body) of a message that phase4 would have sent."""
        target = self.directory / f"composed-{uuid.uuid4()}"
        (result,) = self.ask("send", **self.order(**order), compose=str(target))["results"]
        body = target.read_bytes()
        target.unlink()
        return result["message_id"], result["content_type"], body


def require() -> None:
    """Skip the test where phase4 cannot be run, saying why; fail it where CI is set."""
    Phase4.require()


def ensure_built() -> None:
    """Build what has changed, without a network; raises `Phase4Missing`."""
    Phase4.ensure_built()
