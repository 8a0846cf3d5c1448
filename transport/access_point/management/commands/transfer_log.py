"""Write the transfer log, or what of it answers a question."""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand

from transport.access_point.models import TransferEvent
from transport.access_point.transfer_log import Question, as_csv, as_json_lines, events


class Command(BaseCommand):
    help = (
        "Writes the access point's transfer log (C3.4.6 3.4.1), the oldest event first. ID is an AS4 "
        "MessageId or ConversationId, an envelope's id, a certificate's fingerprint or a participant."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("identity", nargs="?", default="", metavar="ID")
        parser.add_argument("--kind", choices=TransferEvent.Kind.values, default="")
        parser.add_argument("--since", type=_moment, metavar="TIME", help="ISO 8601")
        parser.add_argument("--until", type=_moment, metavar="TIME")
        parser.add_argument("--format", choices=["csv", "jsonl"], default="csv")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = events(Question(options["identity"], options["kind"], options["since"], options["until"]))
        written = as_csv(rows) if options["format"] == "csv" else as_json_lines(rows)
        try:
            for line in written:
                self.stdout.write(line, ending="")
        except BrokenPipeError:
            sys.stderr.close()


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is no time: write 2026-11-24 or 2026-11-24T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
