"""Make a key and a certificate request: for an organisation, or for the access point."""

from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.core.management.base import BaseCommand, CommandError, CommandParser

from transport.message_service.models import Organisation, OrganisationKey
from transport.message_service.organisations.certificate_requests import KEY_BITS, request_certificate


class Command(BaseCommand):
    help = (
        "Makes a key and prints the request for its certificate (PKCS#10, PEM). An organisation's key stays "
        "in the database until `import_certificate` brings the certificate; the access point's is written "
        "to --key."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organisation", help="participant identifier")
        parser.add_argument("--purpose", choices=OrganisationKey.Purpose.values)
        parser.add_argument("--number", default="", help="the organisation's number, if it is to be in it")
        parser.add_argument("--access-point", metavar="NAME", help="its CN, the party id")
        parser.add_argument("--operator", default="", help="who runs the access point: its O")
        parser.add_argument("--key", type=Path, help="where the access point's key is written")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["access_point"]:
            self.stdout.write(_of_access_point(options["access_point"], options["operator"], options["key"]))
            return
        if not options["organisation"] or not options["purpose"]:
            raise CommandError("give --organisation and --purpose, or --access-point and --key")
        organisation = Organisation.objects.filter(participant_id=options["organisation"].lower()).first()
        if organisation is None:
            raise CommandError(f"{options['organisation']} is not added; run add_organisation first")
        purpose = OrganisationKey.Purpose(options["purpose"])
        self.stdout.write(request_certificate(organisation, purpose, number=options["number"]).request)


def _of_access_point(name: str, operator: str, path: Path | None) -> str:
    """The CN is what other access points know it by (C3.2.1 2.3.1): it stays the same when it is renewed."""
    if path is None:
        raise CommandError("give --key: where the access point's key is to be written")
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    try:
        path.touch(0o600, exist_ok=False)
    except FileExistsError:
        raise CommandError(f"{path} exists: a key is never overwritten") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    names = [x509.NameAttribute(NameOID.COUNTRY_NAME, "SE")]
    if operator:
        names.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, operator))
    names.append(x509.NameAttribute(NameOID.COMMON_NAME, name))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
