"""Examinations for the page, in a thread of the pages' process: workers may be what is not well."""

import os
import socket
import threading

from django.db import connection, connections, transaction
from django.utils import timezone

from .as_json import report
from .checks import CHECKS
from .examination import examine
from .models import Examination

_LOCK = 0x5D4B00D
_KEPT = 10
# Pages go on meanwhile: a process of theirs has few connections to the database.
_AT_ONCE = 2


def begin() -> Examination:
    """Start an examination unless one is running; the one that runs."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        latest = Examination.objects.first()
        if latest is not None and latest.is_running:
            return latest
        row = Examination.objects.create(host=f"{socket.gethostname()} ({os.getpid()})")
        kept = Examination.objects.values_list("pk", flat=True)[:_KEPT]
        Examination.objects.exclude(pk__in=list(kept)).delete()
        transaction.on_commit(lambda: threading.Thread(target=run, args=(row.pk,), daemon=True).start())
    return row


def run(key: int) -> None:
    """Run all checks, and store what they find."""
    try:
        results = report(examine(CHECKS, at_once=_AT_ONCE))["checks"]
        Examination.objects.filter(pk=key).update(results=results, finished_at=timezone.now())
    finally:
        connections.close_all()
