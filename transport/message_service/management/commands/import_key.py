"""Import a key of an organisation."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.core.management.base import BaseCommand, CommandError, CommandParser

from transport.message_service.models import Organisation, OrganisationKey
from transport.message_service.organisations.organisation_keys import KeyDoesNotFit, add_key
from transport.protocol.certificates import CertificateUnreadable, load_certificates


class Command(BaseCommand):
    help = "Imports a private key (PEM) and its certificate (PEM or DER); the same again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organisation", required=True, help="participant identifier")
        parser.add_argument("--purpose", required=True, choices=OrganisationKey.Purpose.values)
        parser.add_argument("--key", required=True, type=Path)
        parser.add_argument("--certificate", required=True, type=Path)
        parser.add_argument("--passphrase-file", type=Path, help="where the key's own passphrase stands")

    def handle(self, *args: Any, **options: Any) -> None:
        organisation = Organisation.objects.filter(participant_id=options["organisation"].lower()).first()
        if organisation is None:
            raise CommandError(f"{options['organisation']} is not added; run add_organisation first")
        passphrase = None
        if options["passphrase_file"]:
            passphrase = options["passphrase_file"].read_bytes().strip()
        try:
            key = load_pem_private_key(options["key"].read_bytes(), passphrase)
            certificate = load_certificates(options["certificate"].read_bytes())[0]
        except (OSError, ValueError, TypeError, CertificateUnreadable) as error:
            raise CommandError(f"the key or certificate cannot be read: {type(error).__name__}") from None
        if not isinstance(key, RSAPrivateKey):
            raise CommandError("the key is not RSA, which the federation's profile asks for")
        try:
            row = add_key(organisation, OrganisationKey.Purpose(options["purpose"]), key, certificate)
        except KeyDoesNotFit:
            raise CommandError("the certificate is not for this private key") from None
        self.stdout.write(
            f"{organisation} {row.purpose} {row.fingerprint[:16]} until {row.valid_until:%Y-%m-%d}"
        )
