"""Keeping the copy: only what changed is written, all of it in one transaction, or nothing.

What disappeared is marked, not deleted: conversations still name it. A book that shrank beyond
belief is refused.
"""

import logging
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from .book import Book, BookUnavailable, FunctionEntry, OrganisationEntry, read_book
from .categories import refresh_categories
from .models import FunctionAddress, Organisation, SyncRun
from .search import refresh_search_columns

logger = logging.getLogger(__name__)
_LOCK = 0x5D4B00C
# More than this share of the known functions gone at once is taken for a fault of the book's.
MOST_GONE = 0.5


class CopyRefused(Exception):
    """The new book would lose more than is believed; `force` takes it all the same."""


class AlreadyRunning(Exception):
    """Another run is copying now."""


@dataclass(slots=True)
class _Counts:
    added: int = 0
    changed: int = 0
    gone: int = 0


def synchronise(base_url: str, *, force: bool = False) -> SyncRun:
    """Copy the address book; the run's record. Raises `BookUnavailable`, `CopyRefused`, `AlreadyRunning`."""
    run = SyncRun.objects.create()
    try:
        book = read_book(base_url)
        with transaction.atomic():
            _lock()
            counts = _apply(book, force=force)
        run.added, run.changed, run.gone = counts.added, counts.changed, counts.gone
        run.skipped = book.skipped[:200]
    except (BookUnavailable, CopyRefused, AlreadyRunning) as error:
        run.error = f"{type(error).__name__}: {error}"[:300]
        raise
    finally:
        run.finished_at = timezone.now()
        run.save()
        fields = {"added": run.added, "changed": run.changed, "gone": run.gone, "error": run.error or "-"}
        logger.info("address book copied", extra={"fields": fields})
    return run


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
        row = known_organisations.get(entry.book_id)
        known_organisations[entry.book_id] = _write(
            row or Organisation(book_id=entry.book_id), _organisation_fields(entry), counts
        )
    touched = []
    for function in book.functions.values():
        row_function = known_functions.get(function.book_id) or FunctionAddress(book_id=function.book_id)
        before = counts.added + counts.changed
        fields = _function_fields(function, known_organisations[function.organisation_book_id])
        written = _write(row_function, fields, counts)
        if counts.added + counts.changed != before:
            touched.append(written.pk)
    now = timezone.now()
    for rows, told in ((known_organisations, book.organisations), (known_functions, book.functions)):
        for key, row_any in rows.items():
            if key not in told and row_any.gone_at is None:
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


def _write(row: Any, fields: dict[str, Any], counts: _Counts) -> Any:
    """Save the row if it differs from what was told."""
    if row.pk is not None and all(getattr(row, name) == value for name, value in fields.items()):
        return row
    if row.pk is None:
        counts.added += 1
    else:
        counts.changed += 1
    for name, value in fields.items():
        setattr(row, name, value)
    row.save()
    row.was_written = True
    return row


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
