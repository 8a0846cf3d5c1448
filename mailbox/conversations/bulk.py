"""One change of many conversations at once, which one click undoes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.utils import timezone

from mailbox.models import Conversation, ConversationEvent, Person

from . import assignment, state_changes

# How many conversations are changed at most.
MOST: Final = 500
Change = Callable[[int, Person], ConversationEvent | None]


@dataclass(frozen=True, slots=True)
class Changed:
    """How many conversations were changed, and the keys of those that were not: they are not registered."""

    count: int
    not_registered: tuple[int, ...] = ()


def change_all(conversation_ids: Iterable[int], person: Person, change: Change) -> Changed:
    """Change each of the conversations that can be changed.

    Conversations that are assigned to somebody else by now, or have been moved to a mailbox that the person
    does not see, are skipped. All changes get the same time, by which `undo.offer_of` finds them together.
    """
    events: list[ConversationEvent] = []
    not_registered: list[int] = []
    with transaction.atomic():
        # Always in the same order, so that two people who change the same ones do not deadlock.
        for key in sorted(set(conversation_ids))[:MOST]:
            try:
                with transaction.atomic():
                    event = change(key, person)
            except state_changes.NotRegistered:
                not_registered.append(key)
                continue
            except (
                assignment.AlreadyAssigned,
                assignment.NotAssigned,
                assignment.NotAMember,
                Conversation.DoesNotExist,
            ):
                continue
            if event is not None:
                events.append(event)
        at = timezone.now()
        ConversationEvent.objects.filter(pk__in=[event.pk for event in events]).update(at=at)
    return Changed(len(events), tuple(not_registered))
