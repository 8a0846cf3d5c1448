"""Verifies that record bundles are complete and unchanged, with valid evidence."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from mailbox.archive import check_bundle

_TEXTS = {
    "no-zip-file": "is no ZIP file, or ends too early",
    "twice": "is in the archive more than once",
    "unsafe-path": "has a path that leads out of the archive",
    "missing": "is missing",
    "unreadable": "cannot be read as what it should be",
    "not-listed": "is not in the manifest",
    "changed": "is not what the manifest says",
    "signature": "has no valid signature",
    "of-another-message": "belongs to another message",
}


class Command(BaseCommand):
    help = (
        "Checks record bundles: hashes, completeness, signatures of envelopes and message receipts. A "
        "line a fault: FILE: PATH: TEXT. Ends with 0 when all are sound, 1 when one is not, 2 when a file "
        "cannot be read."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        verdict = 0
        for path in options["files"]:
            try:
                with path.open("rb") as source:
                    faults = check_bundle(source)
            except OSError as error:
                self.stderr.write(f"{path}: cannot be read: {error.strerror}")
                verdict = 2
                continue
            for fault in faults:
                self.stdout.write(f"{path}: {fault.path or '-'}: {_TEXTS[fault.code]}")
            if faults:
                verdict = max(verdict, 1)
            else:
                self.stdout.write(f"{path}: sound")
        sys.exit(verdict)
