"""Putting an envelope into the directory."""

import logging

from django.utils import timezone

from transport import jobs
from transport.jobs import LeaseLost
from transport.storage import blobs

from . import files
from .models import DroppedTransfer

logger = logging.getLogger(__name__)


def place(reference: object) -> None:
    """Write the files of a transfer that is due.

    A worker that dies on the way leaves it due: the files are written once more, under the same names, and
    the same reference is the same transfer to the gateway, which sends it once.
    """
    row = DroppedTransfer.claim(reference)
    if row is None:
        return
    try:
        with row.renewing():
            _write(row)
        with row.step() as placed:
            placed.due_at = None
            if placed.state == placed.State.PENDING:
                placed.state = placed.State.PLACED
        logger.info("transfer placed", extra={"fields": {"reference": row.pk}})
    except LeaseLost:
        logger.warning("lease lost", extra={"fields": {"reference": row.pk}})
    except OSError as error:
        # A directory that is full or away: the envelope stays where it is, and waits.
        jobs.unexpected(error, reference=row.pk)
        with row.step() as later:
            later.due_at = timezone.now() + jobs.pause_after(later.attempts)


def _write(row: DroppedTransfer) -> None:
    directory = files.folder(files.OUT)
    name = f"{row.pk}.xml"
    with blobs.open_stored(row.envelope_name, row.envelope_place) as source:
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
