"""Judging a certificate: path to a configured CA, validity, key usage, revocation (C1.5, C3.2.1 2.10).

Every configured CA certificate is an anchor: a federation trusts issuers, not whatever a root may
have issued besides them. Path building is pyca/cryptography's.
"""

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise
from typing import Final, Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from .der import der_sequence, der_values
from .distinguished_names import is_same_name
from .errors import ProtocolError

MINIMUM_RSA_BITS: Final = 2048
# Places among a certificate's fields, which begin with the version of every certificate that has extensions.
_ISSUER: Final = 3
_SUBJECT: Final = 5
# RFC 7468 5.1, and 5.3 for "X509"; white space in it may be missing too.
_PEM_MARK: Final = re.compile(rb"-----(BEGIN|END)[ \t]*(?:X509[ \t]*)?CERTIFICATE-----")
# What the library raises, early or late, for bytes that are not what they should be.
UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


class Cause(StrEnum):
    """Why a certificate is not trusted."""

    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    UNKNOWN_ISSUER = "not issued by a CA of this environment"
    KEY_USAGE = "not made for this use"
    WEAK_KEY = "no RSA key of 2048 bits or more"
    REVOKED = "revoked"
    NO_REVOCATION_SERVICE = "names no service to ask whether it is revoked"


class CertificateUntrusted(ProtocolError):
    """A certificate is not to be trusted; no later attempt changes that."""

    def __init__(self, cause: Cause, certificate: x509.Certificate) -> None:
        self.cause = cause
        self.fingerprint = fingerprint(certificate)
        super().__init__(f"certificate {self.fingerprint[:16]}: {cause}")


class RevocationUnknown(ProtocolError):
    """Nobody could be asked whether the certificate is revoked. It may pass: try again later."""

    def __init__(self, certificate: x509.Certificate) -> None:
        self.fingerprint = fingerprint(certificate)
        super().__init__(f"certificate {self.fingerprint[:16]}: revocation could not be checked")


class RevocationSource(Protocol):
    """Who knows whether certificates are revoked (`revocation.RevocationChecker`)."""

    def is_revoked(self, certificate: x509.Certificate, issuer: x509.Certificate, moment: datetime) -> bool:
        """Whether the certificate is revoked at the moment (aware).

        Raises `RevocationUnknown`, and `CertificateUntrusted` for one that names no service to ask.
        """


class CertificateUnreadable(ProtocolError):
    """Bytes that hold no certificate."""


class Purpose(StrEnum):
    """What a key is used for; its certificate's key usage has to allow it where it has one."""

    SIGNING = "signing"
    ENCRYPTION = "encryption"


def is_pem(data: bytes) -> bool:
    """Whether PEM's mark of a certificate stands in these bytes."""
    return _PEM_MARK.search(data) is not None


