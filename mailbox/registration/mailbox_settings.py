"""What a mailbox demands of registration, set by those who manage it."""

from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef

from mailbox import access_log, events
from mailbox.models import Conversation, FunctionMailbox, Person, RegisteredMessage

from . import case_numbers

_BATCH: Final = 500
State = Conversation.RegistrationState


def set_registration(actor: Person, mailbox: FunctionMailbox, mode: str, pattern: str) -> None:
    """Set whether messages are to be registered, and the form of the case numbers (empty: any).

    When it begins to be demanded or counted, open conversations count as not registered, and so does what
    comes from then on; what is done already does not. Raises `case_numbers.InvalidPattern`.
    """
    if pattern:
        case_numbers.parse(pattern)
    with transaction.atomic():
        row = FunctionMailbox.objects.select_for_update(no_key=True).get(pk=mailbox.pk)
        row.registration_mode, row.case_number_pattern = mode, pattern
        row.save(update_fields=["registration_mode", "case_number_pattern"])
        access_log.record(
            actor, "registration-set", row.participant_id, mailbox=row, mode=mode, pattern=pattern
        )
    _update_states(row)
    events.announce(mailbox.pk)


def _update_states(mailbox: FunctionMailbox) -> None:
    """Let conversations wait for registration, or no longer; in batches, locked in the order of keys."""
    rows = Conversation.objects.filter(mailbox=mailbox)
    if mailbox.registration_mode:
        rows = rows.filter(state=Conversation.State.OPEN, registration_state=State.NONE)
        state = State.PENDING
    else:
        holding = RegisteredMessage.objects.filter(message__conversation=OuterRef("pk"), is_current=True)
        rows = rows.filter(~Exists(holding), registration_state=State.PENDING)
        state = State.NONE
    last = 0
    while keys := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:_BATCH]):
        with transaction.atomic():
            # Under the lock: what has been registered meanwhile, or moved, is left alone.
            locked = Conversation.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk")
            list(locked.values_list("pk", flat=True))
            rows.filter(pk__in=keys).update(registration_state=state)
        last = keys[-1]
