"""Import the certificate that answers a request, or a key and certificate in PKCS#12."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from transport.message_service.models import Organisation, OrganisationKey
from transport.message_service.organisations.certificate_requests import (
    CertificateRefused,
    import_certificate,
    import_pkcs12,
)

_REASONS = {
    "unreadable": "the file is neither a certificate (PEM, DER) nor PKCS#12",
    "passphrase": "the passphrase is not the file's",
    "no-key": "the file lacks a private key or its certificate",
    "no-request": "no request of the organisation's waits for this certificate: was it made here?",
    "not-rsa": "the key is not RSA, which the federation's profile asks for",
    "expired": "the certificate has ended",
    "weak-key": "the key is weaker than the federation takes",
    "key-usage": "the certificate is not issued for this purpose (KeyUsage)",
    "unknown-issuer": "its issuer is none of the CAs in SDK_TRUST_DIR/organisations",
    "revoked": "the certificate has been revoked",
}


class Command(BaseCommand):
    help = (
        "Imports a certificate (PEM or DER) that answers a request, or a PKCS#12 file. The certificate is "
        "used to sign when CertPub has published it; until then the earlier one is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--organisation", required=True, help="participant identifier")
        parser.add_argument("--purpose", choices=OrganisationKey.Purpose.values, help="for PKCS#12")
        parser.add_argument("--passphrase-file", type=Path, help="for PKCS#12: where its passphrase stands")

    def handle(self, *args: Any, **options: Any) -> None:
        organisation = Organisation.objects.filter(participant_id=options["organisation"].lower()).first()
        if organisation is None:
            raise CommandError(f"{options['organisation']} is not added; run add_organisation first")
        try:
            data = options["file"].read_bytes()
            passphrase = options["passphrase_file"].read_text().strip() if options["passphrase_file"] else ""
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read: {error.strerror}") from None
        try:
            if options["purpose"]:
                purpose = OrganisationKey.Purpose(options["purpose"])
                row = import_pkcs12(organisation, purpose, data, passphrase)
            else:
                row = import_certificate(organisation, data)
        except CertificateRefused as refused:
            raise CommandError(_REASONS.get(refused.reason, refused.reason)) from None
        self.stdout.write(
            f"{organisation} {row.purpose} {row.fingerprint[:16]} until {row.valid_until:%Y-%m-%d}; "
            "used when CertPub has published it"
        )
