"""phase4 as a second access point: building it, starting it, and telling it what to do.

The program is in `peer/` (what it understands is written there, in Peer.java and Sender.java).
`scripts/install phase4` installs what it needs and builds it into var/interop, from where it runs.

    with Phase4(federation, "AP9001-SDK-TEST", directory) as peer:
        peer.send(to=..., certificate=..., url=..., payloads=[...])
        peer.received()

It is in SMP under its URL from then on, so that whatever a participant of `name` is sent goes there.
"""

import fcntl
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12

from testbed.authorities import KeyFiles, load_certificate
from testbed.federation import Federation
from testbed.node import PROJECT
from tests.interop.counting import Exchanged
from transport.protocol.identifiers import (
    PARTICIPANT_SCHEME,
    PARTY_TYPE,
    PROCESS_ID,
    PROCESS_SCHEME,
    SDK_MESSAGE,
    ParticipantId,
)

_SOURCES = PROJECT / "tests" / "interop" / "peer"
_BUILD = PROJECT / "var" / "interop"
_CLASSES = _BUILD / "classes" / "se" / "sdkportal" / "peer"
_PASSWORD = b"peer"


class Phase4Missing(Exception):
    """phase4 cannot be run here; says why."""


def require() -> None:
    """Skip the test where phase4 cannot be run, saying why; fail it where CI is set."""
    try:
        ensure_built()
    except Phase4Missing as why:
        if os.environ.get("CI"):
            pytest.fail(f"phase4 is a must in CI: {why}")
        pytest.skip(f"phase4 is not here: {why}")


