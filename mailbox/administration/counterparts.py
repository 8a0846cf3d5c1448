"""Arrivals that were set aside, the mail about them, and testing the connection to a counterpart."""

from typing import Final
from uuid import UUID

import redis
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from mailbox import access_log, fault_isolation
from mailbox.access import Viewer, administered_by
from mailbox.models import Person
from transport import mail, queues
from transport.access_point.api import Tried
from transport.access_point.api import ping as pinging
from transport.message_service.api import IncomingMessage, Organisation, ParticipantId, dead_letters

from .alarms import alarm_addresses, mail_alarm

_REPEAT_SECONDS: Final = 86400


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


def send_alarms() -> None:
    """Mail administrators about arrivals that were set aside: soon, and daily while they wait.

    What an organisation has been told of is kept at the broker; where that was lost, it is told again.
    """
    waiting: dict[str, list[UUID]] = {}
    for key, participant in dead_letters.dead_letters().values_list("pk", "organisation__participant_id"):
        waiting.setdefault(participant, []).append(key)
    fault_isolation.count_each(_send_alarm, list(waiting.items()))


def _send_alarm(waiting: tuple[str, list[UUID]]) -> int:
    participant, keys = waiting
    client = queues.broker()
    if client is None:
        return 0
    try:
        new = [key for key in keys if client.set(_told_key(key), 1, nx=True, ex=_REPEAT_SECONDS)]
    except redis.RedisError:
        # They are told when the broker answers, rather than in every round until then.
        return 0
    if new:
        try:
            _mail_alarm(participant, len(keys))
        except mail.NothingSent:
            client.delete(*map(_told_key, new))
            raise
    return len(new)


def _told_key(key: UUID) -> str:
    return f"sdkportal:told:{key}"


def _mail_alarm(participant: str, count: int) -> None:
    """Send the mail, which tells how many there are and has a link; no word of content, and no sender."""
    with override(settings.LANGUAGE_CODE):
        subject = _("Inkomna meddelanden kunde inte behandlas")
        text = ngettext(
            "%(n)d inkommet meddelande har lagts åt sidan på grund av ett fel i systemet. Se Administration, "
            "Motparter.",
            "%(n)d inkomna meddelanden har lagts åt sidan på grund av ett fel i systemet. Se Administration, "
            "Motparter.",
            count,
        ) % {"n": count}
    mail_alarm(alarm_addresses(participant), subject, text, reverse("administration-counterparts"))


def ping(organisation: Organisation, recipient: ParticipantId) -> list[Tried]:
    """Test the steps towards a counterpart, up to the first that fails."""
    return list(pinging.ping(organisation.participant, recipient))


def _record(actor: Person, what: str, key: UUID, participant: str) -> None:
    access_log.record(actor, what, participant, arrival=str(key))
