"""A program that is another access point: started once, told what to do in JSON, an object a line.

A peer says how it is built and started; the rest is the same for all. While it runs SMP has its URL, so that
whatever a participant of `name` is sent goes there.
"""

import fcntl
import json
import os
import queue
import shutil
import subprocess
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, ClassVar, Self

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

SOURCES = PROJECT / "tests" / "interop"
BUILDS = PROJECT / "var"
_PASSWORD = b"peer"
_START_SECONDS = 120.0
_ANSWER_SECONDS = 300.0
_STOP_SECONDS = 15.0
_BUILD_SECONDS = 300.0


class PeerMissing(Exception):
    """A peer cannot be run here; says why."""


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
    """What came of a message that a peer sent: `receipt_fits` only where the signed receipt repeats what it
    signed, its signature holds and its signer is trusted."""

    message_id: str
    outcome: str
    receipt_fits: bool
    errors: tuple[tuple[str, str], ...] = ()
    exception: str = ""

    @property
    def is_delivered(self) -> bool:
        return self.outcome == "SUCCESS" and self.receipt_fits

    @classmethod
    def of(cls, result: dict[str, Any]) -> Self:
        return cls(
            result["message_id"],
            result["outcome"],
            result.get("receipt_fits", False),
            tuple((error["code"], error["detail"]) for error in result.get("errors", ())),
            result.get("exception", ""),
        )


@dataclass
class Peer:
    """The running program. One thread at a time may use it."""

    kind: ClassVar[str]

    federation: Federation
    name: str
    directory: Path
    url: str = field(default="", kw_only=True)
    exchanged: Exchanged = field(default_factory=Exchanged, kw_only=True)

    @classmethod
    def ensure_built(cls) -> None:
        """Build what has changed, without a network; raises `PeerMissing`."""
        raise NotImplementedError

    @classmethod
    def require(cls) -> None:
        """Skip the test where the peer cannot be run, saying why; fail it where CI is set."""
        try:
            cls.ensure_built()
        except PeerMissing as why:
            if os.environ.get("CI"):
                pytest.fail(f"{cls.kind} is a must in CI: {why}")
            pytest.skip(f"{cls.kind} is not here: {why}")

    def command(self, configuration: Path) -> Sequence[str]:
        """What starts the program."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """What its configuration has besides what all have."""
        return {}

    def __enter__(self) -> Self:
        self.ensure_built()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.files = self.federation.add_access_point(self.name, "https://localhost:9/as4")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(self._configuration()),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=self.directory,
            )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()
        try:
            self.url = self._answer(_START_SECONDS)["url"]
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        self.federation.add_access_point(self.name, self.url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Give a command; its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
        self._process.stdin.flush()
        answer = self._answer(_ANSWER_SECONDS)
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
        (sent,) = self.send_at_once(1, **order)
        return sent

    def send_at_once(self, count: int, **order: Any) -> list[Sent]:
        """Send so many messages at the same time; what came of each."""
        answer = self.ask("send", **self.order(**order), count=count, parallel=count)
        results = [Sent.of(result) for result in answer["results"]]
        self.exchanged.taken_here += sum(sent.is_delivered for sent in results)
        self.exchanged.refused_here += sum(bool(sent.errors) for sent in results)
        return results

    def received(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """(messages, refusals) since the last time."""
        answer = self.ask("received")
        self.exchanged.taken_there += len(answer["messages"])
        self.exchanged.refused_there += len(answer["refusals"])
        return answer["messages"], answer["refusals"]

    def sign_with(self, files: KeyFiles) -> None:
        """Use another key and certificate from now on."""
        self.ask("use", keystore=str(self.key_store(f"own-{uuid.uuid4()}", files)))

    def answer_wrong(self, wrong: str, signer: KeyFiles | None = None) -> None:
        """Let its receipts be wrong from now on, as as4_peer/program.py says; "" makes them right."""
        keystore: dict[str, Any] = {"keystore": str(self.key_store("other", signer))} if signer else {}
        self.ask("answer", wrong=wrong, **keystore)

    def key_store(self, name: str, files: KeyFiles) -> Path:
        """A PKCS #12 file with a key, alias "own", and its certificates."""
        path = self.directory / f"{name}.p12"
        key = load_pem_private_key(files.key.read_bytes(), None)
        certificate = load_certificate(files.certificate)
        chain = [item for item in self._authorities() if item.subject == certificate.issuer]
        path.write_bytes(
            pkcs12.serialize_key_and_certificates(
                b"own", key, certificate, chain, BestAvailableEncryption(_PASSWORD)
            )
        )
        return path

    @property
    def _log(self) -> Path:
        return self.directory / f"{self.kind}.log"

    def _read(self, output: IO[str]) -> None:
        """Put what the program says into the queue; an empty line is its end."""
        with output:
            for line in output:
                self._lines.put(line)
        self._lines.put("")

    def _answer(self, seconds: float) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"{self.kind} does not answer:\n{self._log_tail()}") from None
        if not line:
            raise AssertionError(f"{self.kind} has ended:\n{self._log_tail()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _log_tail(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]

    def _configuration(self) -> Path:
        path = self.directory / "configuration.json"
        authorities = self.directory / "authorities.pem"
        authorities.write_bytes(b"".join(item.read_bytes() for item in self._authority_files()))
        values = {
            "name": self.name,
            "party_type": PARTY_TYPE,
            "keystore": str(self.key_store("own", self.files)),
            "authorities": str(authorities),
            "truststore": str(self._trust_store("access-points", self._authorities())),
            "tls_keystore": str(self.key_store("tls", self.federation.tls_files("localhost"))),
            "tls_ca": str(self.federation.tls_ca),
            "tls_truststore": str(self._trust_store("tls-ca", [load_certificate(self.federation.tls_ca)])),
            "store": str(self.directory / "store"),
            "port": 0,
            "served": [],
            **self.settings(),
        }
        path.write_text(json.dumps(values))
        return path

    def _authority_files(self) -> list[Path]:
        return sorted((self.federation.trust_dir / "access-points").glob("*.pem"))

    def _authorities(self) -> list[x509.Certificate]:
        return [load_certificate(path) for path in self._authority_files()]

    def _trust_store(self, name: str, certificates: Sequence[x509.Certificate]) -> Path:
        path = self.directory / f"{name}.p12"
        entries = [
            pkcs12.PKCS12Certificate(certificate, f"ca-{number}".encode())
            for number, certificate in enumerate(certificates)
        ]
        path.write_bytes(pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(_PASSWORD)))
        return path