def ensure_built() -> None:
    """Build what has changed, without a network; raises `Phase4Missing`."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise Phase4Missing(f"no {program} here; `scripts/install phase4` installs it")
    _BUILD.mkdir(parents=True, exist_ok=True)
    with (_BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_built():
            return
        done = subprocess.run(
            ["mvn", "--offline", "--quiet", "--batch-mode", "--file", str(_SOURCES), "process-classes"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Phase4Missing(
                f"phase4 could not be built; run `scripts/install phase4`\n{done.stdout[-2000:]}"
            )


def _is_built() -> bool:
    sources = [_SOURCES / "pom.xml", *_SOURCES.rglob("*.java")]
    built = list(_CLASSES.glob("*.class"))
    if not built or not (_BUILD / "libraries").is_dir():
        return False
    return min(path.stat().st_mtime for path in built) > max(path.stat().st_mtime for path in sources)


@dataclass(frozen=True)
class Payload:
    """A part to send. `claims_compression` says that it is compressed when it is not."""

    path: Path
    mime_type: str = "application/xml"
    is_compressed: bool = True
    claims_compression: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "file": str(self.path),
            "mime_type": self.mime_type,
            "compressed": self.is_compressed,
            "claims_compression": self.claims_compression,
        }


@dataclass(frozen=True)
class Sent:
    """What came of a message that phase4 sent: `receipt_fits` only where the signed receipt repeats what it
    signed, its signature holds and its signer is trusted."""

    message_id: str
    outcome: str
    receipt_fits: bool
    errors: tuple[tuple[str, str], ...] = ()
    exception: str = ""

    @property
    def is_delivered(self) -> bool:
        return self.outcome == "SUCCESS" and self.receipt_fits


@dataclass
class Phase4:
    """The running program. One thread at a time may use it."""

    federation: Federation
    name: str
    directory: Path
    java_options: Sequence[str] = ()
    has_revocation: bool = True
    url: str = ""
    exchanged: Exchanged = field(default_factory=Exchanged)

    def __enter__(self) -> Self:
        ensure_built()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.files = self.federation.add_access_point(self.name, "https://localhost:9/as4")
        self.keystore = self._key_store("own", self.files)
        log = (self.directory / "phase4.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [
                    *("java", f"-Djava.io.tmpdir={self.directory}", *self.java_options),
                    *("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",),
                    *("-cp", f"{_BUILD}/classes:{_BUILD}/libraries/*"),
                    *("se.sdkportal.peer.Peer", str(self._configuration())),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=self.directory,
            )
        self.url = self._answer()["url"]
        self.federation.add_access_point(self.name, self.url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Give a command; its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        assert "failed" not in answer, answer
        return answer

    def order(
        self,
        *,
        url: str,
        to: str,
        certificate: Path,
        sender: ParticipantId,
        recipient: ParticipantId,
        payloads: Sequence[Payload],
        **changes: Any,
    ) -> dict[str, Any]:
        """What `send` is told: a message as C3.2.1 wants it, with the changes that a test makes."""
        properties = {"originalSender": sender, "finalRecipient": recipient}
        return {
            "url": url,
            "receiver_certificate": str(certificate),
            "from": self.name,
            "to": to,
            "party_type": PARTY_TYPE,
            "service": PROCESS_ID,
            "service_type": PROCESS_SCHEME,
            "action": SDK_MESSAGE.action,
            "conversation_id": str(uuid.uuid4()),
            "properties": {
                name: {"type": PARTICIPANT_SCHEME, "value": participant.value}
                for name, participant in properties.items()
            },
            "payloads": [payload.as_json() for payload in payloads],
            **changes,
        }

    def send(self, **order: Any) -> Sent:
        """Send one message and give what came of it."""
        (result,) = self.ask("send", **self.order(**order))["results"]
        sent = Sent(
            result["message_id"],
            result["outcome"],
            result.get("receipt_fits", False),
            tuple((error["code"], error["detail"]) for error in result.get("errors", ())),
            result.get("exception", ""),
        )
        self.exchanged.from_phase4 += sent.is_delivered
        self.exchanged.refused_by_us += bool(sent.errors)
        return sent

    def send_many(self, count: int, parallel: int = 1, **order: Any) -> dict[str, Any]:
        """Send a message so many times; what `Peer.java` says of time, CPU and memory."""
        answer = self.ask("send", **self.order(**order), count=count, parallel=parallel)
        self.exchanged.from_phase4 += sum(result["outcome"] == "SUCCESS" for result in answer["results"])
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

    def received(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """(messages, refusals) since the last time."""
        answer = self.ask("received")
        self.exchanged.to_phase4 += len(answer["messages"])
        self.exchanged.refused_by_phase4 += len(answer["refusals"])
        return answer["messages"], answer["refusals"]

    def sign_with(self, files: KeyFiles) -> None:
        """Use another key and certificate from now on."""
        self.ask("use", keystore=str(self._key_store(f"own-{uuid.uuid4()}", files)))

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            log = (self.directory / "phase4.log").read_text(errors="replace")
            raise AssertionError(f"phase4 has ended:\n{log[-3000:]}")
        return json.loads(line)

    def _configuration(self) -> Path:
        path = self.directory / "configuration.json"
        authorities = [
            load_certificate(path) for path in (self.federation.trust_dir / "access-points").glob("*.pem")
        ]
        values = {
            "keystore": str(self.keystore),
            "truststore": str(self._trust_store("access-points", authorities)),
            "tls_keystore": str(self._key_store("tls", self.federation.tls_files("localhost"))),
            "tls_truststore": str(self._trust_store("tls-ca", [load_certificate(self.federation.tls_ca)])),
            "store": str(self.directory / "store"),
            "port": 0,
            "served": [],
            "revocation": self.has_revocation,
        }
        path.write_text(json.dumps(values))
        return path

    def _key_store(self, name: str, files: KeyFiles) -> Path:
        path = self.directory / f"{name}.p12"
        key = load_pem_private_key(files.key.read_bytes(), None)
        authority = [
            load_certificate(item) for item in (self.federation.trust_dir / "access-points").glob("*.pem")
        ]
        certificate = load_certificate(files.certificate)
        chain = [item for item in authority if item.subject == certificate.issuer]
        path.write_bytes(
            pkcs12.serialize_key_and_certificates(
                b"own", key, certificate, chain, BestAvailableEncryption(_PASSWORD)
            )
        )
        return path

    def _trust_store(self, name: str, certificates: Sequence[x509.Certificate]) -> Path:
        path = self.directory / f"{name}.p12"
        entries = [
            pkcs12.PKCS12Certificate(certificate, f"ca-{number}".encode())
            for number, certificate in enumerate(certificates)
        ]
        path.write_bytes(pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(_PASSWORD)))
        return path
