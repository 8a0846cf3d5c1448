"""Overdue receipts: the sender sees that one is missing; it is no rejection, and a late one still counts."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from transport.message_service import transitions
from transport.message_service.models import OutgoingMessage


def for_transport_receipt() -> datetime:
    """Until when a message that is ordered now should have reached the recipient's organisation."""
    return timezone.now() + timedelta(seconds=settings.SDK_TRANSPORT_DEADLINE_SECONDS)


def for_message_receipt() -> datetime:
    """Until when the message receipt should have come for what has got there now."""
    return timezone.now() + timedelta(seconds=settings.SDK_RECEIPT_DEADLINE_SECONDS)


def mark_overdue(limit: int = 100) -> int:
    """Mark messages that a receipt is overdue for; how many."""
    return _mark("transport_due_at", _no_transport_receipt, limit) + _mark(
        "receipt_due_at", _no_message_receipt, limit
    )


def _mark(due: str, mark: Callable[[OutgoingMessage], None], limit: int) -> int:
    is_overdue = {f"{due}__lte": timezone.now()}
    marked = 0
    for key in list(OutgoingMessage.objects.filter(**is_overdue).values_list("pk", flat=True)[:limit]):
        with transaction.atomic():
            rows = OutgoingMessage.objects.select_for_update(skip_locked=True)
            row = rows.filter(pk=key, **is_overdue).first()
            if row is None:
                continue
            setattr(row, due, None)
            mark(row)
            transitions.save_and_notify(row)
            marked += 1
    return marked


def _no_transport_receipt(row: OutgoingMessage) -> None:
    row.transport_missing_at = timezone.now()
    transitions.record_event(row, transitions.TRANSPORT_RECEIPT_MISSING)


def _no_message_receipt(row: OutgoingMessage) -> None:
    row.receipt_missing_at = timezone.now()
    transitions.record_event(row, transitions.RECEIPT_MISSING)
