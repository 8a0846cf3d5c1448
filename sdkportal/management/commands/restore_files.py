"""Bring back stored files from a backup, after the database was restored to a point in time."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from sdkportal.backup import arguments, keys
from sdkportal.backup.errors import BackupError
from sdkportal.backup.restoring import restore_missing_files
from sdkportal.backup.targets import target_at


class Command(BaseCommand):
    help = (
        "Restores the files that the database names and the storage does not have, each from the latest "
        "backup set that has it. Ends with 1 where no set has one."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        arguments.add_target(parser)
        arguments.add_identity(parser)

    def handle(self, *args: Any, target: str | None, identity: Path, **options: Any) -> None:
        try:
            place = target_at(target or settings.SDK_BACKUP_TARGET)
            restored = restore_missing_files(place, keys.identities(identity))
        except BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{restored.number} files brought back")
        for name in restored.missing:
            self.stderr.write(f"in no set: {name}")
        if restored.missing:
            raise CommandError(f"{len(restored.missing)} files that rows name are in no set.")
