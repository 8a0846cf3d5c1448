"""Counts the sums of each day anew, which statistics by department are made of."""

from typing import Any

from django.core.management.base import BaseCommand

from mailbox.daily_figures import storage


class Command(BaseCommand):
    help = (
        "Counts the figures of every mailbox and day anew. A worker does so every night. What was counted of "
        "erased conversations is kept."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        count = storage.recount_all()
        self.stdout.write(f"{count} mailboxes counted")
