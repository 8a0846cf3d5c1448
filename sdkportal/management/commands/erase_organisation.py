"""Erase an organisation that has left."""

import getpass
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sdkportal.backup.errors import BackupError
from sdkportal.backup.targets import target_at
from sdkportal.leaving import erasing
from sdkportal.leaving.errors import LeavingError


def _typed() -> str:
    """What is typed at the terminal; nothing where there is none."""
    with suppress(EOFError):
        return input("Type the organisation's identifier again: ").strip()
    return ""


class Command(BaseCommand):
    help = (
        "Tells what there is of an organisation; with --erase it erases that, after the identifier was typed "
        "again (docs/leaving.md). Rows, stored files and data keys go; a protocol stays in the access log."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("participant", help="the organisation's identifier, 0203:example.se")
        parser.add_argument("--exported", metavar="DIRECTORY", help="the export, which is verified first")
        parser.add_argument("--without-export", action="store_true", help="although nothing was exported")
        parser.add_argument("--erase", action="store_true", help="erase; without it nothing is changed")
        parser.add_argument(
            "--confirm", default="", metavar="PARTICIPANT", help="the identifier, typed again"
        )
        parser.add_argument("--by", default="", metavar="NAME", help="who has ordered it, for the protocol")
        parser.add_argument("--protocol", type=Path, metavar="FILE", help="where the protocol is written to")
        parser.add_argument(
            "--keep-transfer-log", action="store_true", help="keep the transfer log until its time is over"
        )
        parser.add_argument(
            "--although-under-way", action="store_true", help="although messages are on their way"
        )
        parser.add_argument(
            "--although-changed", action="store_true", help="although more has come since the export"
        )

    def handle(
        self,
        *args: Any,
        participant: str,
        exported: str | None,
        without_export: bool,
        erase: bool,
        confirm: str,
        by: str,
        protocol: Path | None,
        keep_transfer_log: bool,
        although_under_way: bool,
        although_changed: bool,
        **options: Any,
    ) -> None:
        try:
            if (before := erasing.erased_before(participant)) is not None:
                self.stdout.write(f"{participant} was erased before.")
                self._show({"participant_id": participant, **before}, protocol)
                return
            if (exported is None) != without_export:
                raise CommandError("Say --exported DIRECTORY, or --without-export.")
            digest = ""
            if exported is not None:
                place = target_at(exported)
                digest = erasing.check_export(participant, place, although_changed=although_changed)
            if not erase:
                for label, count in erasing.counts(participant).items():
                    self.stdout.write(f"{label}: {count}")
                self.stdout.write("Nothing was erased: that takes --erase.")
                return
            if (confirm or _typed()) != participant:
                raise CommandError("The identifier that was typed is another. Nothing was erased.")
            order = erasing.Order(participant, by or getpass.getuser(), digest, keep_transfer_log)
            made = erasing.erase(order, although_under_way=although_under_way, report=self.stderr.write)
        except (LeavingError, BackupError) as error:
            raise CommandError(str(error)) from None
        self._show(made, protocol)

    def _show(self, made: dict[str, Any], path: Path | None) -> None:
        text = json.dumps(made, ensure_ascii=False, indent=1)
        self.stdout.write(text)
        if path is not None:
            path.write_text(f"{text}\n", encoding="utf-8")
