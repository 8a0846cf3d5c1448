"""Fills an empty node with as many rows as years of use leave, for measurements and for looking at pages."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from testbed.realistic_node import Size, make


class Command(BaseCommand):
    help = "Fills an empty node of the testbed with mailboxes, conversations and an address book, by COPY."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--messages", type=int, default=Size.messages)
        parser.add_argument("--mailboxes", type=int, default=Size.mailboxes)
        parser.add_argument("--functions", type=int, default=Size.functions)

    def handle(self, *args: Any, **options: Any) -> None:
        size = Size(options["messages"], options["mailboxes"], options["functions"])
        try:
            make(size, report=self.stdout.write)
        except ValueError as error:
            raise CommandError(f"{error}: nothing was added") from None
