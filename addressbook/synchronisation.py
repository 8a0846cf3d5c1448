"""Copying the federation's address book: changes alone are written, in one transaction.

Entries that have disappeared are marked and not deleted, since conversations name them. A copy that would
lose more than half of the functions is refused.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DataError, connection, transaction
from django.utils import timezone

from transport.jobs import log_unexpected

from .book import Book, BookUnavailable, FunctionEntry, OrganisationEntry, read_book
from .categories import refresh_categories
from .models import FunctionAddress, Organisation, SyncRun
from .search import refresh_search_columns

logger = logging.getLogger(__name__)
_LOCK = 0x5D4B00C
# If more than this share of the functions disappears at once, the address book is probably at fault.
MOST_GONE = 0.5
_NOT_STORED = "the database cannot store it"
INTERRUPTED = "Interrupted: the process ended before the run did"
# A worker's task cannot run longer than this.
_LONGEST_RUN = timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT)


class CopyRefused(Exception):
    """The copy would lose more than `MOST_GONE` of the functions; `force` copies all the same."""


class CopyFailed(Exception):
    """An unforeseen error; its text is the error's class, without anything from the address book."""


class AlreadyRunning(Exception):
    """Another run is copying now."""


@dataclass(slots=True)
class _Counts:
    added: int = 0
    changed: int = 0
    gone: int = 0


def synchronise(base_url: str, *, force: bool = False) -> SyncRun:
    """Copy the address book; returns the record of the run, which tells how it ended.

    Raises `BookUnavailable`, `CopyRefused`, `AlreadyRunning`, `CopyFailed`.
    """
    _close_interrupted_runs()
    run = SyncRun.objects.create()
    # Overwritten below; it stays if the process is killed.
    run.error = INTERRUPTED
    try:
        book = read_book(base_url)
        with transaction.atomic():
            _lock()
            counts = _apply(book, force=force)
        run.error = ""
        run.added, run.changed, run.gone = counts.added, counts.changed, counts.gone
        run.skipped = book.skipped[:200]
    except (BookUnavailable, CopyRefused, AlreadyRunning) as error:
        run.error = f"{type(error).__name__}: {error}"[:300]
        raise
    except Exception as error:  # noqa: BLE001 - an unforeseen error is recorded in the run
        log_unexpected(error, sync_run=run.pk)
        run.error = f"CopyFailed: {type(error).__name__}"
        raise CopyFailed(type(error).__name__) from None
    finally:
        run.finished_at = timezone.now()
        run.save()
        fields = {"added": run.added, "changed": run.changed, "gone": run.gone, "error": run.error or "-"}
        logger.info("addressbook_synchronised", extra={"fields": fields})
    return run


def latest_copy_age_seconds() -> float | None:
    """How long ago the address book was copied whole; None if it never was."""
    run = SyncRun.objects.filter(error="").exclude(finished_at=None).first()
    if run is None or run.finished_at is None:
        return None
    return (timezone.now() - run.finished_at).total_seconds()


def _close_interrupted_runs() -> None:
    """Mark runs as interrupted whose process was killed."""
    began = timezone.now() - _LONGEST_RUN
    interrupted = SyncRun.objects.filter(finished_at=None, started_at__lt=began, error="")
    interrupted.update(error=INTERRUPTED, finished_at=timezone.now())


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        row = cursor.fetchone()
    if row is None or not row[0]:
        raise AlreadyRunning("another run is copying the address book")


def _apply(book: Book, *, force: bool) -> _Counts:
    counts = _Counts()
    known_organisations = {row.book_id: row for row in Organisation.objects.all()}
    known_functions = {row.book_id: row for row in FunctionAddress.objects.all()}
    present = [row for row in known_functions.values() if row.gone_at is None]
    lost = [row for row in present if row.book_id not in book.functions]
    if present and len(lost) > len(present) * MOST_GONE and not force:
        raise CopyRefused(f"{len(lost)} of {len(present)} function addresses would disappear")
    for entry in book.organisations.values():
        row = known_organisations.get(entry.book_id) or Organisation(book_id=entry.book_id)
        if _write(row, _organisation_fields(entry), counts):
            known_organisations[entry.book_id] = row
        else:
            book.skipped.append({"id": entry.book_id, "why": _NOT_STORED})
    touched = []
    for function in book.functions.values():
        row_function = known_functions.get(function.book_id) or FunctionAddress(book_id=function.book_id)
        organisation = known_organisations.get(function.organisation_book_id)
        before = counts.added + counts.changed
        if organisation is None or not _write(row_function, _function_fields(function, organisation), counts):
            book.skipped.append({"id": function.book_id, "why": _NOT_STORED})
        elif counts.added + counts.changed != before:
            touched.append(row_function.pk)
    now = timezone.now()
    for rows, entries in ((known_organisations, book.organisations), (known_functions, book.functions)):
        for key, row_any in rows.items():
            if key not in entries and row_any.gone_at is None:
                row_any.gone_at = now
                row_any.save(update_fields=["gone_at"])
                counts.gone += 1
    changed_names = [row.pk for row in known_organisations.values() if getattr(row, "was_written", False)]
    stale = FunctionAddress.objects.filter(pk__in=touched) | FunctionAddress.objects.filter(
        organisation__in=changed_names
    )
    refresh_search_columns(stale)
    if counts.added or counts.changed or counts.gone:
        refresh_categories()
    return counts


def _write(row: Any, fields: dict[str, Any], counts: _Counts) -> bool:
    """Save the row if its fields differ; returns False if the database cannot store it."""
    known = {name: getattr(row, name) for name in fields} if row.pk is not None else None
    if known == fields:
        return True
    for name, value in fields.items():
        setattr(row, name, value)
    try:
        with transaction.atomic():
            row.save()
    except DataError:
        for name, value in (known or {}).items():
            setattr(row, name, value)
        return False
    if known is None:
        counts.added += 1
    else:
        counts.changed += 1
    row.was_written = True
    return True


def _organisation_fields(entry: OrganisationEntry) -> dict[str, Any]:
    return {
        "participant_id": entry.participant_id,
        "name": entry.name,
        "alternate_name": entry.alternate_name,
        "description": entry.description,
        "kind": entry.kind,
        "source": entry.source,
        "gone_at": None,
    }


def _function_fields(entry: FunctionEntry, organisation: Organisation) -> dict[str, Any]:
    return {
        "organisation_id": organisation.pk,
        "identifier": entry.identifier,
        "name": entry.name,
        "description": entry.description,
        "categories": entry.categories,
        "search_words": entry.search_words,
        "source": entry.source,
        "gone_at": None,
    }
