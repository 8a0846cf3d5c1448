"""Make the key pair that backups are encrypted to."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sdkportal.backup.errors import BackupError
from sdkportal.backup.keys import make_key


class Command(BaseCommand):
    help = (
        "Writes a new private key for backups to a file, and prints its public key, which is for "
        "SDK_BACKUP_RECIPIENTS. Keep the file away from the node: it opens every backup, and without it none "
        "can be opened."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            self.stdout.write(make_key(file))
        except (BackupError, OSError) as error:
            raise CommandError(f"No key was made: {error}") from None
