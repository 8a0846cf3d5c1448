"""Verify a backup by restoring it into a scratch place and opening everything in it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from sdkportal.backup import arguments


class Command(BaseCommand):
    help = (
        "Restores a backup set into an empty scratch database and a scratch directory, opens every file and "
        "text in it, and verifies the access logs. Ends with 0 if all is sound. The keys of the node "
        "(SDK_WRAPPING_KEY or the token) have to be those of the backup."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        arguments.add_target(parser)
        arguments.add_identity(parser)
        parser.add_argument(
            "--scratch-database", required=True, metavar="URL", help="an empty database, which is filled"
        )
        arguments.add_set(parser)

    def handle(
        self,
        *args: Any,
        target: str | None,
        identity: Path,
        scratch_database: str,
        name: str,
        digest: str,
        **options: Any,
    ) -> None:
        place = target or settings.SDK_BACKUP_TARGET
        with tempfile.TemporaryDirectory(prefix="verify-", dir=settings.SDK_WORK_DIR) as scratch:
            self._run(
                scratch,
                scratch_database,
                "restore",
                *([place] if place else []),
                f"--identity={identity.absolute()}",
                f"--set={name}",
                f"--digest={digest}",
            )
            self._run(scratch, scratch_database, "check_stored")

    def _run(self, scratch: str, database: str, *arguments: str) -> None:
        """Run a command of ours on the scratch place; its output is ours."""
        environment = {
            name: value
            for name, value in os.environ.items()
            # The payloads go to the scratch directory, not into the node's bucket.
            if name not in {"SDK_S3_BUCKET", "SDK_DATABASE_URL_FILE", "SDK_DATABASE_PASSWORD_FILE"}
        }
        environment |= {"SDK_DATABASE_URL": database, "SDK_DATA_DIR": scratch}
        program = [sys.executable, "-m", "django", *arguments]
        finished = subprocess.run(  # noqa: S603 - ourselves
            program, env=environment, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, check=False
        )
        self.stdout.write(finished.stdout.decode(errors="replace").rstrip())
        if finished.returncode:
            raise CommandError(f"{arguments[0]} failed on the scratch place: the backup is not verified.")
