"""Certificate authorities of the test federation, with their revocation lists and OCSP responses."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

_AUTHORITY_YEARS = 10
_RESPONSE_LIFE = timedelta(hours=1)


@dataclass(frozen=True)
class KeyFiles:
    """A private key and its certificate, as PEM files."""

    key: Path
    certificate: Path


@dataclass(frozen=True)
class Validity:
    """From when to when a certificate is valid, as days from now."""

    begins: float = -1
    ends: float = 730


class Authority:
    """A CA whose key and certificate are in a directory, created the first time."""

    def __init__(self, directory: Path, name: str, base_url: str) -> None:
        self.name = name
        self._directory = directory
        self._url = f"{base_url}/pki/{name}"
        self.files = KeyFiles(directory / f"{name}.key", directory / f"{name}.pem")
        if not self.files.certificate.exists():
            self._create()
        self.certificate = x509.load_pem_x509_certificate(self.files.certificate.read_bytes())
        self._key = load_key(self.files.key)

    def issue(
        self,
        files: KeyFiles,
        common_name: str,
        *,
        organisation: str = "Testfederationen",
        hosts: tuple[str, ...] = (),
        validity: Validity | None = None,
    ) -> KeyFiles:
        """Create a key and issue its certificate into the files, unless they exist; returns the files."""
        if files.certificate.exists():
            return files
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        builder = self._certificate(
            _name(common_name, organisation), key.public_key(), _key_usage(), validity or Validity()
        )
        if hosts:
            names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
            builder = builder.add_extension(names, critical=False).add_extension(usage, critical=False)
        _write_key(files.key, key)
        certificate = builder.sign(self._key, hashes.SHA256())
        files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return files

    def answer(self, request: bytes) -> bytes:
        """The certificate (PEM) that a request (PKCS#10, PEM) asks for."""
        asked = x509.load_pem_x509_csr(request)
        assert asked.is_signature_valid
        usages = [each.value for each in asked.extensions if isinstance(each.value, x509.KeyUsage)]
        usage = usages[0] if usages else _key_usage()
        public_key = asked.public_key()
        assert isinstance(public_key, rsa.RSAPublicKey)
        certificate = self._certificate(asked.subject, public_key, usage, Validity()).sign(
            self._key, hashes.SHA256()
        )
        return certificate.public_bytes(serialization.Encoding.PEM)

    def _certificate(
        self, subject: x509.Name, public_key: rsa.RSAPublicKey, usage: x509.KeyUsage, validity: Validity
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.certificate.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=validity.begins))
            .not_valid_after(now + timedelta(days=validity.ends))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .add_extension(_distribution(self._url), critical=False)
            .add_extension(_access(self._url), critical=False)
        )

    def revocation_list(self, revoked: list[int]) -> bytes:
        """A revocation list (DER) with these serial numbers."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now)
            .next_update(now + _RESPONSE_LIFE)
            .add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
        )
        for serial in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def ocsp_response(self, request: bytes, revoked: list[int]) -> bytes:
        """The OCSP response (DER) to a request (DER) about one of this CA's certificates."""
        query = ocsp.load_der_ocsp_request(request)
        now = datetime.now(UTC)
        is_revoked = query.serial_number in revoked
        response = (
            ocsp.OCSPResponseBuilder()
            .add_response_by_hash(
                issuer_name_hash=query.issuer_name_hash,
                issuer_key_hash=query.issuer_key_hash,
                serial_number=query.serial_number,
                algorithm=query.hash_algorithm,
                cert_status=ocsp.OCSPCertStatus.REVOKED if is_revoked else ocsp.OCSPCertStatus.GOOD,
                this_update=now,
                next_update=now + _RESPONSE_LIFE,
                revocation_time=now if is_revoked else None,
                revocation_reason=None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate)
            .sign(self._key, hashes.SHA256())
        )
        return response.public_bytes(serialization.Encoding.DER)

    def _create(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
        name = _name(f"Test CA {self.name}", "Testfederationen")
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + timedelta(days=365 * _AUTHORITY_YEARS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(is_authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        _write_key(self.files.key, key)
        self.files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def load_key(path: Path) -> rsa.RSAPrivateKey:
    """A private key from a PEM file of the testbed's."""
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def load_certificate(path: Path) -> x509.Certificate:
    """A certificate from a PEM file of the testbed's."""
    return x509.load_pem_x509_certificate(path.read_bytes())


def _write_key(path: Path, key: rsa.RSAPrivateKey) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def _name(common_name: str, organisation: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _key_usage(*, is_authority: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not is_authority,
        data_encipherment=not is_authority,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _distribution(url: str) -> x509.CRLDistributionPoints:
    name = x509.UniformResourceIdentifier(f"{url}.crl")
    return x509.CRLDistributionPoints([x509.DistributionPoint([name], None, None, None)])


def _access(url: str) -> x509.AuthorityInformationAccess:
    location = x509.UniformResourceIdentifier(f"{url}/ocsp")
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, location)]
    )
