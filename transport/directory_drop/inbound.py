"""Inbound notices: the status of transfers, and envelopes that have arrived, as the gateway writes them.

A notice is processed in one transaction, and removed after it. A worker that dies between the two leaves a
notice that has been processed already, and processing it again changes nothing.
"""

import logging
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db import IntegrityError, transaction

from transport import access_point_port
from transport.storage import blobs
from transport.storage.blobs import BlobBinding

from . import files, outbound
from .files import Arrival, NoticeInvalid
from .models import DroppedTransfer, FoundTransfer

logger = logging.getLogger(__name__)


def poll_directory() -> int:
    """Process every notice in the directory; how many were processed."""
    count = 0
    for name, process in (
        (files.STATUS, _process_status),
        (files.FORMER_STATUS, _process_status),
        (files.IN, _process_arrival),
    ):
        for notice in files.notices(name):
            try:
                process(notice)
            except FileNotFoundError:
                continue  # Another worker has processed it.
            except NoticeInvalid as error:
                logger.error("notice_rejected", extra={"fields": {"directory": name, "reason": error.reason}})
                files.reject(notice, error.reason)
            else:
                count += 1
    return count


def _process_status(notice: Path) -> None:
    status = files.read_status(notice)
    with transaction.atomic():
        row = DroppedTransfer.objects.select_for_update().filter(pk=status.reference).first()
        if row is None:
            raise NoticeInvalid("no transfer has this reference")
        if row.settled_at is None:
            outbound.apply_status(row, status, files.receipt_beside(notice, status.receipt))
    files.remove(notice, status.receipt)


def _process_arrival(notice: Path) -> None:
    arrival = files.read_arrival(notice)
    if not FoundTransfer.objects.filter(pk=arrival.transfer_id).exists():
        if not access_point_port.message_service().serves(arrival.recipient, arrival.document_type):
            raise NoticeInvalid("recipient or document type is not served here")
        _receive(arrival, notice)
    files.remove(notice, arrival.envelope, arrival.receipt)


def _receive(arrival: Arrival, notice: Path) -> None:
    if arrival.size > settings.SDK_MAX_TRANSFER_BYTES:
        raise NoticeInvalid("the envelope is too large")
    receipt = files.receipt_beside(notice, arrival.receipt)
    with files.open_beside(notice, arrival.envelope) as source:
        if files.measured(source, arrival.size) != (arrival.size, arrival.sha256):
            raise NoticeInvalid("the envelope is not what the notice says")
        source.seek(0)
        try:
            with transaction.atomic():
                _create_transfer(arrival, source, receipt)
        except IntegrityError:
            if not FoundTransfer.objects.filter(pk=arrival.transfer_id).exists():
                raise


def _create_transfer(arrival: Arrival, source: BinaryIO, receipt: bytes | None) -> None:
    """Store the envelope and its row. A commit whose answer is lost may have succeeded: then the file stays,
    and a sweep removes it if not."""
    binding = BlobBinding(arrival.recipient.value, "envelope", arrival.transfer_id)
    name = blobs.store(blobs.dated("found", str(arrival.transfer_id)), source, binding)
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
        logger.info("transfer_received", extra={"fields": {"transfer_id": arrival.transfer_id}})
        access_point_port.message_service().envelope_arrived(
            arrival.transfer_id, arrival.sender, arrival.recipient, arrival.document_type
        )
