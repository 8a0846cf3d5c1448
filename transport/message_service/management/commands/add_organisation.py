"""Add an organisation that this node serves."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from transport.message_service.models import Organisation
from transport.names import is_name
from transport.protocol.identifiers import ParticipantId, ParticipantIdInvalid


class Command(BaseCommand):
    help = "Adds an organisation, or changes its name: add_organisation 0203:habo.se 'Håbo kommun'"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("participant", help="participant identifier, such as 0203:habo.se")
        parser.add_argument("name")

    def handle(self, *args: Any, participant: str, name: str, **options: Any) -> None:
        try:
            identifier = ParticipantId.parse(participant)
        except ParticipantIdInvalid:
            raise CommandError(f"{participant} is no participant identifier (0203:domain.se)") from None
        if not is_name(name):
            raise CommandError("the name has line breaks or other signs that cannot be shown")
        _, created = Organisation.objects.update_or_create(
            participant_id=identifier.value, defaults={"name": name}
        )
        self.stdout.write(f"{identifier} {'added' if created else 'kept'}")
