"""Export an organisation, for another installation to import."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sdkportal.backup.errors import BackupError
from sdkportal.backup.targets import target_at
from sdkportal.leaving.errors import LeavingError
from sdkportal.leaving.exporting import KeyTarget, export_organisation
from sdkportal.leaving.sealed_files import recipients_in


class Command(BaseCommand):
    help = (
        "Exports everything of an organisation to a directory, encrypted to the public key of whoever "
        "receives it (docs/leaving.md). Ends with 0; with 1 if nothing was exported, or storage lacks a file "
        "that a row names."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("participant", help="the organisation's identifier, 0203:example.se")
        parser.add_argument("directory", help="a new directory, or s3://BUCKET/PREFIX")
        parser.add_argument(
            "--public-key",
            type=Path,
            required=True,
            metavar="FILE",
            help="file with the receiver's age1... key",
        )
        parser.add_argument(
            "--with-keys",
            type=Path,
            metavar="FILE",
            help="write the private keys of the organisation to FILE",
        )
        parser.add_argument(
            "--keys-public-key", type=Path, metavar="FILE", help="the key that those are encrypted to"
        )
        parser.add_argument(
            "--although-under-way", action="store_true", help="although messages are on their way"
        )

    def handle(
        self,
        *args: Any,
        participant: str,
        directory: str,
        public_key: Path,
        with_keys: Path | None,
        keys_public_key: Path | None,
        although_under_way: bool,
        **options: Any,
    ) -> None:
        if (with_keys is None) != (keys_public_key is None):
            raise CommandError("--with-keys and --keys-public-key belong together.")
        try:
            keys = None
            if with_keys is not None and keys_public_key is not None:
                if with_keys.exists():
                    raise CommandError(f"{with_keys} exists.")
                recipients = recipients_in(keys_public_key)
                keys = KeyTarget(target_at(str(with_keys.absolute().parent)), with_keys.name, recipients)
            made = export_organisation(
                participant,
                target_at(directory),
                recipients_in(public_key),
                keys=keys,
                although_under_way=although_under_way,
                report=self.stderr.write,
            )
        except (LeavingError, BackupError) as error:
            raise CommandError(str(error)) from None
        manifest = made.manifest
        self.stdout.write(
            f"{participant}: {manifest.row_count} rows, {manifest.file_count} files, digest {manifest.digest}"
        )
        for kind, count in manifest.under_way.items():
            self.stdout.write(f"under way: {count} {kind}")
        if made.missing:
            for name in made.missing:
                self.stderr.write(f"missing in storage: {name}")
            raise CommandError(f"{len(made.missing)} files that rows name are not in storage.")
