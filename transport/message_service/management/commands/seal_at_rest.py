"""Seal what is stored in the clear, or under a data key that has been retired."""

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from transport.message_service.organisations.organisation_keys import drop_passphrases
from transport.storage.encryption.resealing import REFUSED, seal_all


class Command(BaseCommand):
    help = (
        "Seals texts, files and private keys with each organisation's data key of now. It may be stopped and "
        "run again, while the node runs; when it says 0, nothing is in the clear."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        counts: Counter[str] = Counter()
        for refused in seal_all(counts):
            self.stderr.write(f"refused: {refused}")
        keys = drop_passphrases()
        self.stdout.write(
            f"sealed {counts['texts']} texts, {counts['files']} files, {keys} private keys; "
            f"{counts['files that are gone']} files are gone"
        )
        if counts[REFUSED]:
            raise CommandError(f"{counts[REFUSED]} rows were refused; see docs/keys.md")
