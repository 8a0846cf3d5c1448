"""What a node has left behind when all is over: run in its environment, when its processes have ended.

    python -m tests.faults.chaos.inventory

Makes all files old, runs every sweep for orphaned files, and prints as JSON a list of findings: `what`, and
`which` row or file.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sdkportal.settings")
django.setup()

from celery import current_app  # noqa: E402
from django.apps import apps  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.files.storage import FileSystemStorage, default_storage  # noqa: E402
from django.utils import timezone  # noqa: E402

from mailbox.models import Draft  # noqa: E402
from transport.access_point.models import InboundTransfer, OutboundTransfer  # noqa: E402
from transport.jobs import LeasedJob  # noqa: E402
from transport.message_service.models import IncomingMessage, OutgoingMessage  # noqa: E402
from transport.message_service.states import IncomingState, OutgoingState  # noqa: E402
from transport.storage import blobs, work_files  # noqa: E402

# More than any sweep leaves alone: they do not touch what may still be in use.
_OLD_SECONDS = 8 * 3600
Finding = dict[str, str]


def findings() -> Iterator[Finding]:
    """All that is left behind."""
    yield from _jobs()
    yield from _unfinished()
    yield from _transfers_without_message()
    yield from _files()


def _found(what: str, which: object) -> Finding:
    return {"what": what, "which": str(which)}


def _jobs() -> Iterator[Finding]:
    """Leases that nobody holds any more, and work that is due and nobody does."""
    for model in apps.get_models():
        if not issubclass(model, LeasedJob):
            continue
        name = model._meta.label
        for row in model.objects.exclude(lease=None):
            yield _found(f"a lease on {name}", row.pk)
        for row in model.objects.filter(due_at__isnull=False):
            yield _found(f"{name} is due", row.pk)
    for draft in Draft.objects.filter(send_at__lte=timezone.now()):
        yield _found("a draft is due", draft.pk)


def _unfinished() -> Iterator[Finding]:
    """Transfers and messages in a state that nothing follows on, and that is no end."""
    for transfer in OutboundTransfer.objects.filter(state=OutboundTransfer.State.PENDING):
        yield _found("a transfer without an end", transfer.pk)
    ends = {OutgoingState.ACCEPTED, OutgoingState.REJECTED, OutgoingState.MESSAGE_EXCHANGE_ERROR}
    for row in OutgoingMessage.objects.exclude(state__in=ends):
        is_receipt_missing = row.state == OutgoingState.WAITING_FOR_RECEIPT and row.receipt_missing_at
        is_delivered_receipt = row.is_receipt and row.state == OutgoingState.ACKNOWLEDGE
        if not is_receipt_missing and not is_delivered_receipt:
            yield _found(f"an outgoing {row.kind} stays {row.state}", row.message_id)
    for row in IncomingMessage.objects.filter(
        state__in=[IncomingState.ARRIVED, IncomingState.RECEIPT_SENT, IncomingState.ERROR]
    ):
        yield _found(f"an incoming envelope stays {row.state}", row.pk)
    # A message that was retrieved waits for its receipt to be delivered; of a receipt it is the end.
    for row in IncomingMessage.objects.filter(state=IncomingState.RETRIEVED, is_accepted=True):
        yield _found("an incoming message stays RETRIEVED", row.message_id)


def _transfers_without_message() -> Iterator[Finding]:
    arrived = set(IncomingMessage.objects.values_list("transfer_id", flat=True))
    for key in set(InboundTransfer.objects.values_list("pk", flat=True)) - arrived:
        yield _found("a received envelope without a message", key)


def _files() -> Iterator[Finding]:
    """Files that no row names though everything has been swept, and files that a row names and are gone."""
    is_local = isinstance(default_storage._wrapped, FileSystemStorage)
    if not is_local:
        # The age of what an object store holds cannot be changed: it counts as old at once.
        blobs._ORPHANED_AFTER = timedelta()
    roots = (Path(settings.MEDIA_ROOT), Path(settings.SDK_WORK_DIR))
    old = time.time() - _OLD_SECONDS
    for root in roots:
        for path in root.rglob("*"):
            os.utime(path, (old, old))
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        if entry["task"].endswith((".remove_orphaned_files", ".remove_expired")):
            current_app.loader.import_default_modules()
            current_app.tasks[entry["task"]]()
    work_files.remove_stale()
    named = set(_named())
    media, work = roots
    if is_local:
        stored = {str(path.relative_to(media)) for path in media.rglob("*") if path.is_file()}
    else:
        stored = set(_objects())
    for name in sorted(stored - named):
        yield _found("an orphaned file", name)
    for name in sorted(name for name in named - stored if not default_storage.exists(name)):
        yield _found("a file that a row names is gone", name)
    for path in work.iterdir() if work.is_dir() else ():
        yield _found("a file on its way is left", path.name)


def _objects(folder: str = "") -> Iterator[str]:
    folders, files = default_storage.listdir(folder)
    yield from (f"{folder}{name}" for name in files)
    for each in folders:
        yield from _objects(f"{folder}{each}/")


def _named() -> Iterator[str]:
    for model in apps.get_models():
        columns = set(getattr(model, "stored_files", {}))
        if model is OutboundTransfer:
            columns.add("envelope_name")
        for column in columns:
            rows = model._default_manager.exclude(**{column: ""})
            yield from (name for name in rows.values_list(column, flat=True) if name)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(list(findings())))
