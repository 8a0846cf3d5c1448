"""Receipts that do not come: told to the sender, never taken for a rejection."""

from django.db import transaction
from django.utils import timezone

from . import history
from .models import OutgoingMessage


def watch(limit: int = 100) -> int:
    """Mark messages whose receipt is overdue; how many. A late receipt still settles them."""
    overdue = OutgoingMessage.objects.filter(receipt_due_at__lte=timezone.now()).values_list("pk", flat=True)
    marked = 0
    for key in list(overdue[:limit]):
        with transaction.atomic():
            row = (
                OutgoingMessage.objects.select_for_update(skip_locked=True)
                .filter(pk=key, receipt_due_at__lte=timezone.now())
                .first()
            )
            if row is None:
                continue
            row.receipt_due_at = None
            row.receipt_missing_at = timezone.now()
            history.happened(row, history.RECEIPT_MISSING)
            history.save_and_tell(row)
            marked += 1
    return marked
