"""Sets which message clients a function is routed to."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from transport.message_api.clients import function_patterns, registration, routing
from transport.message_api.models import FunctionRoute


class Command(BaseCommand):
    help = "Routes a function address to the built-in client, to external ones, or both; from now on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("participant", help="the organisation's participant identifier")
        parser.add_argument("function_address")
        parser.add_argument("to", choices=FunctionRoute.To.values)

    def handle(self, *args: Any, **options: Any) -> None:
        function = options["function_address"].strip()
        try:
            organisation = registration.organisation_of(options["participant"])
        except registration.NotRegistered as error:
            raise CommandError(str(error)) from None
        to = FunctionRoute.To(options["to"])
        routing.set_route(organisation, function, to)
        self.stdout.write(f"{organisation} {function} -> {to}")
        clients = organisation.api_clients.filter(is_active=True)
        if routing.is_external(to) and not any(
            function_patterns.matches(client.auth_ids, function) for client in clients
        ):
            self.stdout.write("no API client may see it yet: its messages wait until one does")
