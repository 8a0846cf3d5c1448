"""Which certificates this node trusts: those of the CAs in SDK_TRUST_DIR that are not revoked."""

from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from django.conf import settings
from django.utils import timezone

from ..protocol.certificates import CertificateChecker, CertificateUnreadable, Purpose, load_certificates
from ..protocol.revocation import FetchFailed, RevocationChecker
from ..short_memory import ShortMemory
from . import http
from .cache import AnswerCache

_checkers: ShortMemory[CertificateChecker] = ShortMemory()
_found_good: ShortMemory[list[x509.Certificate]] = ShortMemory()


def check_access_point(certificate: x509.Certificate, purpose: Purpose) -> None:
    """Check another access point's certificate (C3.2.1 2.10 a to d).

    Raises `CertificateUntrusted`, `RevocationUnknown`.
    """
    _check(settings.SDK_ACCESS_POINT_CA_DIR, certificate, purpose)


def check_access_point_issuer(certificate: x509.Certificate) -> None:
    """Check that one of our CAs has issued an access point's certificate, without any request.

    An expired certificate, or one that is not valid yet, passes: its owner is known all the same, and
    `check_access_point` refuses it. Raises `CertificateUntrusted`.
    """
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    moment = min(max(timezone.now(), begin), end)
    _checker(settings.SDK_ACCESS_POINT_CA_DIR).check_path(certificate, Purpose.SIGNING, at=moment)


def check_smp(certificate: x509.Certificate) -> None:
    """Check the certificate that signed service metadata (C3.2.1 2.10 f, g)."""
    _check(settings.SDK_SMP_CA_DIR, certificate, Purpose.SIGNING)


def check_organisation(certificate: x509.Certificate, purpose: Purpose) -> None:
    """Check an organisation's signing or encryption certificate (C3.2.2 3.5 a)."""
    _check(settings.SDK_ORGANISATION_CA_DIR, certificate, purpose)


def _check(directory: Path, certificate: x509.Certificate, purpose: Purpose) -> None:
    """A certificate that was found good counts as good for SDK_ANSWER_MEMORY_SECONDS."""
    _found_good.get(
        (directory, certificate, purpose), lambda: _checker(directory).check(certificate, purpose)
    )


def _checker(directory: Path) -> CertificateChecker:
    """The checker, built again when the directory changes, so that a new CA counts without a restart."""
    return _checkers.get(directory, lambda: _checker_of(directory))


def _checker_of(directory: Path) -> CertificateChecker:
    files = tuple(sorted(path for path in directory.rglob("*") if path.is_file()))
    state = tuple((path, path.stat().st_mtime_ns) for path in files)
    return _built(state)


@lru_cache(maxsize=16)
def _built(state: tuple[tuple[Path, int], ...]) -> CertificateChecker:
    authorities: list[x509.Certificate] = []
    for path, _ in state:
        try:
            authorities += load_certificates(path.read_bytes())
        except CertificateUnreadable:
            raise CertificateUnreadable(f"{path} holds no certificate in PEM or DER") from None
    revocation = RevocationChecker(
        _fetch,
        AnswerCache(),
        grace=timedelta(seconds=settings.SDK_REVOCATION_GRACE_SECONDS),
    )
    return CertificateChecker(authorities, revocation, timezone.now)


def _fetch(url: str, request: bytes | None) -> bytes:
    try:
        # CRL and OCSP are signed, and are fetched before there is trust in any server of theirs (RFC 5280 8).
        return http.fetch(url, request, content_type="application/ocsp-request", plain_http=True)
    except (http.NoAnswer, http.Refused) as error:
        raise FetchFailed(type(error).__name__) from None
