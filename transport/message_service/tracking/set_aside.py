"""Arrivals that could not be judged: set aside after SDK_JUDGING_FAILURES errors that nobody foresaw.

They are counted and shown to administrators, who have them tried again, or refused.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from transport.jobs import task_named, wake
from transport.message_service import transitions
from transport.message_service.models import IncomingMessage
from transport.message_service.states import IncomingState


class NotSetAside(Exception):
    """The arrival is not, or no longer, among those that were set aside."""


def arrivals(participants: Iterable[str] | None = None) -> QuerySet[IncomingMessage]:
    """Those of these organisations, of all where none are named; the longest waiting first."""
    rows = IncomingMessage.objects.filter(state=IncomingState.ERROR)
    if participants is not None:
        rows = rows.filter(organisation__participant_id__in=list(participants))
    return rows.select_related("organisation").order_by("arrived_at", "pk")


def retry(key: UUID, *, actor: str) -> None:
    """Have it judged once more, with as many attempts as at first. Raises `NotSetAside`."""
    _again(key, actor, refused_by="")


def refuse(key: UUID, *, actor: str) -> None:
    """Have it refused, whatever is in it: its sender is told, where it is proven who that is.

    Raises `NotSetAside`.
    """
    _again(key, actor, refused_by=actor[:200])


def _again(key: UUID, actor: str, *, refused_by: str) -> None:
    with transaction.atomic():
        row = IncomingMessage.objects.select_for_update().filter(pk=key, state=IncomingState.ERROR).first()
        if row is None:
            raise NotSetAside
        transitions.transition_incoming(row, IncomingState.ARRIVED, cause=transitions.BY_HAND, actor=actor)
        row.refused_by, row.failures, row.attempts = refused_by, 0, 0
        row.due_at = timezone.now()
        row.save()
        wake(task_named("transport.message_service.tasks.validate_inbound"), row.pk)