def load_certificates(data: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM bundle, or the one of a DER file; raises `CertificateUnreadable`.

    Line breaks of PEM may be missing, spaces, or the two characters `\\n`: forms and tools that join lines
    leave it so.
    """
    marks = list(_PEM_MARK.finditer(data))
    if not marks:
        return [load_certificate(data)]
    if [mark[1] for mark in marks] != [b"BEGIN", b"END"] * (len(marks) // 2):
        raise CertificateUnreadable("not a certificate in PEM")
    found = []
    for begin, end in zip(marks[::2], marks[1::2], strict=True):
        text = data[begin.end() : end.start()].replace(b"\\r", b"").replace(b"\\n", b"")
        try:
            der = base64.b64decode(b"".join(text.split()), validate=True)
        except ValueError:
            raise CertificateUnreadable("not a certificate in PEM") from None
        found.append(load_certificate(der))
    return found


def load_certificate(data: bytes) -> x509.Certificate:
    """The certificate in these bytes (DER); raises `CertificateUnreadable`.

    For every certificate that a stranger gives us: the library reads most of a certificate when it is
    first asked for, and would raise half a dozen kinds of error then, wherever that is.
    """
    try:
        return _read_through(x509.load_der_x509_certificate(data))
    except UNREADABLE:
        raise CertificateUnreadable("not a certificate in DER") from None


def _read_through(certificate: x509.Certificate) -> x509.Certificate:
    try:
        certificate.public_key()
        _ = certificate.subject, certificate.issuer, certificate.extensions
    except UNREADABLE:
        raise CertificateUnreadable("a certificate whose contents cannot be read") from None
    return certificate


def common_name(certificate: x509.Certificate) -> str | None:
    """The subject's CN: an access point's party id (C3.2.1 2.3.1 j)."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else None


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate, in hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


# Paths that a checker remembers.
_MOST_PATHS: Final = 1_000


class CertificateChecker:
    """Judges certificates against a set of CAs.

    `clock` gives the present (aware). Without `revocation` nothing is asked about revocation.
    """

    def __init__(
        self,
        authorities: Iterable[x509.Certificate],
        revocation: RevocationSource | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._anchors = [certificate for certificate in authorities if is_authority(certificate)]
        self._revocation = revocation
        self._clock = clock
        self._paths: dict[tuple[x509.Certificate, ...], list[x509.Certificate]] = {}

    def check(
        self,
        certificate: x509.Certificate,
        purpose: Purpose,
        *,
        intermediates: Sequence[x509.Certificate] = (),
        at: datetime | None = None,
    ) -> list[x509.Certificate]:
        """The path from the certificate to its anchor.

        `at` judges as of another time than now. Raises `CertificateUntrusted`, `RevocationUnknown`.
        """
        moment = (at or self._clock()).astimezone(UTC)
        path = self.check_path(certificate, purpose, intermediates=intermediates, at=moment)
        if self._revocation is not None:
            for subject, issuer in pairwise(path):
                if self._revocation.is_revoked(subject, issuer, moment):
                    raise CertificateUntrusted(Cause.REVOKED, subject)
        return path

    def check_path(
        self,
        certificate: x509.Certificate,
        purpose: Purpose,
        *,
        intermediates: Sequence[x509.Certificate] = (),
        at: datetime | None = None,
    ) -> list[x509.Certificate]:
        """`check` without revocation: asks nobody. Raises `CertificateUntrusted`."""
        moment = (at or self._clock()).astimezone(UTC)
        if moment > certificate.not_valid_after_utc:
            raise CertificateUntrusted(Cause.EXPIRED, certificate)
        if moment < certificate.not_valid_before_utc:
            raise CertificateUntrusted(Cause.NOT_YET_VALID, certificate)
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey) or key.key_size < MINIMUM_RSA_BITS:
            raise CertificateUntrusted(Cause.WEAK_KEY, certificate)
        path = self._path(certificate, intermediates, moment)
        # An authority's key signs certificates, not messages.
        if is_authority(certificate) or not _is_meant_for(certificate, purpose):
            raise CertificateUntrusted(Cause.KEY_USAGE, certificate)
        return path

    def _path(
        self, certificate: x509.Certificate, intermediates: Sequence[x509.Certificate], moment: datetime
    ) -> list[x509.Certificate]:
        if not self._anchors:
            raise CertificateUntrusted(Cause.UNKNOWN_ISSUER, certificate)
        # What issued what does not change; a path that was found holds while all of it is valid.
        given = (certificate, *intermediates)
        known = self._paths.get(given, [])
        if known and all(_is_valid_at(anchor, moment) for anchor in known):
            return list(known)
        path = self._verified_path(certificate, intermediates, moment)
        if len(self._paths) >= _MOST_PATHS:
            self._paths.clear()
        self._paths[given] = path
        return list(path)

    def _verified_path(
        self, certificate: x509.Certificate, intermediates: Sequence[x509.Certificate], moment: datetime
    ) -> list[x509.Certificate]:
        """The library compares names octet by octet; whoever issued a certificate may have written its own
        name in another string type or case there (RFC 5280 7.1)."""
        chain = _library_path(certificate, intermediates, self._anchors, moment)
        if chain is not None:
            return chain
        stand_ins = {
            _certificate_with_subject(anchor, issued): anchor
            for issued in (certificate, *intermediates)
            for anchor in self._anchors
            if is_same_name(anchor.subject, issued.issuer)
        }
        if not stand_ins:
            raise CertificateUntrusted(Cause.UNKNOWN_ISSUER, certificate)
        chain = _library_path(certificate, intermediates, [*self._anchors, *stand_ins], moment)
        if chain is None:
            raise CertificateUntrusted(Cause.UNKNOWN_ISSUER, certificate)
        return [stand_ins.get(item, item) for item in chain]


def _library_path(
    certificate: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    anchors: list[x509.Certificate],
    moment: datetime,
) -> list[x509.Certificate] | None:
    verifier = (
        PolicyBuilder()
        .store(Store(anchors))
        .time(moment.replace(tzinfo=None))
        .extension_policies(ca_policy=_AUTHORITY, ee_policy=ExtensionPolicy.permit_all())
        .build_client_verifier()
    )
    try:
        return list(verifier.verify(certificate, list(intermediates)).chain)
    except VerificationError:
        return None


def _certificate_with_subject(certificate: x509.Certificate, issued: x509.Certificate) -> x509.Certificate:
    """An anchor as the certificate that it issued writes its name. An anchor's own signature is not asked."""
    to_be_signed, *signature = der_values(certificate.public_bytes(Encoding.DER))
    fields = der_values(to_be_signed)
    issued_fields = der_values(der_values(issued.public_bytes(Encoding.DER))[0])
    fields[_SUBJECT] = issued_fields[_ISSUER]
    return x509.load_der_x509_certificate(der_sequence([der_sequence(fields), *signature]))


def _is_valid_at(certificate: x509.Certificate, moment: datetime) -> bool:
    return certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc


def _require_authority(_: Policy, __: x509.Certificate, constraints: x509.BasicConstraints) -> None:
    if not constraints.ca:
        raise ValueError("not a CA")


def _require_cert_sign(_: Policy, __: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("may not sign certificates")


# The federation's function and access point certificates need no subject alternative name, which
# the library's web defaults ask for; of issuers it asks what RFC 5280 does.
_AUTHORITY: Final = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _require_authority)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _require_cert_sign)
)


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it is a CA's certificate."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _is_meant_for(certificate: x509.Certificate, purpose: Purpose) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    if purpose is Purpose.SIGNING:
        return usage.digital_signature or usage.content_commitment
    return usage.key_encipherment or usage.data_encipherment
