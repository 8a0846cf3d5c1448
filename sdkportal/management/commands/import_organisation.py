"""Import an organisation that another installation has exported."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sdkportal.backup.errors import BackupError
from sdkportal.backup.targets import target_at
from sdkportal.leaving import importing
from sdkportal.leaving.errors import LeavingError
from sdkportal.leaving.key_files import Keys, read_keys
from sdkportal.leaving.manifests import Manifest
from sdkportal.leaving.people import read_claims
from sdkportal.leaving.sealed_files import identities_in


class Command(BaseCommand):
    help = (
        "Verifies an export of an organisation and imports it, whole or not at all (docs/leaving.md). "
        "Running it again goes on after an interruption, and changes nothing after an import."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", help="the export: a directory, or s3://BUCKET/PREFIX")
        parser.add_argument(
            "--key", type=Path, required=True, metavar="FILE", help="file with the private key"
        )
        parser.add_argument(
            "--digest", default="", help="the export's digest, as `export_organisation` printed it"
        )
        parser.add_argument(
            "--keys", type=Path, metavar="FILE", help="file with the organisation's private keys"
        )
        parser.add_argument("--keys-key", type=Path, metavar="FILE", help="the private key that opens it")
        parser.add_argument(
            "--people", type=Path, metavar="FILE", help="CSV with person;claim: by what people log in here"
        )
        parser.add_argument("--check", action="store_true", help="verify, and import nothing")
        parser.add_argument(
            "--abandon",
            action="store_true",
            help="remove what an interrupted import has stored, and import nothing",
        )

    def handle(
        self,
        *args: Any,
        directory: str,
        key: Path,
        digest: str,
        keys: Path | None,
        keys_key: Path | None,
        people: Path | None,
        check: bool,
        abandon: bool,
        **options: Any,
    ) -> None:
        if (keys is None) != (keys_key is None):
            raise CommandError("--keys and --keys-key belong together.")
        try:
            target, identities = target_at(directory), identities_in(key)
            if check:
                manifest = importing.verify(target, identities, digest=digest)
                self.stdout.write(
                    f"{manifest.participant_id}: sound, {manifest.row_count} rows, "
                    f"{manifest.file_count} files, digest {manifest.digest}"
                )
                return
            if abandon:
                self.stdout.write(f"{importing.abandon(target, identities)} files removed")
                return
            imported = importing.import_organisation(
                target,
                identities,
                digest=digest,
                keys=_reader(keys, keys_key),
                claims=read_claims(people),
                report=self.stderr.write,
            )
        except (LeavingError, BackupError) as error:
            raise CommandError(str(error)) from None
        if imported.was_there:
            self.stdout.write("This export was imported before; nothing was changed.")
            return
        self.stdout.write(f"{imported.rows} rows and {imported.files} files imported")
        if imported.unidentified:
            self.stdout.write(
                f"{imported.unidentified} people cannot log in: --people did not name their claims"
            )
        self.stdout.write("The search index and the figures of each day are made by the workers.")


def _reader(file: Path | None, key: Path | None) -> Callable[[Manifest], Keys] | None:
    if file is None or key is None:
        return None
    target, identities = target_at(str(file.absolute().parent)), identities_in(key)
    return lambda manifest: read_keys(target, file.name, identities, manifest)
