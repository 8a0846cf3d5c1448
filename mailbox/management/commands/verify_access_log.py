"""Verifies that the access log is complete and unchanged."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mailbox import access_log
from mailbox.models import AccessLogHead

_WHAT = {
    "missing": "is missing",
    "not-chained": "does not follow the entry before it",
    "changed": "has been changed",
    "not-as-kept": "is not the entry that was kept",
    "not-as-imported": "is not the entry that another installation made",
    "cut-off": "and what came after it has been cut off",
}


class Command(BaseCommand):
    help = (
        "Checks the access log's chain of every organisation. A line a fault: ORGANISATION: NUMBER: TEXT, "
        "and for each sound chain its head, to be kept elsewhere. Ends with 0 when all are sound, else 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organisations", nargs="*", metavar="ORGANISATION")
        parser.add_argument(
            "--kept",
            metavar="NUMBER:DIGEST",
            help="a head that was kept, of the one organisation that is named",
        )

    def handle(self, *args: Any, organisations: list[str], kept: str | None, **options: Any) -> None:
        chosen = organisations or sorted(access_log.organisations())
        is_sound = True
        for participant_id in chosen:
            faults = list(access_log.verify(participant_id, expected=_head(kept, chosen)))
            for fault in faults:
                self.stdout.write(f"{participant_id}: {fault.number}: {_WHAT[fault.what]}")
            if faults:
                is_sound = False
            else:
                head = AccessLogHead.objects.get(participant_id=participant_id)
                self.stdout.write(f"{participant_id}: sound, head {head.number}:{head.digest}")
        sys.exit(0 if is_sound else 1)


def _head(kept: str | None, chosen: list[str]) -> tuple[int, str] | None:
    if kept is None:
        return None
    number, _, digest = kept.partition(":")
    if len(chosen) != 1 or not number.isdigit() or not digest:
        raise CommandError("--kept takes NUMBER:DIGEST, and one organisation")
    return int(number), digest
