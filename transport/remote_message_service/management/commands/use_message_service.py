"""Registers another supplier's message service, and has functions use it."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from transport.message_service.models import Organisation
from transport.remote_message_service import registration
from transport.remote_message_service.models import RemoteService

_WHY = {
    "address": "an address is not allowed: it has to begin with https://, and see SDK_PRIVATE_NETWORKS",
    "authorities": "the file holds no certificates in PEM",
    "function-taken": "another message service has one of the functions",
}


class Command(BaseCommand):
    help = (
        "Has functions of an organisation use another message service by its API (B1.4.2). "
        "First without --on: it shows our public key, which is registered there; then with --try, and with "
        "--on. See docs/remote-message-service.md: use_message_service 0203:habo.se leverantoren --address "
        "https://sdk.example/v1 --client-id brevlada.habo.se --function sdk:vard:0203:habo.se"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("participant", help="the organisation's participant identifier")
        parser.add_argument("name", help="what the service is called here")
        parser.add_argument("--address", metavar="URL", help="of the API, without /sdk/messages")
        parser.add_argument(
            "--token-address", metavar="URL", help="the token endpoint; the API's address and /token else"
        )
        parser.add_argument("--client-id", help="what we are called there")
        parser.add_argument("--ca", metavar="FILE", help="certificates (PEM) that its server is trusted by")
        parser.add_argument(
            "--function", action="append", metavar="ADDRESS", help="a function that uses it; may be repeated"
        )
        parser.add_argument("--all-functions", action="store_true", help="all functions of the organisation")
        parser.add_argument("--new-key", action="store_true", help="make a new key")
        parser.add_argument("--try", action="store_true", dest="is_tried", help="ask for a token and a list")
        switch = parser.add_mutually_exclusive_group()
        switch.add_argument("--on", action="store_true", help="use it from now on")
        switch.add_argument("--off", action="store_true", help="messages wait until it is turned on again")

    def handle(self, *args: Any, **options: Any) -> None:
        organisation = Organisation.objects.filter(
            participant_id=options["participant"].strip().lower()
        ).first()
        if organisation is None:
            raise CommandError(f"{options['participant']} is not added; run add_organisation first")
        try:
            service = self._registered(organisation, options)
            if options["function"] or options["all_functions"]:
                registration.bind(service, options["function"] or [], has_all=options["all_functions"])
        except registration.NotRegistered as refused:
            raise CommandError(_WHY.get(refused.reason, refused.reason)) from None
        if options["new_key"]:
            registration.renew_key(service)
        service.refresh_from_db()
        self.stdout.write("public key: " + json.dumps(service.public_key))
        if options["is_tried"]:
            self._try(service)
        if options["on"]:
            registration.turn_on(service)
        if options["off"]:
            registration.turn_off(service)
        service.refresh_from_db()
        self._tell(service)

    def _registered(self, organisation: Organisation, options: dict[str, Any]) -> RemoteService:
        service = RemoteService.objects.filter(organisation=organisation, name=options["name"]).first()
        if service is None and not (options["address"] and options["client_id"]):
            raise CommandError("a service that is new needs --address and --client-id")
        given = [options[name] for name in ("address", "token_address", "client_id", "ca")]
        if service is not None and not any(given):
            return service
        address = options["address"] or (service.address if service else "")
        client_id = options["client_id"] or (service.client_id if service else "")
        known = (
            service.token_address if service and not options["address"] else f"{address.rstrip('/')}/token"
        )
        token_address = options["token_address"] or known
        authorities = service.authorities if service else ""
        if options["ca"]:
            try:
                authorities = Path(options["ca"]).read_text()
            except (OSError, ValueError):
                raise CommandError(f"{options['ca']} cannot be read") from None
        values = {
            "address": address,
            "token_address": token_address,
            "client_id": client_id,
            "authorities": authorities,
        }
        if service is None:
            return registration.register(organisation, options["name"], **values)
        registration.change_addresses(service, **values)
        return service

    def _try(self, service: RemoteService) -> None:
        for tried in registration.try_out(service):
            self.stdout.write(f"{tried.step}: {tried.problem or 'ok'}")

    def _tell(self, service: RemoteService) -> None:
        functions = list(service.functions.values_list("function_address", flat=True))
        using = "all functions" if service.has_all_functions else ", ".join(functions) or "no function"
        queue = registration.queue_of(service)
        self.stdout.write(
            f"{service.name}: {'on' if service.is_active else 'off'}; {using}; "
            f"{queue.waiting_out} to hand over, "
            f"{queue.followed} followed, {queue.waiting_in} to fetch, {queue.set_aside} set aside"
        )
