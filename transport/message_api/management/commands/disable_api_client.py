"""Disables an external message client and its tokens, at once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from transport.message_api.clients import registration


class Command(BaseCommand):
    help = "Disables an API client at once, with the tokens that it has; --enable takes it in again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("client_id")
        parser.add_argument("--enable", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            client = registration.client_of(options["client_id"])
        except registration.NotRegistered as error:
            raise CommandError(str(error)) from None
        registration.set_active(client, is_active=options["enable"])
        self.stdout.write(f"{client} {'enabled' if client.is_active else 'disabled'}")
