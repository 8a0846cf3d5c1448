"""Exporting an organisation: its rows as one snapshot of the database saw them, then its stored files.

Nothing is changed but the access log, which tells of the export.
"""

import logging
import sqlite3
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC
from typing import Any, BinaryIO, Final

from django.db import connection, transaction
from django.db.models import AutoField, Model
from django.utils import timezone

from mailbox import access_log
from mailbox.models import Person
from sdkportal import __version__
from sdkportal.backup.errors import BackupError
from sdkportal.backup.targets import Piece, Target
from transport.message_service.models import IncomingMessage, Organisation
from transport.storage import blobs
from transport.storage.blobs import BlobBinding
from transport.storage.encryption.errors import AtRestError

from . import manifests, under_way
from .belongings import (
    BELONGINGS,
    PERSON,
    Kind,
    exported_rows,
    labels,
    model_of,
    rows_of,
    shared_rows,
)
from .errors import LeavingError
from .key_files import write_keys
from .manifests import LISTING, Manifest, StoredFile, Table
from .people import person_key_check
from .people_named import people_named
from .rows import Fields, as_json, exported_fields
from .sealed_files import Recipients, as_binary, line_of, pieces_of, write_sealed

logger = logging.getLogger(__name__)
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class KeyTarget:
    """Where the organisation's private keys go, and to which public keys."""

    target: Target
    name: str
    recipients: Recipients


@dataclass(frozen=True, slots=True)
class Exported:
    """An export that was made. `missing` are stored files that rows name and storage does not have."""

    manifest: Manifest
    missing: tuple[str, ...]
    keys: int


