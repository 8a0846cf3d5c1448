"""Tell what files are, and everything that is wrong with them."""

import json
import sys
import tempfile
from argparse import ArgumentTypeError
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.core.management.base import BaseCommand, CommandParser

from transport.outgoing_http import AddressRefused, NoAnswer, Origin
from transport.outgoing_http import request as http_request
from transport.protocol.certificates import CertificateChecker, CertificateUnreadable, load_certificates
from transport.protocol.checking import Check, Means, check_file
from transport.protocol.errors import ProtocolError
from transport.protocol.revocation import FetchFailed, RevocationChecker

_VALID, _INVALID, _UNREADABLE = 0, 1, 2
_TIMEOUT_SECONDS = 10
_MAX_ANSWER_BYTES = 20 * 1024 * 1024


class Command(BaseCommand):
    help = (
        "Tells what each file is (SDK message, XHE, message receipt, AS4 message) and checks it. A line a "
        "finding: FILE: RULE: XPATH: TEXT. Ends with 0 when all are valid, 1 when something is not, 2 when a "
        "file cannot be read. Needs no database and no running service."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--trust", type=Path, metavar="DIR", help="CA certificates, PEM or DER")
        parser.add_argument(
            "--at", type=_moment, metavar="TIME", help="judge certificates as of then (ISO 8601)"
        )
        parser.add_argument(
            "--no-revocation", action="store_true", help="do not ask whether they are revoked"
        )
        parser.add_argument(
            "--key", type=Path, action="append", default=[], help="PEM; opens what is encrypted"
        )
        parser.add_argument("--json", action="store_true", help="the same as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            means = _means(options)
        except (OSError, ValueError, TypeError, CertificateUnreadable) as error:
            self.stderr.write(f"sdkcheck: {error}")
            sys.exit(_UNREADABLE)
        results = [(path, _checked(path, means)) for path in options["files"]]
        if options["json"]:
            self.stdout.write(json.dumps([_as_json(path, result) for path, result in results], indent=1))
        else:
            for path, result in results:
                self._tell(path, result)
        sys.exit(max(_verdict(result) for _, result in results))

    def _tell(self, path: Path, result: Check | str) -> None:
        if isinstance(result, str):
            self.stderr.write(f"{path}: cannot be read: {result}")
            return
        self.stdout.write(f"{path}: {result.kind}: {'valid' if result.is_valid else 'not valid'}")
        for finding in result.findings:
            mark = "note: " if finding.is_note else ""
            self.stdout.write(f"{path}: {finding.rule}: {finding.xpath}: {mark}{finding.text}")


def _checked(path: Path, means: Means) -> Check | str:
    """The check of a file, or why it cannot be read."""
    try:
        with path.open("rb") as source, tempfile.TemporaryDirectory() as directory:
            return check_file(source, Path(directory), means)
    except OSError as error:
        return error.strerror or type(error).__name__
    except ProtocolError as error:
        return str(error)


def _verdict(result: Check | str) -> int:
    if isinstance(result, str):
        return _UNREADABLE
    return _VALID if result.is_valid else _INVALID


def _as_json(path: Path, result: Check | str) -> dict[str, Any]:
    if isinstance(result, str):
        return {"file": str(path), "kind": None, "error": result}
    return {
        "file": str(path),
        "kind": result.kind,
        "valid": result.is_valid,
        "findings": [asdict(finding) for finding in result.findings],
    }


def _means(options: dict[str, Any]) -> Means:
    keys = []
    for path in options["key"]:
        key = load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, RSAPrivateKey):
            raise TypeError(f"{path} holds no RSA key")
        keys.append(key)
    return Means(_trust(options), options["at"], keys)


def _trust(options: dict[str, Any]) -> CertificateChecker | None:
    if options["trust"] is None:
        return None
    if not options["trust"].is_dir():
        raise OSError(f"{options['trust']} is no directory")
    authorities = []
    for path in sorted(options["trust"].rglob("*")):
        if path.is_file():
            authorities += load_certificates(path.read_bytes())
    revocation = (
        None if options["no_revocation"] else RevocationChecker(_fetch, _Memory(), grace=timedelta(0))
    )
    return CertificateChecker(authorities, revocation, lambda: datetime.now(UTC))


class _Memory:
    """Answers for this run only."""

    def __init__(self) -> None:
        self._answers: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self._answers.get(key)

    def put(self, key: str, answer: bytes, until: datetime) -> None:
        self._answers[key] = answer


def _fetch(url: str, request: bytes | None) -> bytes:
    try:
        answer = http_request(
            "GET" if request is None else "POST",
            url,
            origin=Origin.OTHERS,
            seconds=_TIMEOUT_SECONDS,
            max_bytes=_MAX_ANSWER_BYTES,
            body=request,
            headers={"Content-Type": "application/ocsp-request"} if request is not None else {},
            plain_http=True,
        )
    except (AddressRefused, NoAnswer) as error:
        raise FetchFailed(str(error)) from None
    if not answer.is_ok:
        raise FetchFailed(f"HTTP {answer.status}")
    return answer.body


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("not a time in ISO 8601, such as 2023-05-01T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
