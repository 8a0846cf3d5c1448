"""Certificates as an issuer hands them over."""

from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from django.utils import timezone

from testbed.authorities import load_certificate
from testbed.federation import Federation


def issued(federation: Federation, request: str, *, like: Path, **changes) -> bytes:
    """What the organisations' CA issues for a request; where to ask about it stands as in `like`."""
    authority = federation._authority("organisations")
    asked = x509.load_pem_x509_csr(request.encode())
    assert asked.is_signature_valid
    now = timezone.now()
    builder = (
        x509.CertificateBuilder()
        .subject_name(asked.subject)
        .issuer_name(changes.get("issuer", authority.certificate.subject))
        .public_key(asked.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(changes.get("begins", now - timedelta(hours=1)))
        .not_valid_after(changes.get("ends", now + timedelta(days=365)))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(asked.extensions.get_extension_for_class(x509.KeyUsage).value, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(asked.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority._key.public_key()), critical=False
        )
    )
    for extension in load_certificate(like).extensions:
        if isinstance(extension.value, x509.CRLDistributionPoints | x509.AuthorityInformationAccess):
            builder = builder.add_extension(extension.value, critical=False)
    signer = changes.get("signer", authority._key)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def a_bundle(
    key: object,
    certificate: x509.Certificate | None,
    passphrase: bytes = b"hemligt",
    beside: list[x509.Certificate] | None = None,
) -> bytes:
    """PKCS#12, as another program writes it."""
    return pkcs12.serialize_key_and_certificates(
        b"x", key, certificate, beside, serialization.BestAvailableEncryption(passphrase)
    )
