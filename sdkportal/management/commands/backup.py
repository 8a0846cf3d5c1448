"""Back up the node: its database and its stored files."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from sdkportal.backup import arguments, keys, making
from sdkportal.backup.errors import BackupError
from sdkportal.backup.targets import target_at


class Command(BaseCommand):
    help = (
        "Backs up database and stored files as one consistent set, encrypted to the public keys of "
        "SDK_BACKUP_RECIPIENTS, while the node runs. Files that an earlier set in the same place has are not "
        "written again. Ends with 0; with 1 if nothing was made, or a file that a row names was not there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        arguments.add_target(parser)
        parser.add_argument(
            "--keep", type=int, metavar="N", help="remove all sets but the newest N, and what only those have"
        )

    def handle(self, *args: Any, target: str | None, keep: int | None, **options: Any) -> None:
        if keep is not None and keep < 1:
            raise CommandError("--keep takes a number of at least 1.")
        try:
            place = target_at(target or settings.SDK_BACKUP_TARGET)
            recipients = keys.recipients(settings.SDK_BACKUP_RECIPIENTS)
            made = making.make_backup(place, recipients, report=self.stderr.write)
            removed, unneeded = making.remove_older(place, keep) if keep else ([], 0)
        except BackupError as error:
            raise CommandError(str(error)) from None
        manifest = made.manifest
        self.stdout.write(
            f"set {manifest.name}: {len(manifest.files)} files ({made.files_written} new), "
            f"{made.bytes_written} bytes written, digest {manifest.digest}"
        )
        if removed:
            self.stdout.write(f"removed sets {', '.join(removed)}, and {unneeded} files")
        if manifest.missing:
            for name in manifest.missing:
                self.stderr.write(f"missing in storage: {name}")
            raise CommandError(f"{len(manifest.missing)} files that rows name are not in storage.")
