"""Try the way to a counterpart."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from transport.access_point.ping import ping
from transport.message_service.models import Organisation
from transport.protocol.identifiers import ParticipantId, ParticipantIdInvalid


class Command(BaseCommand):
    help = (
        "Tells, step by step, what works towards a counterpart: DNS, SMP, its access point's certificate, "
        "TLS and AS4, by the test service, which delivers nothing: ping 0203:habo.se"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("participant", help="participant identifier, such as 0203:habo.se")
        parser.add_argument("--sender", help="the organisation of this node that asks; else the first")

    def handle(self, *args: Any, participant: str, sender: str | None, **options: Any) -> None:
        own = Organisation.objects.order_by("pk")
        if sender is not None:
            own = own.filter(participant_id=sender.lower())
        organisation = own.first()
        if organisation is None:
            raise CommandError("No such organisation here; run add_organisation first.")
        try:
            recipient = ParticipantId.parse(participant)
        except ParticipantIdInvalid as error:
            raise CommandError(f"{participant} is {error}.") from None
        for tried in ping(organisation.participant, recipient):
            self.stdout.write(f"{tried.step:<12}{'ok' if tried.works else 'FAILED':<8}{tried.detail}")
            if not tried.works:
                raise CommandError(f"{tried.step} does not work: {tried.detail}")
