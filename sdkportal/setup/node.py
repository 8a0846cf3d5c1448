"""What setup makes in the database and beside it: organisations, keys with their requests, first people."""

import io
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import transaction

from mailbox.management.commands.load_mailboxes import load
from mailbox.models import OrganisationRole
from transport.message_service.models import Organisation as OrganisationRow
from transport.message_service.models import OrganisationKey
from transport.message_service.organisations.certificate_requests import request_certificate

from .answers import Answers, Organisation


def make(answers: Answers, directory: Path) -> Iterator[str]:
    """Make what is missing; a line for each thing. Requests for certificates are written to the directory."""
    directory.mkdir(mode=0o700, exist_ok=True)
    yield from _access_point(answers, directory)
    for organisation in answers.organisations:
        row, is_new = OrganisationRow.objects.get_or_create(
            participant_id=organisation.participant.value, defaults={"name": organisation.name}
        )
        yield f"{row.participant_id} {'added' if is_new else 'is there'}"
        yield from _keys(row, organisation.number, directory)
        yield from _people(organisation)


def _access_point(answers: Answers, directory: Path) -> Iterator[str]:
    key = Path(settings.SDK_ACCESS_POINT_KEY)
    if not settings.SDK_ACCESS_POINT_KEY or settings.SDK_DROP_DIR or key.exists():
        return
    out = io.StringIO()
    call_command(
        "request_certificate",
        access_point=answers.access_point,
        operator=answers.operator,
        key=key,
        stdout=out,
    )
    path = directory / "access-point.csr"
    path.write_text(out.getvalue())
    yield f"the access point's key is made; the request for its certificate is {path}"


def _keys(row: OrganisationRow, number: str, directory: Path) -> Iterator[str]:
    """A key and a request for each purpose that has neither."""
    for purpose in OrganisationKey.Purpose:
        if row.keys.filter(purpose=purpose).exists():
            continue
        request = row.certificate_requests.filter(purpose=purpose).first()
        if request is None:
            request = request_certificate(row, purpose, number=number)
        name = f"{row.participant_id.replace(':', '-')}-{purpose}.csr".replace("/", "-")
        (directory / name).write_text(request.request)
        yield f"{row.participant_id}: the request for its {purpose} certificate is {directory / name}"


def _people(organisation: Organisation) -> Iterator[str]:
    """The first people and their mailboxes; nobody gets back what administrators have taken away since."""
    participant = organisation.participant.value
    if OrganisationRole.objects.filter(participant_id=participant).exists():
        yield f"{participant}: people are there; its administrators look after them"
        return
    people = [
        {
            "subject": person.subject,
            "name": person.name,
            "mailboxes": person.mailboxes,
            "manager": person.is_manager,
            "administrator": person.is_administrator,
            "auditor": person.is_auditor,
        }
        for person in organisation.people
    ]
    mailboxes = [{"address": address, "name": name} for address, name in organisation.mailboxes.items()]
    with transaction.atomic():
        load({"organisation": participant, "mailboxes": mailboxes, "people": people})
    yield f"{participant}: {len(mailboxes)} mailboxes, {len(people)} people"
