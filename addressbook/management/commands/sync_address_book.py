"""Copy the federation's address book now."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from addressbook.book import BookUnavailable
from addressbook.synchronisation import AlreadyRunning, CopyFailed, CopyRefused, synchronise


class Command(BaseCommand):
    help = "Copies the federation's address book (SDK_ADDRESS_BOOK_URL)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--force", action="store_true", help="even if most of it would disappear")

    def handle(self, *args: Any, force: bool, **options: Any) -> None:
        if not settings.SDK_ADDRESS_BOOK_URL:
            raise CommandError("Set SDK_ADDRESS_BOOK_URL to the address book's base URL.")
        try:
            run = synchronise(settings.SDK_ADDRESS_BOOK_URL, force=force)
        except CopyRefused as error:
            raise CommandError(f"Nothing was changed: {error}. --force takes it all the same.") from None
        except (BookUnavailable, CopyFailed, AlreadyRunning) as error:
            raise CommandError(f"Nothing was changed: {error}.") from None
        self.stdout.write(
            f"{run.added} added, {run.changed} changed, {run.gone} gone, {len(run.skipped)} skipped"
        )
