"""Sets the catch-all mailbox of an organisation, and the way of messages within the node."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mailbox.administration import routing
from mailbox.models import FunctionMailbox
from transport.message_service.api import Organisation


class Command(BaseCommand):
    help = (
        "Sets, and tells, where an organisation's messages go: set_routing 0203:habo.se --way inside "
        "--catch-all FUNCTION-ADDRESS. What is not given stays as it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("participant", help="participant identifier, such as 0203:habo.se")
        parser.add_argument(
            "--way",
            choices=["inside", "out-and-back"],
            help="what messages between organisations of this node do: stay inside, or go out and back",
        )
        catching = parser.add_mutually_exclusive_group()
        catching.add_argument(
            "--catch-all", metavar="ADDRESS", help="the function whose mailbox takes what nobody serves"
        )
        catching.add_argument("--no-catch-all", action="store_true", help="refuse what nobody serves")

    def handle(self, *args: Any, participant: str, way: str | None, **options: Any) -> None:
        organisation = Organisation.objects.filter(participant_id=participant.lower()).first()
        if organisation is None:
            raise CommandError(f"{participant} is not added; run add_organisation first")
        own = organisation.participant_id
        if options["catch_all"] is not None:
            boxes = FunctionMailbox.objects.filter(participant_id=own, is_open=True)
            mailbox = boxes.filter(address=options["catch_all"]).first()
            if mailbox is None:
                raise CommandError(f"{own} has no open mailbox for {options['catch_all']}")
            routing.set_catch_all(None, own, mailbox)
        elif options["no_catch_all"]:
            routing.set_catch_all(None, own, None)
        if way is not None:
            routing.set_out_and_back(None, organisation, goes_out_and_back=way == "out-and-back")
        organisation.refresh_from_db()
        chosen = routing.catch_all_of(own)
        self.stdout.write(f"way: {'out-and-back' if organisation.goes_out_and_back else 'inside'}")
        self.stdout.write(f"catch-all: {chosen.address if chosen else 'none, refused with a receipt'}")
