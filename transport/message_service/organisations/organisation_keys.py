"""An organisation's private keys: sealed in the database, loaded once for each process."""

from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from django.conf import settings
from django.utils import timezone

from transport.message_service.models import Organisation, OrganisationKey
from transport.protocol.certificates import fingerprint
from transport.short_memory import ShortMemory

_pairs: ShortMemory[tuple[RSAPrivateKey, x509.Certificate]] = ShortMemory()
_opening: ShortMemory[list[RSAPrivateKey]] = ShortMemory()


class NoValidKey(Exception):
    """The organisation has no key for the purpose that is valid now."""


class KeyDoesNotFit(Exception):
    """The private key and the certificate are not a pair of RSA keys."""


def signing_pair(organisation: Organisation) -> tuple[RSAPrivateKey, x509.Certificate]:
    """The organisation's signing key and certificate. Raises `NoValidKey`."""
    return _pairs.get(organisation.pk, lambda: _signing_pair(organisation))


def _signing_pair(organisation: Organisation) -> tuple[RSAPrivateKey, x509.Certificate]:
    key = signing_key(organisation)
    return read_key(key.private_key), x509.load_pem_x509_certificate(key.certificate.encode())


def signing_key(organisation: Organisation) -> OrganisationKey:
    """The newest valid key that CertPub is known to have published: recipients judge by what they find there.

    Where none is known to be published, the one that has been here longest: the first of an organisation
    that has just begun, and never one that was imported to succeed it. Raises `NoValidKey`.
    """
    now = timezone.now()
    valid = list(
        organisation.keys.filter(
            purpose=OrganisationKey.Purpose.SIGNING, valid_from__lte=now, valid_until__gte=now
        ).order_by("valid_from", "id")
    )
    if not valid:
        raise NoValidKey(f"{organisation} has no valid signing key")
    published = [key for key in valid if key.published_at is not None]
    return published[-1] if published else min(valid, key=lambda key: key.pk)


def opening_keys(organisation: Organisation) -> list[RSAPrivateKey]:
    """Everything that may open a message to the organisation, the newest first."""
    return _opening.get(organisation.pk, lambda: _opening_keys(organisation))


def _opening_keys(organisation: Organisation) -> list[RSAPrivateKey]:
    keys = organisation.keys.filter(purpose=OrganisationKey.Purpose.ENCRYPTION).order_by("-valid_from", "-id")
    return [read_key(key.private_key) for key in keys]


def add_key(
    organisation: Organisation,
    purpose: OrganisationKey.Purpose,
    key: RSAPrivateKey,
    certificate: x509.Certificate,
) -> OrganisationKey:
    """Keep a key; the same one again changes nothing. Raises `KeyDoesNotFit`."""
    if certificate.public_key() != key.public_key():
        raise KeyDoesNotFit("the certificate is not for this private key")
    _pairs.drop(organisation.pk)
    _opening.drop(organisation.pk)
    row, _ = OrganisationKey.objects.get_or_create(
        organisation=organisation,
        purpose=purpose,
        fingerprint=fingerprint(certificate),
        defaults={
            "private_key": written_key(key),
            "certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
            "valid_from": certificate.not_valid_before_utc,
            "valid_until": certificate.not_valid_after_utc,
        },
    )
    return row


def drop_passphrases() -> int:
    """Let go of the passphrase of keys that were stored with one; how many there were."""
    count = 0
    for row in OrganisationKey.objects.select_related("organisation"):
        if _has_passphrase(row.private_key):
            row.private_key = written_key(read_key(row.private_key))
            row.save(update_fields=["private_key"])
            count += 1
    return count


def written_key(key: RSAPrivateKey) -> str:
    """PKCS#8 in PEM: what seals it is the column."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _has_passphrase(pem: str) -> bool:
    """Whether a key is from before columns were sealed."""
    return pem.startswith("-----BEGIN ENCRYPTED")


@lru_cache(maxsize=256)
def read_key(pem: str) -> RSAPrivateKey:
    """A stored key, opened. Raises `KeyDoesNotFit` where it is no RSA key."""
    passphrase = settings.SDK_KEY_PASSPHRASE.encode() if _has_passphrase(pem) else None
    key = serialization.load_pem_private_key(pem.encode(), passphrase)
    if not isinstance(key, RSAPrivateKey):
        raise KeyDoesNotFit("not an RSA key")
    return key