def build_with_maven(kind: str, sources: Path, build: Path) -> None:
    """Compile a Java peer that has changed since it was built, without a network; raises `PeerMissing`."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise PeerMissing(f"no {program} here; `scripts/install {kind}` installs it")
    build.mkdir(parents=True, exist_ok=True)
    with (build / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_built(sources, build):
            return
        _forget_another_version(sources, build)
        done = subprocess.run(
            ["mvn", "--offline", "--quiet", "--batch-mode", "--file", str(sources), "process-classes"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_BUILD_SECONDS,
        )
        if done.returncode:
            raise PeerMissing(
                f"{kind} could not be built; run `scripts/install {kind}`\n{done.stdout[-2000:]}"
            )


def _forget_another_version(sources: Path, build: Path) -> None:
    """Its libraries are not to be found beside those of this one."""
    libraries = build / "libraries"
    if libraries.exists() and (sources / "pom.xml").stat().st_mtime > libraries.stat().st_mtime:
        for name in ("libraries", "classes"):
            shutil.rmtree(build / name, ignore_errors=True)


def _is_built(sources: Path, build: Path) -> bool:
    files = [sources / "pom.xml", *sources.rglob("*.java")]
    built = list((build / "classes").rglob("*.class"))
    if not built or not (build / "libraries").is_dir():
        return False
    return min(path.stat().st_mtime for path in built) > max(path.stat().st_mtime for path in files)
