"""Certificates that an access point should not have: one for each reason to refuse it."""

import uuid
from pathlib import Path

from testbed.authorities import Authority, KeyFiles, Validity, load_certificate
from testbed.federation import Federation
from transport.protocol.certificates import common_name


def expired(federation: Federation, directory: Path) -> KeyFiles:
    return _issued(federation, validity=Validity(-20, -1))


def not_valid_yet(federation: Federation, directory: Path) -> KeyFiles:
    return _issued(federation, validity=Validity(1, 20))


def revoked(federation: Federation, directory: Path) -> KeyFiles:
    files = _issued(federation)
    federation.revoke("access-points", files.certificate)
    return files


def foreign(federation: Federation, directory: Path) -> KeyFiles:
    """Of another environment: its CA has the same name, as the federation's environments' may."""
    place = directory / "another environment"
    place.mkdir()
    authority = Authority(place, "access-points", federation.url)
    return authority.issue(KeyFiles(place / "ap.key", place / "ap.pem"), f"AP-{uuid.uuid4().hex[:8]}-QA")


def name_of(files: KeyFiles) -> str:
    """The CN, which is the party id."""
    return common_name(load_certificate(files.certificate)) or ""


def _issued(federation: Federation, *, validity: Validity | None = None) -> KeyFiles:
    name = f"AP-{uuid.uuid4().hex[:8]}-TEST"
    return federation.add_access_point(name, "https://localhost:9/as4", validity=validity)
