"""Name what came in or went out after a backup: what log lines tell of and the database does not know."""

import sys
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sdkportal.backup.missing_transfers import missing_transfers

_WHAT = {
    "received": "came in and was answered with a receipt: ask the sender to send it again",
    "delivered": "was delivered to the recipient: it is not in its conversation here",
    "sent": "was sent, perhaps without effect",
}


class Command(BaseCommand):
    help = (
        "Reads log lines (files, or standard input) and names the transfers in them that the database does "
        "not know: after a backup was restored, what came in or went out since. Ends with 0 if there are "
        "none, else with 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="*", metavar="FILE")
        parser.add_argument(
            "--since", type=datetime.fromisoformat, metavar="TIME", help="ISO 8601, with zone"
        )

    def handle(self, *args: Any, files: list[str], since: datetime | None, **options: Any) -> None:
        if since is not None and since.tzinfo is None:
            raise CommandError("--since takes a time with its zone, as 2026-11-30T12:00:00+01:00.")
        missing = missing_transfers(self._lines(files), since=since)
        for transfer in missing:
            self.stdout.write(
                f"{transfer.at:%Y-%m-%dT%H:%M:%SZ} {transfer.as4_message_id} from {transfer.sender} to "
                f"{transfer.recipient}, conversation {transfer.conversation_id}: {_WHAT[transfer.kind]}"
            )
        if missing:
            raise CommandError(f"{len(missing)} transfers are not in the database.")
        self.stdout.write("The database knows every transfer that the lines tell of.")

    def _lines(self, files: list[str]) -> Any:
        if not files:
            yield from sys.stdin
        for name in files:
            try:
                with open(name, encoding="utf-8", errors="replace") as source:
                    yield from source
            except OSError as error:
                raise CommandError(f"{name} cannot be read: {error.strerror}.") from None
