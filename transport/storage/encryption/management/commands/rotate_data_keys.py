"""Creates new data keys, which encrypt from now on."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from transport.storage.encryption import keys
from transport.storage.encryption.models import DataKey


class Command(BaseCommand):
    help = (
        "Gives every organisation, or one, a new data key. Earlier ones still open; `seal_at_rest` then "
        "seals what is stored with the new ones. Running processes change over within a minute."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organisation", help="participant identifier; all without it")

    def handle(self, *args: Any, organisation: str | None, **options: Any) -> None:
        rows = DataKey.objects.filter(purpose=DataKey.Purpose.CONTENT, retired_at=None)
        if organisation:
            rows = rows.filter(participant_id=organisation.lower())
            if not rows.exists():
                raise CommandError(f"{organisation} has no data key")
        for participant in rows.values_list("participant_id", flat=True):
            keys.rotate(participant)
            self.stdout.write(f"{participant} has a new data key")
