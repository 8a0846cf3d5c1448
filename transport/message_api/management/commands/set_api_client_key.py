"""Gives an API client a public key, or revokes one."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from transport.message_api.clients import registration


class Command(BaseCommand):
    help = "Adds a public key (PEM, JWK or JWK set) beside those that an API client has, for renewal."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("client_id")
        group = parser.add_mutually_exclusive_group(required=True)
        group.add_argument("--key", metavar="FILE", help="the key to add")
        group.add_argument("--only", metavar="FILE", help="the key that replaces all others")
        group.add_argument("--remove", metavar="KID", help="the id of the key that is not taken any more")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            client = registration.client_of(options["client_id"])
            if options["remove"]:
                registration.revoke_key(client, options["remove"])
            else:
                keys = registration.read_keys(options["key"] or options["only"])
                registration.give_keys(client, keys, replace=bool(options["only"]))
        except registration.NotRegistered as error:
            raise CommandError(str(error)) from None
        for key in client.keys:
            self.stdout.write(f"{client} {key['kty']} {key['kid']}")
