"""Adds an external message client, or changes its functions and scopes."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from transport.message_api.clients import registration
from transport.message_api.clients.scopes import Scope

SHORT = {scope.value.rpartition(":")[2]: scope.value for scope in Scope}


class Command(BaseCommand):
    help = (
        "Adds a message client of an organisation, or changes what is given of it: "
        "add_api_client 0203:habo.se journal.habo.se --function 'sdk:vard-*' --key journal.pem"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("participant", help="the organisation's participant identifier")
        parser.add_argument("client_id", help="a name for the client, such as journal.habo.se")
        parser.add_argument("--name", help="what people call it")
        parser.add_argument(
            "--function",
            action="append",
            metavar="PATTERN",
            help="functions that it may see and act for; * stands for any characters; may be repeated",
        )
        parser.add_argument(
            "--scope",
            action="append",
            choices=sorted(SHORT),
            help="what it may do; all where none is given",
        )
        parser.add_argument("--key", metavar="FILE", help="its public key: PEM, JWK or JWK set")
        parser.add_argument(
            "--webhook", metavar="URL", help="where to tell it to fetch again; '' for nowhere"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        scopes = [SHORT[item] for item in options["scope"]] if options["scope"] else None
        try:
            organisation = registration.organisation_of(options["participant"])
            registered = registration.register(
                organisation,
                options["client_id"],
                name=options["name"],
                auth_ids=options["function"],
                scopes=scopes,
                webhook_url=options["webhook"],
            )
            if options["key"]:
                registration.give_keys(registered.client, registration.read_keys(options["key"]))
        except registration.NotRegistered as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{registered.client} {'added' if registered.is_new else 'changed'}")
        if not registered.client.auth_ids:
            self.stdout.write("it sees no function yet: give --function")
        if not registered.client.keys:
            self.stdout.write("it has no key yet: set_api_client_key")
        if registered.webhook_secret:
            self.stdout.write(f"web hook secret, shown this once: {registered.webhook_secret}")
