"""One change of many conversations at once, which one press undoes."""

from collections.abc import Callable, Iterable
from typing import Final

from django.db import transaction
from django.utils import timezone

from mailbox.models import Conversation, ConversationEvent, Person

from . import assignment

# What one press changes at most.
MOST: Final = 500
Change = Callable[[int, Person], ConversationEvent | None]


def change_all(conversation_ids: Iterable[int], person: Person, change: Change) -> int:
    """Change each of the conversations, as far as it can be; how many were changed.

    What somebody else has been assigned meanwhile, or what is in a mailbox that the person does not see any
    more, is left as it is. All changes get one time, by which they are undone together (`undo.offer_of`).
    """
    events: list[ConversationEvent] = []
    with transaction.atomic():
        # In one order, so that two who do the same do not wait for each other.
        for key in sorted(set(conversation_ids))[:MOST]:
            try:
                with transaction.atomic():
                    event = change(key, person)
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
    return len(events)
