"""Revocation by CRL and by OCSP, each as a replacement of the other.

The policy, in this order: a valid answer in the cache; the CRL; the OCSP responder; an answer in the cache
that expired less than `grace` ago. If there is none of these, the status is unknown and the caller has to
wait (`RevocationUnknown`): the certificate is never trusted silently.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from .certificates import (
    UNREADABLE,
    Cause,
    CertificateUntrusted,
    RevocationUnknown,
    fingerprint,
    is_authority,
)
from .distinguished_names import is_same_name

# Clocks of others may be a little ahead of ours.
CLOCK_SKEW: Final = timedelta(minutes=5)
_MAX_SOURCES: Final = 4
_STRONG_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


class FetchFailed(Exception):
    """What `Fetch` raises when it has no answer."""


Fetch = Callable[[str, bytes | None], bytes]
"""Get a URL, or post an OCSP request to it; raises `FetchFailed`."""


class RevocationCache(Protocol):
    """Stores CRLs and OCSP responses, which are verified again at every use."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, answer: bytes, until: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class _Answer:
    is_revoked: bool
    until: datetime


class RevocationChecker:
    """Asks the CRLs and OCSP responders that certificates name, and caches their answers."""

    def __init__(self, fetch: Fetch, cache: RevocationCache, *, grace: timedelta = timedelta(0)) -> None:
        self._fetch = fetch
        self._cache = cache
        self._grace = grace

    def is_revoked(self, certificate: x509.Certificate, issuer: x509.Certificate, moment: datetime) -> bool:
        """Whether the certificate is revoked.

        Raises `RevocationUnknown`, and `CertificateUntrusted` for one that names nobody to ask.
        """
        sources = [*_lists(certificate, issuer), *_responders(certificate, issuer)]
        if not sources:
            raise CertificateUntrusted(Cause.NO_REVOCATION_SERVICE, certificate)
        for source in sources:
            answer = source.read(self._cache.get(source.key), moment)
            if answer is not None and answer.until >= moment:
                return answer.is_revoked
        for source in sources:
            answer = self._ask(source, moment)
            if answer is not None and answer.until >= moment:
                return answer.is_revoked
        for source in sources:
            answer = source.read(self._cache.get(source.key), moment)
            if answer is not None and answer.until + self._grace >= moment:
                return answer.is_revoked
        raise RevocationUnknown(certificate)

    def _ask(self, source: "_Source", moment: datetime) -> _Answer | None:
        try:
            data = self._fetch(source.url, source.request())
        except FetchFailed:
            return None
        answer = source.read(data, moment)
        if answer is not None:
            self._cache.put(source.key, data, answer.until + self._grace)
        return answer


class _Source(Protocol):
    @property
    def url(self) -> str: ...

    @property
    def key(self) -> str: ...

    def request(self) -> bytes | None: ...

    def read(self, data: bytes | None, moment: datetime) -> _Answer | None: ...


@dataclass(frozen=True, slots=True)
class _List:
    """A CRL at a URL, which is one of the names of a distribution point of the certificate."""

    url: str
    names: tuple[x509.GeneralName, ...]
    certificate: x509.Certificate
    issuer: x509.Certificate

    @property
    def key(self) -> str:
        return f"crl {fingerprint(self.issuer)} {self.url}"

    def request(self) -> bytes | None:
        return None

    def read(self, data: bytes | None, moment: datetime) -> _Answer | None:
        """What a CRL says; None where it is no current CRL of the issuer that covers the certificate."""
        if not data:
            return None
        try:
            crl = _load_crl(data)
            until = crl.next_update_utc
            if until is None or crl.last_update_utc > moment + CLOCK_SKEW:
                return None
            if not _is_issued_by(crl, self.issuer) or not self._is_covered_by(crl):
                return None
            found = crl.get_revoked_certificate_by_serial_number(self.certificate.serial_number)
        except UNREADABLE:
            return None
        return _Answer(found is not None, until)

    def _is_covered_by(self, crl: x509.CertificateRevocationList) -> bool:
        """RFC 5280 6.3.3 b, and for all reasons: no delta, no indirect CRL, no part that is another's."""
        for extension in crl.extensions:
            value = extension.value
            if isinstance(value, x509.DeltaCRLIndicator):
                return False
            if isinstance(value, x509.IssuingDistributionPoint):
                if not self._is_within(value):
                    return False
            elif extension.critical:
                return False
        return True

    def _is_within(self, scope: x509.IssuingDistributionPoint) -> bool:
        if scope.indirect_crl or scope.only_some_reasons or scope.only_contains_attribute_certs:
            return False
        others = (
            scope.only_contains_user_certs if is_authority(self.certificate) else scope.only_contains_ca_certs
        )
        if others or scope.relative_name is not None:
            return False
        return scope.full_name is None or any(name in self.names for name in scope.full_name)


