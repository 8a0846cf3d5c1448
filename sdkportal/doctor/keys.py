"""Checks of keys: they can be read, belong to their certificates, open what is stored, do not end soon."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from transport.access_point.keys import own_keys
from transport.certificate_watch.watch import WARNING_DAYS, HeldCertificate, Use, held_certificates
from transport.message_service.models import OrganisationKey
from transport.protocol.certificates import CertificateUnreadable, load_certificates
from transport.remote_message_service.bindings import organisations_served_here
from transport.storage.encryption.configured_keys import wrapping_key, wrapping_key_named
from transport.storage.encryption.errors import AtRestError
from transport.storage.encryption.models import DataKey

from .findings import Finding, failure, ok, warning

_, _SOON_DAYS, _VERY_SOON_DAYS = WARNING_DAYS
_UNREADABLE: Final = (OSError, ValueError, TypeError, UnsupportedAlgorithm, CertificateUnreadable)


def has_own_access_point() -> bool:
    """Whether this node's own access point sends and receives, and no other operator's."""
    return bool(settings.SDK_ACCESS_POINT_KEY) or not settings.SDK_DROP_DIR


def access_point() -> Iterator[Finding]:
    """The access point's key and certificate, and those that it shows as a TLS client."""
    if not has_own_access_point():
        yield ok("another operator's")
        return
    try:
        party = own_keys().party_id
    except (*_UNREADABLE, ImproperlyConfigured) as error:
        yield failure("access-point-key", type(error).__name__)
    else:
        yield from _pair(
            "SDK_ACCESS_POINT", settings.SDK_ACCESS_POINT_KEY, settings.SDK_ACCESS_POINT_CERTIFICATE
        )
        yield ok(party)
    for path in settings.SDK_ACCESS_POINT_OLD_KEYS:
        yield from _pair("SDK_ACCESS_POINT_OLD_KEYS", path, path)
    yield from _pair("SDK_TLS_CLIENT", settings.SDK_TLS_CLIENT_KEY, settings.SDK_TLS_CLIENT_CERTIFICATE)


def _pair(name: str, key_path: str, certificate_path: str) -> Iterator[Finding]:
    """Findings on what is wrong with a key and its certificate; none where all is well."""
    try:
        key = load_pem_private_key(Path(key_path).read_bytes(), None)
        certificate = load_certificates(Path(certificate_path).read_bytes())[0]
        mode = Path(key_path).stat().st_mode & 0o777
    except _UNREADABLE as error:
        yield failure("key-unreadable", f"{name}: {type(error).__name__}")
        return
    if certificate.public_key() != key.public_key():
        yield failure("key-not-of-certificate", name)
    if mode & 0o077:
        yield warning("key-open", f"{key_path}: mode {mode:o}")


def data_keys() -> Iterator[Finding]:
    """The wrapping key opens the keys that everything stored is encrypted with."""
    try:
        wrapping_key()
    except (AtRestError, ImproperlyConfigured) as error:
        yield failure("wrapping-key", type(error).__name__)
        return
    opened = 0
    for row in DataKey.objects.order_by("participant_id", "pk"):
        try:
            wrapping_key_named(row.wrapped_by).unwrap(bytes(row.wrapped), row.binding)
            opened += 1
        except (AtRestError, ImproperlyConfigured) as error:
            yield failure("data-key-closed", f"{row.wrapped_by}: {type(error).__name__}", row.participant_id)
    yield ok(f"{opened} data keys open")


def certificates() -> Iterator[Finding]:
    """Each organisation that is served here has keys, and no certificate that is in use ends soon."""
    now = timezone.now()
    held = held_certificates()
    for organisation in organisations_served_here().prefetch_related("keys"):
        purposes = {key.purpose for key in organisation.keys.all() if key.valid_until > now}
        lacking = [purpose.value for purpose in OrganisationKey.Purpose if purpose not in purposes]
        if lacking:
            detail = f"{organisation.participant_id}: {' and '.join(lacking)}"
            yield failure("organisation-key-missing", detail, organisation.participant_id)
    if not held:
        yield warning("organisation-missing", "no certificate")
    for certificate in held:
        if certificate.is_needed:
            yield _judged(certificate, certificate.days_left(now))


def _judged(certificate: HeldCertificate, days: int) -> Finding:
    whose = certificate.participant or certificate.name
    detail = f"{whose}, {certificate.holder}: {certificate.valid_until:%Y-%m-%d}, {days} days left"
    if days < _VERY_SOON_DAYS:
        return failure("certificate-ends", detail, certificate.participant)
    if days < _SOON_DAYS:
        return warning("certificate-ends", detail, certificate.participant)
    if certificate.use is Use.AWAITS_PUBLICATION:
        return warning("certificate-awaits-publication", detail, certificate.participant)
    return ok(detail, certificate.participant)
