"""Outbound transfers: write an envelope to the directory, and follow its status.

Every change of a `DroppedTransfer`'s state is made here.
"""

import logging
from typing import Final

from django.utils import timezone

from transport import access_point_port, jobs
from transport.access_point_port import Outcome, TransferChange
from transport.causes import Cause
from transport.jobs import LeaseLost
from transport.storage import blobs

from . import files
from .files import TransferStatus
from .models import DroppedTransfer

logger = logging.getLogger(__name__)
_SETTLED: Final = {
    Outcome.DELIVERED: DroppedTransfer.State.DELIVERED,
    Outcome.FAILED: DroppedTransfer.State.FAILED,
}


def write(reference: object) -> None:
    """Write the files of a transfer that is due.

    A worker that dies meanwhile leaves it due: the files are written once more, under the same names, and
    the same reference is the same transfer to the gateway, which sends it once.
    """
    row = DroppedTransfer.claim(reference)
    if row is None:
        return
    try:
        with row.renewing():
            _write_files(row)
        with row.step() as current:
            current.due_at = None
            if current.state == current.State.PENDING:
                current.state = current.State.PLACED
        logger.info("transfer_written", extra={"fields": {"reference": row.pk}})
    except LeaseLost:
        logger.warning("lease_lost", extra={"fields": {"reference": row.pk}})
    except OSError as error:
        # A directory that is full or not there: the envelope waits.
        jobs.log_unexpected(error, reference=row.pk)
        with row.step() as current:
            current.due_at = timezone.now() + jobs.pause_after(current.attempts)


def apply_status(row: DroppedTransfer, status: TransferStatus, receipt: bytes | None) -> None:
    """Record the status that the gateway reports; the caller has locked the row, which is not settled yet."""
    row.cause = "" if status.outcome is Outcome.DELIVERED else status.cause or Cause.REFUSED.value
    if status.outcome in _SETTLED:
        row.state = _SETTLED[status.outcome]
        row.settled_at = timezone.now()
        row.due_at = None
        row.receipt = receipt
    row.save()
    fields = {"reference": row.pk, "cause": row.cause}
    logger.info("transfer_%s", status.outcome.value, extra={"fields": fields})
    change = TransferChange(row.pk, status.outcome, row.cause)
    access_point_port.message_service().transfers_changed([change])


def _write_files(row: DroppedTransfer) -> None:
    directory = files.folder(files.OUT)
    name = f"{row.pk}.xml"
    with blobs.open_stored(row.envelope_name, row.envelope_binding) as source:
        size, digest = files.put_file(directory / name, source)
    notice = {
        "reference": str(row.pk),
        "envelope": name,
        "size": size,
        "sha256": digest,
        "envelope_id": row.envelope_id,
        "conversation_id": row.conversation_id,
        "sender": row.sender,
        "recipient": row.recipient,
        "document_type": {"identifier": row.document_id, "scheme": row.document_scheme},
    }
    files.put_notice(directory / f"{row.pk}.json", notice)
