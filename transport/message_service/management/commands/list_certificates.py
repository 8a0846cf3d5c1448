"""Tell which certificates the node has, what each is used for and until when."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from transport.certificate_watch.watch import held_certificates
from transport.message_service.models import CertificateRequest
from transport.message_service.organisations import publication


class Command(BaseCommand):
    help = "Lists the node's certificates, the one that ends first at the top, and the requests that wait."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--look", action="store_true", help="ask CertPub for what is awaited there first")

    def handle(self, *args: Any, look: bool, **options: Any) -> None:
        if look:
            self.stdout.write(f"CertPub has {publication.poll_certpub()} of those that were awaited")
        now = timezone.now()
        for row in held_certificates():
            self.stdout.write(
                f"{row.valid_until:%Y-%m-%d} {row.days_left(now):5d} days  {row.holder}"
                f" {row.participant or row.name}  {row.use}  {row.fingerprint[:16]}"
            )
        for request in CertificateRequest.objects.select_related("organisation"):
            self.stdout.write(
                f"request of {request.created_at:%Y-%m-%d}"
                f"  {request.purpose} {request.organisation} {request.pk}"
            )
