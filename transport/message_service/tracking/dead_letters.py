"""Dead letters: inbound messages whose validation failed SDK_JUDGING_FAILURES times with unforeseen errors.

They are counted and shown to administrators, who have them validated again, or rejected.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from transport.message_service import inbound
from transport.message_service.models import Event, IncomingMessage
from transport.message_service.states import IncomingState


class NotDeadLetter(Exception):
    """The message is not, or no longer, a dead letter."""


def dead_letters(participants: Iterable[str] | None = None) -> QuerySet[IncomingMessage]:
    """The dead letters of these organisations, or of all (None); the longest waiting first."""
    rows = IncomingMessage.objects.filter(state=IncomingState.ERROR)
    if participants is not None:
        rows = rows.filter(organisation__participant_id__in=list(participants))
    return rows.select_related("organisation").order_by("arrived_at", "pk")


def errors_of(rows: Iterable[IncomingMessage]) -> dict[UUID, str]:
    """Which error made each of them a dead letter: its type and line, as `RuntimeError opening.py:12`.

    Nothing of those that became one before that was kept.
    """
    events = Event.objects.filter(incoming__in=[row.pk for row in rows], name=IncomingState.ERROR)
    causes = dict(events.order_by("pk").values_list("incoming", "cause"))
    return {key: detail for key, cause in causes.items() if (detail := cause.partition(": ")[2])}


def retry(key: UUID, *, actor: str) -> None:
    """Have a dead letter validated once more, with as many attempts as at first. Raises `NotDeadLetter`."""
    _reopen(key, actor, rejection_ordered_by="")


def reject(key: UUID, *, actor: str) -> None:
    """Have a dead letter rejected, whatever is in it. Raises `NotDeadLetter`.

    Its sender gets a REJECTED receipt where it is proven who that is.
    """
    _reopen(key, actor, rejection_ordered_by=actor[:200])


def _reopen(key: UUID, actor: str, *, rejection_ordered_by: str) -> None:
    with transaction.atomic():
        row = IncomingMessage.objects.select_for_update().filter(pk=key, state=IncomingState.ERROR).first()
        if row is None:
            raise NotDeadLetter
        inbound.reopen_dead_letter(row, actor=actor, rejection_ordered_by=rejection_ordered_by)
