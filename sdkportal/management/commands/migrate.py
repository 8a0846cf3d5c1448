"""Django's `migrate`, while a node's processes work on.

A migration that does not get its locks at once is tried again, up to ten minutes: `schema` in
sdkportal/postgresql/ has how it takes them.
"""

import time
from typing import Any, Final

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError
from psycopg.errors import LockNotAvailable

from sdkportal.postgresql.schema import LockingExecutor

_TRY_SECONDS: Final = 600
_PAUSE_SECONDS: Final = 0.5

# Django's command has no other way in.
vars(migrate)["MigrationExecutor"] = LockingExecutor


class Command(migrate.Command):
    """Migrates, and tries a migration again that did not get its locks."""

    def handle(self, *args: Any, **options: Any) -> None:
        deadline = time.monotonic() + _TRY_SECONDS
        while True:
            try:
                super().handle(*args, **options)
                return
            except OperationalError as error:
                if not isinstance(error.__cause__, LockNotAvailable):
                    raise
                if time.monotonic() > deadline:
                    raise CommandError(
                        "A migration has not got its locks in ten minutes, and is undone: something holds "
                        "them, perhaps a backup. Run migrate again when that has ended."
                    ) from error
                self.stdout.write("Others work on these tables: trying again.")
            time.sleep(_PAUSE_SECONDS)
