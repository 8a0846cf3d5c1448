"""Indexes messages and notes for searching."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from mailbox.search import index


class Command(BaseCommand):
    help = """Indexes every message and note that searching does not find yet. With --all it indexes all anew
and forgets words that nothing holds any more: after a change of the organisations' search keys, or of how
words are normalised. Searching works meanwhile, and finds what has been indexed."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", dest="anew")

    def handle(self, *args: Any, anew: bool, **options: Any) -> None:
        count = index.rebuild() if anew else index.index_missing(everything=True)
        self.stdout.write(f"{count} messages and notes")
