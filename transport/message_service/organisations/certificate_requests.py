"""An organisation's way to a certificate: a key and a request for it, then the certificate that answers.

Who issues certificates for participants is the framework's matter (C1.5 4.4); the subject says whose it
is: C, O, the organisation's number where it is given, and a CN that tells what the key is for. The key is
made here and never leaves.
"""

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from django.db import transaction
from django.utils import timezone

from transport.federation import trust
from transport.message_service.models import CertificateRequest, Organisation, OrganisationKey
from transport.protocol.certificates import (
    CertificateUnreadable,
    CertificateUntrusted,
    Purpose,
    RevocationUnknown,
    load_certificates,
)

from .organisation_keys import add_key, read_key, written_key

KEY_BITS = 3072
_LABELS = {
    OrganisationKey.Purpose.SIGNING: "signering",
    OrganisationKey.Purpose.ENCRYPTION: "kryptering",
}
_PURPOSES = {
    OrganisationKey.Purpose.SIGNING: Purpose.SIGNING,
    OrganisationKey.Purpose.ENCRYPTION: Purpose.ENCRYPTION,
}
_LONGEST_NAME = 64


class CertificateRefused(Exception):
    """A certificate that cannot be taken; `reason` is one of

    unreadable, passphrase, no-key, no-request, not-rsa, or a cause of
    `protocol.certificates.Cause`: expired, weak-key, key-usage, unknown-issuer, revoked and so on.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def request_certificate(
    organisation: Organisation, purpose: OrganisationKey.Purpose, *, number: str = ""
) -> CertificateRequest:
    """Make a key and a signed request for its certificate; `number`, if any, goes into the subject."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    names = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation.name[:_LONGEST_NAME]),
    ]
    if number:
        names.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, number))
    label = _LABELS[purpose]
    common_name = f"{organisation.name[: _LONGEST_NAME - len(label) - 1]} {label}"
    names.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    is_signing = purpose == OrganisationKey.Purpose.SIGNING
    usage = x509.KeyUsage(
        digital_signature=is_signing,
        content_commitment=is_signing,
        key_encipherment=not is_signing,
        data_encipherment=not is_signing,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name(names))
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return CertificateRequest.objects.create(
        organisation=organisation,
        purpose=purpose,
        request=request.public_bytes(serialization.Encoding.PEM).decode(),
        private_key=written_key(key),
    )


def import_certificate(organisation: Organisation, data: bytes) -> OrganisationKey:
    """Take the certificate (PEM, DER, or a chain that begins with it) that answers a request.

    Raises `CertificateRefused`.
    """
    try:
        certificates = load_certificates(data)
    except CertificateUnreadable:
        raise CertificateRefused("unreadable") from None
    with transaction.atomic():
        for request in organisation.certificate_requests.select_for_update():
            key = read_key(request.private_key)
            for certificate in certificates:
                if certificate.public_key() == key.public_key():
                    row = _add_key(organisation, OrganisationKey.Purpose(request.purpose), key, certificate)
                    request.delete()
                    return row
    raise CertificateRefused("no-request")


def import_pkcs12(
    organisation: Organisation, purpose: OrganisationKey.Purpose, data: bytes, passphrase: str
) -> OrganisationKey:
    """Import a key that was made elsewhere, with its certificate. Raises `CertificateRefused`."""
    try:
        key, certificate, _ = pkcs12.load_key_and_certificates(data, passphrase.encode() or None)
    except ValueError as error:
        # The library tells a wrong passphrase and a broken file apart by its words only.
        wrong = "password" in str(error).lower() or "mac" in str(error).lower()
        raise CertificateRefused("passphrase" if wrong else "unreadable") from None
    # A certificate that is another key's is read as one that only comes along.
    if key is None or certificate is None:
        raise CertificateRefused("no-key")
    if not isinstance(key, RSAPrivateKey):
        raise CertificateRefused("not-rsa")
    return _add_key(organisation, purpose, key, certificate)


def _add_key(
    organisation: Organisation,
    purpose: OrganisationKey.Purpose,
    key: RSAPrivateKey,
    certificate: x509.Certificate,
) -> OrganisationKey:
    if certificate.not_valid_before_utc <= timezone.now():
        # One that begins later is stored for then; any other is checked as the federation will check it.
        try:
            trust.check_organisation(certificate, _PURPOSES[purpose])
        except CertificateUntrusted as error:
            raise CertificateRefused(error.cause.name.lower().replace("_", "-")) from None
        except RevocationUnknown:
            # That revocation cannot be checked now says nothing against the certificate.
            pass
    return add_key(organisation, purpose, key, certificate)