@dataclass(frozen=True, slots=True)
class _Responder:
    """An OCSP responder."""

    url: str
    certificate: x509.Certificate
    issuer: x509.Certificate

    @property
    def key(self) -> str:
        return f"ocsp {fingerprint(self.certificate)} {self.url}"

    def request(self) -> bytes | None:
        # SHA-1 only names the issuer here; some responders know no other hash (RFC 5019 2.1.1).
        builder = ocsp.OCSPRequestBuilder().add_certificate(self.certificate, self.issuer, hashes.SHA1())  # noqa: S303
        return builder.build().public_bytes(serialization.Encoding.DER)

    def read(self, data: bytes | None, moment: datetime) -> _Answer | None:
        """What a response says; None where it is not a current answer about this certificate."""
        if not data:
            return None
        try:
            response = ocsp.load_der_ocsp_response(data)
            if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
                return None
            if not self._is_signed(response, moment):
                return None
            return self._single(response, moment)
        except UNREADABLE:
            return None

    def _single(self, response: ocsp.OCSPResponse, moment: datetime) -> _Answer | None:
        for single in response.responses:
            if single.serial_number != self.certificate.serial_number or not self._is_issuer(single):
                continue
            if single.this_update_utc > moment + CLOCK_SKEW:
                return None
            # Without nextUpdate newer information is always there (RFC 6960 4.2.2.1).
            until = single.next_update_utc or single.this_update_utc + CLOCK_SKEW
            if single.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
                return None
            return _Answer(single.certificate_status is ocsp.OCSPCertStatus.REVOKED, until)
        return None

    def _is_issuer(self, single: ocsp.OCSPSingleResponse) -> bool:
        expected = (
            ocsp.OCSPRequestBuilder()
            .add_certificate(self.certificate, self.issuer, single.hash_algorithm)
            .build()
        )
        return (
            single.issuer_key_hash == expected.issuer_key_hash
            and single.issuer_name_hash == expected.issuer_name_hash
        )

    def _is_signed(self, response: ocsp.OCSPResponse, moment: datetime) -> bool:
        algorithm = response.signature_hash_algorithm
        if not isinstance(algorithm, _STRONG_HASHES):
            return False
        for signer in (self.issuer, *response.certificates):
            if signer is not self.issuer and not self._is_delegate(signer, moment):
                continue
            if _verifies(signer, response.signature, response.tbs_response_bytes, algorithm):
                return True
        return False

    def _is_delegate(self, signer: x509.Certificate, moment: datetime) -> bool:
        """Issued by the same CA, for signing OCSP answers (RFC 6960 4.2.2.2).

        Whether it is itself revoked is not asked: such certificates are short-lived, or say so (nocheck).
        """
        if not signer.not_valid_before_utc <= moment <= signer.not_valid_after_utc:
            return False
        try:
            if not is_issued_by(signer, self.issuer):
                return False
            usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except (*UNREADABLE, x509.ExtensionNotFound):
            return False
        return ExtendedKeyUsageOID.OCSP_SIGNING in usage and _key_usage_allows(signer, "digital_signature")


def _lists(certificate: x509.Certificate, issuer: x509.Certificate) -> Iterator[_Source]:
    """Those that speak of every reason, and are the issuer's own."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return
    found = [
        (name.value, tuple(point.full_name or ()))
        for point in points
        if point.crl_issuer is None and point.reasons is None
        for name in point.full_name or ()
        if isinstance(name, x509.UniformResourceIdentifier)
    ]
    for url, names in found[:_MAX_SOURCES]:
        if url.startswith(("http://", "https://")):
            yield _List(url, names, certificate, issuer)


def _responders(certificate: x509.Certificate, issuer: x509.Certificate) -> Iterator[_Source]:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return
    urls = [
        description.access_location.value
        for description in access
        if description.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(description.access_location, x509.UniformResourceIdentifier)
    ]
    for url in urls[:_MAX_SOURCES]:
        if url.startswith(("http://", "https://")):
            yield _Responder(url, certificate, issuer)


def _load_crl(data: bytes) -> x509.CertificateRevocationList:
    if data.lstrip().startswith(b"-----BEGIN"):
        return x509.load_pem_x509_crl(data)
    return x509.load_der_x509_crl(data)


def _is_issued_by(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return False
    if not is_same_name(crl.issuer, issuer.subject):
        return False
    if not isinstance(crl.signature_hash_algorithm, _STRONG_HASHES):
        return False
    return _key_usage_allows(issuer, "crl_sign") and crl.is_signature_valid(key)


def _key_usage_allows(certificate: x509.Certificate, use: str) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return bool(getattr(usage, use))


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's name and key are on the certificate."""
    algorithm = certificate.signature_hash_algorithm
    return (
        is_same_name(certificate.issuer, issuer.subject)
        and isinstance(algorithm, _STRONG_HASHES)
        and _verifies(issuer, certificate.signature, certificate.tbs_certificate_bytes, algorithm)
    )


def _verifies(
    signer: x509.Certificate, signature: bytes, data: bytes, algorithm: hashes.HashAlgorithm
) -> bool:
    key = signer.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(algorithm))
        else:
            return False
    except InvalidSignature:
        return False
    return True
