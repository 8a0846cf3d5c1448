"""Restore a node from a backup."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from sdkportal.backup import arguments, keys
from sdkportal.backup.errors import BackupError
from sdkportal.backup.restoring import restore
from sdkportal.backup.targets import target_at


class Command(BaseCommand):
    help = (
        "Restores a backup set into the empty database and the empty storage of the settings, and ends the "
        "logins of before. Nothing of the node may run meanwhile."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        arguments.add_target(parser)
        arguments.add_identity(parser)
        arguments.add_set(parser)

    def handle(
        self, *args: Any, target: str | None, identity: Path, name: str, digest: str, **options: Any
    ) -> None:
        try:
            place = target_at(target or settings.SDK_BACKUP_TARGET)
            identities = keys.identities(identity)
            manifest = restore(place, identities, name=name, digest=digest, report=self.stderr.write)
        except BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"set {manifest.name} restored: {len(manifest.files)} files")
        if manifest.missing:
            self.stdout.write(f"{len(manifest.missing)} files were missing when it was made")
        last = manifest.last_transfer
        self.stdout.write(
            f"The last transfer in it was logged at {last.isoformat()}." if last else "It has no transfers."
        )
        self.stdout.write(
            "Next: run migrate, grants.sql where the database has two roles, check_stored, and "
            "find_missing_transfers with the log files since then."
        )
