"""Check that everything the node keeps can be opened."""

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sdkportal.backup import checking


class Command(BaseCommand):
    help = (
        "Opens every stored file and encrypted text, and verifies every access log. A line for each that is "
        "not whole. Ends with 0 if all are, else with 1."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        counts: Counter[str] = Counter()
        number = 0
        for fault in checking.faults(counts):
            number += 1
            self.stdout.write(fault)
        kinds = (checking.FILES, checking.TEXTS, checking.LOGS)
        self.stdout.write(f"sound: {', '.join(f'{counts[kind]} {kind}' for kind in kinds)}")
        if number:
            raise CommandError(f"{number} could not be opened or verified.")
