"""This access point's own keys, read from the files that the settings name."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from ..certificate_watch.watch import HeldCertificate, Holder, Use
from ..protocol.as4.unpacking import DecryptionKey
from ..protocol.certificates import common_name, fingerprint, load_certificates
from ..short_memory import ShortMemory

_keys: "ShortMemory[AccessPointKeys]" = ShortMemory()


@dataclass(frozen=True, slots=True)
class AccessPointKeys:
    """This access point's key and certificate for signing, and its keys for decryption."""

    signing_key: RSAPrivateKey
    certificate: x509.Certificate
    party_id: str
    decryption_keys: tuple[DecryptionKey, ...]


def own_keys() -> AccessPointKeys:
    """The keys; read again when a file has changed, since loading one costs more than a small message.

    Whether one has is looked for every SDK_ANSWER_MEMORY_SECONDS.
    """
    files = [(settings.SDK_ACCESS_POINT_KEY, settings.SDK_ACCESS_POINT_CERTIFICATE)]
    files += [(path, path) for path in settings.SDK_ACCESS_POINT_OLD_KEYS]
    if not all(path for pair in files for path in pair):
        raise ImproperlyConfigured("Set SDK_ACCESS_POINT_KEY and SDK_ACCESS_POINT_CERTIFICATE.")
    return _keys.get(
        tuple(files),
        lambda: _loaded(
            tuple((key, certificate, _changed(key), _changed(certificate)) for key, certificate in files)
        ),
    )


def held_certificates() -> list[HeldCertificate]:
    """The access point's certificates and the one that it shows as a TLS client, for whoever watches them."""
    files = [(Holder.ACCESS_POINT, Use.SIGNS_AND_OPENS, settings.SDK_ACCESS_POINT_CERTIFICATE)]
    files += [(Holder.ACCESS_POINT, Use.STILL_OPENS, path) for path in settings.SDK_ACCESS_POINT_OLD_KEYS]
    files.append((Holder.TLS_CLIENT, Use.SHOWN, settings.SDK_TLS_CLIENT_CERTIFICATE))
    return [_held(holder, use, Path(path)) for holder, use, path in files if path and Path(path).is_file()]


def _held(holder: Holder, use: Use, path: Path) -> HeldCertificate:
    certificate = load_certificates(path.read_bytes())[0]
    return HeldCertificate(
        holder,
        "",
        common_name(certificate) or "",
        fingerprint(certificate),
        use,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )


@lru_cache(maxsize=4)
def _loaded(files: tuple[tuple[str, str, int, int], ...]) -> AccessPointKeys:
    pairs = [(_key(key), load_certificates(Path(path).read_bytes())[0]) for key, path, _, _ in files]
    key, certificate = pairs[0]
    party = common_name(certificate)
    if party is None:
        raise ImproperlyConfigured("The access point's certificate has no common name.")
    return AccessPointKeys(key, certificate, party, tuple(DecryptionKey(*pair) for pair in pairs))


def _changed(path: str) -> int:
    return Path(path).stat().st_mtime_ns


def _key(path: str) -> RSAPrivateKey:
    key = load_pem_private_key(Path(path).read_bytes(), None)
    if not isinstance(key, RSAPrivateKey):
        raise ImproperlyConfigured(f"{path} holds no RSA key.")
    return key
