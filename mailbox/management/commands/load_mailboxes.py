"""Loads mailboxes, people and memberships from a file."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from mailbox.administration.mailboxes import appoint
from mailbox.models import FunctionMailbox, Membership, OrganisationRole, Person
from transport.names import is_name


class Command(BaseCommand):
    help = """Loads function mailboxes, people and memberships; the same again changes nothing.
The file is JSON:
{"organisation": "0203:habo.se",
 "mailboxes": [{"address": "function address", "name": "Name"}],
 "people": [{"subject": "e-ID claim, such as a personal number", "name": "Name",
             "mailboxes": ["function address"], "manager": false,
             "administrator": false, "auditor": false}]}"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            content = json.loads(file.read_text())
            with transaction.atomic():
                boxes, people = load(content)
        except (OSError, ValueError) as error:
            raise CommandError(f"{file} cannot be read: {type(error).__name__}") from None
        except (KeyError, TypeError) as error:
            raise CommandError(f"{file}: {error} is missing or not of its form; see --help") from None
        self.stdout.write(f"{boxes} mailboxes, {people} people")


def load(content: dict[str, Any]) -> tuple[int, int]:
    """Make the mailboxes, people and roles that are not there yet; how many mailboxes and people were named.

    Raises `CommandError` for names that cannot be shown, `KeyError` and `TypeError` for another form.
    """
    participant = content["organisation"]
    for item in (*content["mailboxes"], *content["people"]):
        if not is_name(item["name"]):
            raise CommandError("a name has line breaks or other signs that cannot be shown")
    boxes = {}
    for item in content["mailboxes"]:
        boxes[item["address"]], _ = FunctionMailbox.objects.get_or_create(
            participant_id=participant, address=item["address"], defaults={"name": item["name"]}
        )
    for item in content["people"]:
        person, _ = Person.add(item["subject"], item["name"])
        for address in item.get("mailboxes", ()):
            membership_role = Membership.Role.MANAGER if item.get("manager") else Membership.Role.MEMBER
            Membership.objects.get_or_create(
                person=person, mailbox=boxes[address], defaults={"role": membership_role}
            )
        for role in OrganisationRole.Role:
            if item.get(role.value):
                appoint(participant, person, role)
    return len(boxes), len(content["people"])