def export_organisation(
    participant_id: str,
    target: Target,
    recipients: Recipients,
    *,
    keys: KeyTarget | None = None,
    although_under_way: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> Exported:
    """Export an organisation while the installation runs. Raises `LeavingError`.

    What an earlier attempt has left in the target is removed; a finished export there is left alone, and
    refused. Without `although_under_way` nothing may be on its way.
    """
    if not Organisation.objects.filter(participant_id=participant_id).exists():
        raise LeavingError(f"There is no organisation {participant_id} here.")
    found = under_way.counts(participant_id)
    if found and not although_under_way:
        raise LeavingError(f"Under way: {under_way.as_text(found)}. Nothing was exported.")
    _clear(target)
    export_id = uuid.uuid4()
    with closing(_NamedFiles()) as files:
        with _snapshot():
            exporting = _Rows(participant_id, target, recipients, files)
            tables = exporting.write_all(report)
            head = access_log.head_of(participant_id)
            if keys is not None:
                write_keys(participant_id, export_id, keys.target, keys.name, keys.recipients)
        report(f"{sum(table.rows for table in tables)} rows written; copying {files.count()} stored files.")
        listing, missing = _copy_files(participant_id, target, recipients, files)
        file_count = files.count()
    manifest = Manifest(
        id=export_id,
        participant_id=participant_id,
        exported_at=timezone.now().astimezone(UTC),
        version=__version__,
        person_key_check=person_key_check(),
        tables=tuple(tables),
        file_count=file_count,
        missing_files=len(missing),
        listing=listing,
        access_log=head,
        under_way=found,
    )
    manifest = replace(manifest, digest=manifests.write(target, manifest))
    details: dict[str, Any] = {"manifest": manifest.digest, "rows": manifest.row_count, "files": file_count}
    access_log.record(None, "organisation-exported", participant_id, **details, keys=keys is not None)
    logger.info("organisation_exported", extra={"fields": {"organisation": participant_id, **details}})
    return Exported(manifest, tuple(missing), int(keys is not None))


def _clear(target: Target) -> None:
    """Remove what an interrupted export has left. Raises `LeavingError` where there is anything else."""
    try:
        target.open(manifests.MANIFEST).close()
    except BackupError:
        pass
    else:
        raise LeavingError("There is a finished export already; choose another directory.")
    names: list[str] = []
    for folder in ("rows", "files"):
        with suppress(FileNotFoundError):
            names += target.names(folder)
    if not all(name.endswith((".age", ".age.partial")) for name in names):
        raise LeavingError("The directory holds something else; choose another.")
    for name in [*names, LISTING]:
        target.remove(name)


@contextmanager
def _snapshot() -> Generator[None, None, None]:
    """All queries of the body see the database as it is now."""
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


class _NamedFiles:
    """The stored files that exported rows name, each once, in a database of its own: there may be millions.
    SQLite removes it with the connection. A name is an id and a day, and no content."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE file (name TEXT PRIMARY KEY, kind TEXT, key TEXT)")

    def add(self, name: str, binding: BlobBinding) -> None:
        values = (name, binding.kind, str(binding.key))
        self._database.execute("INSERT OR IGNORE INTO file VALUES (?, ?, ?)", values)

    def count(self) -> int:
        ((number,),) = self._database.execute("SELECT count(*) FROM file")
        return int(number)

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        yield from self._database.execute("SELECT name, kind, key FROM file ORDER BY name")

    def close(self) -> None:
        self._database.close()


class _Rows:
    """Writes the rows of all models, and notes which people and stored files they name."""

    def __init__(
        self, participant_id: str, target: Target, recipients: Recipients, files: _NamedFiles
    ) -> None:
        self._participant_id = participant_id
        self._target = target
        self._recipients = recipients
        self._files = files
        self._people: set[int] = set()

    def write_all(self, report: Callable[[str], None]) -> list[Table]:
        tables = []
        for label in labels(Kind.EXPORTED):
            tables.append(self._write(label, self._rows(label)))
            report(f"{label}: {tables[-1].rows}")
        tables += [self._write(label, self._shared(label)) for label in labels(Kind.SHARED)]
        return [*tables, self._write(PERSON, self._named_people())]

    def _write(self, label: str, values: Iterator[dict[str, Any]]) -> Table:
        count = 0

        def lines() -> Iterator[bytes]:
            nonlocal count
            for each in values:
                count += 1
                yield line_of(each)

        table = Table(label, 0, 0, 0, "")
        piece = write_sealed(self._target, table.name, lines(), self._recipients)
        return replace(
            table, rows=count, largest_key=_largest_key(model_of(label)), size=piece.size, sha256=piece.sha256
        )

    def _rows(self, label: str) -> Iterator[dict[str, Any]]:
        model = model_of(label)
        fields = exported_fields(label, model)
        bindings: dict[str, str] = getattr(model, "stored_files", {})
        related = {path.rpartition("__")[0] for path, _ in BELONGINGS[label].paths} - {""}
        if model is IncomingMessage:
            related.add("sent_as")
        for rows in exported_rows(label, self._participant_id):
            if related and (bindings or model is IncomingMessage):
                rows = rows.select_related(*related)
            for row in rows.iterator(_BATCH):
                for column, binding_name in bindings.items():
                    if name := getattr(row, column):
                        self._files.add(name, getattr(row, binding_name))
                yield self._values(label, row, fields)

    def _values(self, label: str, row: Model, fields: Fields) -> dict[str, Any]:
        try:
            values = as_json(row, fields)
        except AtRestError as error:
            raise LeavingError(f"{label} {row.pk} cannot be opened ({type(error).__name__}).") from None
        if isinstance(row, IncomingMessage):
            values["sent_as"] = _own_sent_message(row)
        self._people |= people_named(label, values)
        return values

    def _shared(self, label: str) -> Iterator[dict[str, Any]]:
        fields = exported_fields(label, model_of(label))
        for row in shared_rows(label, self._participant_id).iterator(_BATCH):
            yield as_json(row, fields)

    def _named_people(self) -> Iterator[dict[str, Any]]:
        members = set[int]()
        for label in ("mailbox.Membership", "mailbox.OrganisationRole", "mailbox.DirectoryUser"):
            for rows in rows_of(label, self._participant_id):
                members |= set(rows.values_list("person", flat=True))
        fields = exported_fields(PERSON, Person)
        for row in Person.objects.filter(pk__in=self._people).order_by("pk").iterator(_BATCH):
            values = as_json(row, fields)
            if row.pk not in members:
                # Somebody who worked here once, or for the supplier: known by name alone.
                values["mail_address"] = ""
            yield values


def _own_sent_message(row: IncomingMessage) -> str | None:
    """The key of what a local arrival was sent as, where that is a row of the same organisation."""
    sent = row.sent_as
    return str(sent.pk) if sent is not None and sent.organisation_id == row.organisation_id else None


def _largest_key(model: type[Model]) -> int:
    """A number that no key of the model has been larger than here: rounded up to a power of two, so that it
    does not tell how many rows all organisations have."""
    key = model._meta.pk
    if not isinstance(key, AutoField):
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [model._meta.db_table, key.column])
        (sequence,) = cursor.fetchone()
        cursor.execute(f"SELECT last_value FROM {sequence}")  # noqa: S608 - the database's own name
        (last,) = cursor.fetchone()
    return 1 << int(last).bit_length()


def _copy_files(
    participant_id: str, target: Target, recipients: Recipients, files: _NamedFiles
) -> tuple[Piece, list[str]]:
    """Copy the stored files, and write their listing as it goes; which storage does not have."""
    missing: list[str] = []

    def fill(out: BinaryIO) -> None:
        for name, kind, key in files:
            file = _copy(StoredFile(name, kind, key, -1, 0, ""), participant_id, target, recipients)
            if file.is_missing:
                missing.append(name)
            out.write(line_of(asdict(file)))

    return target.write(LISTING, fill), missing


def _copy(file: StoredFile, participant_id: str, target: Target, recipients: Recipients) -> StoredFile:
    size = 0

    def pieces(content: BinaryIO) -> Iterator[bytes]:
        nonlocal size
        for piece in pieces_of(content):
            size += len(piece)
            yield piece

    try:
        with blobs.open_stored(file.name, file.binding(participant_id)) as content:
            piece = write_sealed(target, file.kept_name, pieces(as_binary(content)), recipients)
    except FileNotFoundError:
        return file
    except AtRestError as error:
        raise LeavingError(
            f"The stored file {file.name} cannot be opened ({type(error).__name__})."
        ) from None
    return replace(file, content_size=size, size=piece.size, sha256=piece.sha256)
