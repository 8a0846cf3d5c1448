"""Keys and certificates made once for the run; RSA 2048, as the federation's."""

from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    """A key that is the same for the same name within the run."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def certificate(name: str) -> x509.Certificate:
    """A self-signed certificate for the key of that name."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key(name).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGINNING)
        .not_valid_after(BEGINNING + timedelta(days=730))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key(name).public_key()), critical=False)
        .sign(key(name), hashes.SHA256())
    )
