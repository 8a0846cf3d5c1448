"""Arrivals that were set aside, and testing the connection to a counterpart."""

from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from mailbox import access_log
from mailbox.access import Viewer, administered_by
from mailbox.models import Person
from transport.access_point.api import Tried
from transport.access_point.api import ping as pinging
from transport.message_service.api import IncomingMessage, Organisation, ParticipantId, dead_letters


def arrivals_set_aside(person: Viewer) -> QuerySet[IncomingMessage]:
    """Arrivals that were set aside in the organisations that the person administers."""
    return dead_letters.dead_letters(administered_by(person))


def count_set_aside() -> int:
    """How many arrivals are set aside in the whole node; for monitoring."""
    return dead_letters.dead_letters().count()


def retry(actor: Person, row: IncomingMessage) -> None:
    """Have an arrival validated again; recorded in the access log. Raises `dead_letters.NotDeadLetter`."""
    with transaction.atomic():
        dead_letters.retry(row.pk, actor=actor.name)
        _record(actor, "arrival-retried", row.pk, row.organisation.participant_id)


def refuse(actor: Person, row: IncomingMessage) -> None:
    """Have an arrival rejected; recorded in the access log. Raises `dead_letters.NotDeadLetter`."""
    with transaction.atomic():
        dead_letters.reject(row.pk, actor=actor.name)
        _record(actor, "arrival-refused", row.pk, row.organisation.participant_id)


def ping(organisation: Organisation, recipient: ParticipantId) -> list[Tried]:
    """Test the steps towards a counterpart, up to the first that fails."""
    return list(pinging.ping(organisation.participant, recipient))


def _record(actor: Person, what: str, key: UUID, participant: str) -> None:
    access_log.record(actor, what, participant, arrival=str(key))
