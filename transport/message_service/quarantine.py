"""What malicious code was found in: kept sealed and apart, for administrators to know of, never to be opened.

Only what happened is told: when, which way, with whom, for which function, and what the scanner calls it.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import BinaryIO, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from .. import payloads
from ..hand_over import Cause
from .models import IncomingMessage, Organisation, OutgoingMessage, QuarantinedFile
from .scanning import Found

_CHUNK: Final = 64 * 1024
_FOLDER: Final = "quarantine"
_BY_TIME: Final = "retention"
_WAITING: Final = (Cause.SCANNER_UNAVAILABLE, Cause.TOO_LARGE_TO_SCAN)
Direction = QuarantinedFile.Direction


def kept_apart(
    found: Iterable[Found],
    organisation: Organisation,
    direction: QuarantinedFile.Direction,
    *,
    message_id: UUID,
    counterpart: str,
    function_address: str,
) -> list[QuarantinedFile]:
    """Store what was found; the caller saves the rows in the transaction that refuses the message."""
    rows = []
    for one in found:
        row = QuarantinedFile(
            organisation=organisation,
            direction=direction,
            message_id=message_id,
            counterpart=counterpart,
            function_address=function_address,
            signature=one.signature,
            size=one.content.size,
        )
        with one.content.open() as source:
            row.sha256 = _digest(source)
            source.seek(0)
            row.file_name = payloads.store(payloads.dated(_FOLDER, str(row.pk)), source, row.place)
        rows.append(row)
    return rows


def note_refused(participant: str, function_address: str, signature: str, size: int) -> None:
    """Somebody tried to attach a file in which something was found. It was not taken, so nothing is kept."""
    QuarantinedFile.objects.create(
        organisation=Organisation.objects.get(participant_id=participant),
        direction=Direction.DRAFT,
        function_address=function_address,
        signature=signature,
        size=size,
    )


def remove(key: UUID, actor: str) -> bool:
    """Remove what was kept, in the caller's transaction; that it was found stays. False where it was gone."""
    with transaction.atomic():
        row = QuarantinedFile.objects.select_for_update().get(pk=key)
        if row.removed_at is not None:
            return False
        payloads.remove_on_commit(row.file_name)
        row.file_name, row.removed_at, row.removed_by = "", timezone.now(), actor
        row.save(update_fields=["file_name", "removed_at", "removed_by"])
    return True


def remove_old() -> int:
    """Remove what has been kept for SDK_QUARANTINE_DAYS; how many."""
    until = timezone.now() - timedelta(days=settings.SDK_QUARANTINE_DAYS)
    due = QuarantinedFile.objects.filter(removed_at=None, found_at__lte=until)
    return sum(remove(key, _BY_TIME) for key in list(due.values_list("pk", flat=True)))


def remove_forgotten() -> int:
    """Remove files whose row was never committed; how many."""
    return payloads.remove_forgotten(_FOLDER, QuarantinedFile.files_of)


def kept(participants: Iterable[str]) -> QuerySet[QuarantinedFile]:
    """What was found at these organisations, the latest first."""
    rows = QuarantinedFile.objects.filter(organisation__participant_id__in=list(participants))
    return rows.select_related("organisation").order_by("-found_at", "-pk")


def digests_of(participant: str, message_id: UUID) -> list[str]:
    """SHA-256 of the parts of a sent message in which something was found."""
    rows = QuarantinedFile.objects.filter(
        organisation__participant_id=participant, message_id=message_id, direction=Direction.OUT
    )
    return list(rows.values_list("sha256", flat=True))


def waiting(participants: Iterable[str] | None = None) -> tuple[int, datetime | None]:
    """How many messages wait for the scanner, and since when the first has; of all where none are named."""
    count, since = 0, None
    for model, arrived in ((OutgoingMessage, "created_at"), (IncomingMessage, "arrived_at")):
        rows = model.objects.filter(due_at__isnull=False, cause__in=_WAITING)
        if participants is not None:
            rows = rows.filter(organisation__participant_id__in=list(participants))
        times = list(rows.order_by(arrived).values_list(arrived, flat=True))
        count += len(times)
        since = min([*times[:1], *([since] if since else [])], default=None)
    return count, since


def _digest(source: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
