"""Reading what the gateway has put into the directory: what became of transfers, and what has arrived.

A notice is followed in one transaction, and taken away after it. Whoever dies between the two leaves a
notice that has been followed already, and following it again changes nothing.
"""

import logging
from pathlib import Path
from typing import BinaryIO, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from transport import access_point_port
from transport.access_point_port import Outcome
from transport.causes import Cause
from transport.storage import blobs
from transport.storage.blobs import Place

from . import files
from .files import Arrival, NoticeWrong, TransferStatus
from .models import DroppedTransfer, FoundTransfer

logger = logging.getLogger(__name__)
_SETTLED: Final = {
    Outcome.DELIVERED: DroppedTransfer.State.DELIVERED,
    Outcome.FAILED: DroppedTransfer.State.FAILED,
}


def poll_directory() -> int:
    """Follow every notice that lies there; how many were followed."""
    followed = 0
    for where, follow in ((files.TOLD, _follow_fate), (files.IN, _follow_arrival)):
        for notice in files.notices(where):
            try:
                follow(notice)
            except FileNotFoundError:
                continue  # Another worker has taken it.
            except NoticeWrong as wrong:
                logger.error("notice set aside", extra={"fields": {"where": where, "reason": wrong.reason}})
                files.set_aside(notice, wrong.reason)
            else:
                followed += 1
    return followed


def _follow_fate(notice: Path) -> None:
    fate = files.read_status(notice)
    with transaction.atomic():
        row = DroppedTransfer.objects.select_for_update().filter(pk=fate.reference).first()
        if row is None:
            raise NoticeWrong("no transfer has this reference")
        if row.settled_at is None:
            _settle(row, fate, files.receipt_beside(notice, fate.receipt))
    files.remove(notice, fate.receipt)


def _settle(row: DroppedTransfer, fate: TransferStatus, receipt: bytes | None) -> None:
    row.cause = "" if fate.outcome is Outcome.DELIVERED else fate.cause or Cause.REFUSED.value
    if fate.outcome in _SETTLED:
        row.state = _SETTLED[fate.outcome]
        row.settled_at = timezone.now()
        row.due_at = None
        row.receipt = receipt
    row.save()
    logger.info(
        "transfer %s", fate.outcome.value, extra={"fields": {"reference": row.pk, "cause": row.cause}}
    )
    access_point_port.message_service().transfer_changed(row.pk, fate.outcome, row.cause)


def _follow_arrival(notice: Path) -> None:
    arrival = files.read_arrival(notice)
    if not FoundTransfer.objects.filter(pk=arrival.transfer_id).exists():
        if not access_point_port.message_service().serves(arrival.recipient, arrival.document_type):
            raise NoticeWrong("recipient or document type is not served here")
        _take(arrival, notice)
    files.remove(notice, arrival.envelope, arrival.receipt)


def _take(arrival: Arrival, notice: Path) -> None:
    if arrival.size > settings.SDK_MAX_TRANSFER_BYTES:
        raise NoticeWrong("the envelope is too large")
    receipt = files.receipt_beside(notice, arrival.receipt)
    with files.open_beside(notice, arrival.envelope) as source:
        if files.measured(source, arrival.size) != (arrival.size, arrival.sha256):
            raise NoticeWrong("the envelope is not what the notice says")
        source.seek(0)
        try:
            with transaction.atomic():
                _put_in(arrival, source, receipt)
        except IntegrityError:
            if not FoundTransfer.objects.filter(pk=arrival.transfer_id).exists():
                raise


def _put_in(arrival: Arrival, source: BinaryIO, receipt: bytes | None) -> None:
    """Store the envelope and its row. A commit whose answer is lost may have been one: the file stays then,
    and the sweep takes it if it was none."""
    place = Place(arrival.recipient.value, "envelope", arrival.transfer_id)
    name = blobs.store(blobs.dated("found", str(arrival.transfer_id)), source, place)
    with blobs.removed_on_failure(name):
        FoundTransfer.objects.create(
            id=arrival.transfer_id,
            envelope_name=name,
            conversation_id=arrival.conversation_id,
            sender=arrival.sender.value,
            recipient=arrival.recipient.value,
            document_id=arrival.document_type.identifier,
            document_scheme=arrival.document_type.scheme,
            sending_access_point=arrival.sending_access_point,
            receipt=receipt,
            arrived_at=arrival.arrived_at,
        )
        logger.info("transfer received", extra={"fields": {"transfer_id": arrival.transfer_id}})
        access_point_port.message_service().envelope_arrived(
            arrival.transfer_id, arrival.sender, arrival.recipient, arrival.document_type
        )
