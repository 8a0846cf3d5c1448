"""Importing an organisation: all is verified, then its files are stored, then its rows in one transaction.

Until that commits, the installation has nothing of the organisation but files that no row names; running it
again goes on with those, and `abandon` removes them.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from celery import current_app
from django.db import IntegrityError, transaction
from django.db.models import Model
from kombu.exceptions import OperationalError

from mailbox import access_log
from mailbox.models import AccessLogEntry, DirectoryGroup, DirectoryUser
from mailbox.provisioning import attributes
from sdkportal.backup.errors import BackupError
from sdkportal.backup.targets import Target
from transport.message_service.models import Organisation

from . import manifests
from .belongings import (
    ACCESS_LOG,
    BELONGINGS,
    ORGANISATION,
    PERSON,
    Kind,
    exported_rows,
    labels,
    model_of,
    rows_of,
)
from .errors import LeavingError
from .imported_files import StoredFiles
from .key_files import Keys
from .manifests import Manifest, Table
from .new_keys import ReservedKeys, reserve
from .people import KnownPeople, person_key_check
from .references import renewed
from .rows import exported_fields, from_json, insert
from .sealed_files import Identities, lines_of, opened

logger = logging.getLogger(__name__)
IMPORTED: Final = "organisation-imported"
_TASKS: Final = ("mailbox.tasks.index_all_missing", "mailbox.tasks.count_daily_figures")
# An organisation that is prepared for what comes may have these already.
_PREPARED: Final = frozenset({ORGANISATION, ACCESS_LOG, "access_point.TransferEvent"})


@dataclass(frozen=True, slots=True)
class Imported:
    """An import: whether it was done before, its rows and files, and how many people cannot log in yet."""

    was_there: bool
    rows: int = 0
    files: int = 0
    unidentified: int = 0


def verify(target: Target, identities: Identities, *, digest: str = "") -> Manifest:
    """Verify all of an export: the manifest, every file's digest, that the key opens every table, and that
    the access log's chain is whole. Nothing is written. Raises `LeavingError`."""
    manifest = manifests.read(target)
    if digest and manifest.digest != digest:
        raise LeavingError("The manifest is not the one that was made: its digest differs.")
    manifests.verify(target, manifest)
    _check_tables(manifest)
    for table in manifest.tables:
        count = sum(1 for _ in _values(target, identities, table))
        if count != table.rows:
            raise LeavingError(f"{table.name} has {count} rows; the manifest says {table.rows}.")
    _check_log(target, identities, manifest)
    return manifest


def import_organisation(
    target: Target,
    identities: Identities,
    *,
    digest: str = "",
    keys: Callable[[Manifest], Keys] | None = None,
    claims: dict[int, str] | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Imported:
    """Import an organisation. Raises `LeavingError`, and nothing of it is here then but stored files."""
    manifest = verify(target, identities, digest=digest)
    if _is_imported(manifest):
        return Imported(was_there=True)
    _check_nothing_is_here(manifest.participant_id)
    given_keys = keys(manifest) if keys is not None else Keys({}, {})
    report(f"{manifest.row_count} rows verified; storing {manifest.file_count} files.")
    files = StoredFiles(target, identities, manifest.participant_id)
    files.store_all()
    report("Files stored; inserting the rows.")
    people = KnownPeople(claims or {}, manifest.person_key_check == person_key_check())
    importing = _Rows(target, identities, manifest, given_keys, people)
    try:
        with transaction.atomic(durable=True):
            importing.insert_all(report)
            # A sweeper removes files of the last days that no row names after an hour.
            files.store_all(only_recent=True)
            transaction.on_commit(_enqueue)
    except IntegrityError as error:
        name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") or "a constraint"
        raise LeavingError(
            f"The rows do not fit here ({name}): the export is damaged, or something of it is here already."
        ) from None
    fields = {"organisation": manifest.participant_id, "manifest": manifest.digest}
    logger.info("organisation_imported", extra={"fields": fields})
    return Imported(False, manifest.row_count, manifest.file_count, people.unidentified)


def abandon(target: Target, identities: Identities) -> int:
    """Remove the files of an import that was interrupted, and is not to go on; how many.

    Raises `LeavingError` where the organisation is here."""
    manifest = manifests.read(target)
    manifests.verify(target, manifest)
    _check_nothing_is_here(manifest.participant_id)
    return StoredFiles(target, identities, manifest.participant_id).remove_all()


def _is_imported(manifest: Manifest) -> bool:
    entries = AccessLogEntry.objects.filter(participant_id=manifest.participant_id, what=IMPORTED)
    here = Organisation.objects.filter(participant_id=manifest.participant_id)
    return here.exists() and entries.filter(details__manifest=manifest.digest).exists()


def _check_nothing_is_here(participant_id: str) -> None:
    for label in labels(Kind.EXPORTED):
        if label not in _PREPARED and any(rows.exists() for rows in rows_of(label, participant_id)):
            raise LeavingError(
                f"{participant_id} is here already: there are rows of {label}. Nothing was changed."
            )


def _check_tables(manifest: Manifest) -> None:
    wanted = set(labels(Kind.EXPORTED, Kind.SHARED, Kind.PEOPLE))
    found = [table.model for table in manifest.tables]
    if unknown := sorted(set(found) - wanted):
        raise LeavingError(f"The manifest names {unknown[0]}, which this version does not import.")
    if len(found) != len(set(found)):
        raise LeavingError("The manifest names a model twice.")
    for label in (ORGANISATION, PERSON):
        if label not in found:
            raise LeavingError(f"The manifest does not name {label}.")


def _values(target: Target, identities: Identities, table: Table) -> Iterator[dict[str, Any]]:
    try:
        with target.open(table.name) as source, opened(source, identities, table.name) as content:
            yield from lines_of(content, table.name)
    except BackupError as error:
        raise LeavingError(f"{error}.") from None


def _check_log(target: Target, identities: Identities, manifest: Manifest) -> None:
    """The chain of the exported access log, with the keys of the installation that exported."""
    table = manifest.table(ACCESS_LOG)
    number, previous = 0, ""
    for values in _values(target, identities, table) if table is not None else ():
        entry = from_json(ACCESS_LOG, AccessLogEntry, values, lambda label, key: key)
        assert isinstance(entry, AccessLogEntry)  # noqa: S101 - for the type checker
        if (entry.number, entry.previous) != (number + 1, previous) or (
            entry.digest != access_log.digest_of(entry)
        ):
            raise LeavingError(f"The exported access log is not whole: entry {number + 1} is another.")
        number, previous = entry.number, entry.digest
    if (number, previous) != manifest.access_log:
        raise LeavingError(f"The exported access log is cut off after entry {number}.")


class _Rows:
    """Inserts the rows of an export, in the caller's transaction."""

    def __init__(
        self, target: Target, identities: Identities, manifest: Manifest, keys: Keys, people: KnownPeople
    ) -> None:
        self._target = target
        self._identities = identities
        self._manifest = manifest
        self._keys = keys
        self._people = people
        self._participant_id = manifest.participant_id
        here = Organisation.objects.filter(participant_id=self._participant_id)
        organisation = here.values_list("pk", flat=True).first()
        self._new = ReservedKeys(people.known, organisation)
        # Before the transaction: sequences do not roll back, and locks are not kept.
        for table in manifest.tables:
            self._new.blocks[table.model] = reserve(table.model, table.largest_key)
        for label in labels(Kind.KEYS):
            largest = max(
                (int(row["id"]) for row in keys.rows.get(label, []) if _is_number(row["id"])), default=0
            )
            self._new.blocks[label] = reserve(label, largest)

    def insert_all(self, report: Callable[[str], None]) -> None:
        tables = {table.model: table for table in self._manifest.tables}
        # People first: other rows are given the keys of those who are here already.
        people = self._people.identify(_values(self._target, self._identities, tables.pop(PERSON)))
        self._insert(PERSON, (self._person(values) for values in people))
        organisation = self._rows(tables.pop(ORGANISATION))
        rows = list(organisation)
        if self._new.organisation is None:
            self._insert(ORGANISATION, iter(rows))
        log = tables.pop(ACCESS_LOG, None)
        for label, table in tables.items():
            is_shared = BELONGINGS[label].kind == Kind.SHARED
            count = self._insert(label, self._rows(table), is_shared=is_shared)
            if count != table.rows:
                raise LeavingError(f"{table.name} has {count} rows; the manifest says {table.rows}.")
            report(f"{label}: {count}")
        for label, found in self._keys.rows.items():
            if label not in labels(Kind.KEYS):
                raise LeavingError(f"The file of keys has rows of {label}.")
            self._insert(label, (self._row(label, values) for values in found), is_shared=True)
        if log is not None:
            self._insert_log(log)
        self._check_belonging(tables)
        head = list(self._manifest.access_log)
        details: dict[str, Any] = {"manifest": self._manifest.digest, "head": head}
        access_log.record(None, IMPORTED, self._participant_id, **details)

    def _insert(self, label: str, rows: Iterator[Model], *, is_shared: bool = False) -> int:
        return insert(model_of(label), rows, self._participant_id, is_shared=is_shared)

    def _rows(self, table: Table) -> Iterator[Model]:
        for values in _values(self._target, self._identities, table):
            yield self._row(table.model, values)

    def _row(self, label: str, values: dict[str, Any]) -> Model:
        model = model_of(label)
        if BELONGINGS[label].kind != Kind.KEYS:
            allowed = {each.name for each in exported_fields(label, model)}
            if unknown := values.keys() - allowed:
                raise LeavingError(f"{label} has fields that are not imported: {', '.join(sorted(unknown))}.")
            self._check_own(label, values)
        key = model._meta.pk.name
        secrets = self._keys.secrets.get((label, str(values.get(key))), {})
        try:
            given = renewed(label, {**values, **secrets}, self._new)
            row = from_json(label, model, given, self._new.of)
        except (LookupError, TypeError, AttributeError, ValueError):
            raise LeavingError(f"{label} {values.get(key)}: a value is not what it should be.") from None
        if isinstance(row, DirectoryUser | DirectoryGroup):
            _hash_anew(row)
        return row

    def _check_own(self, label: str, values: dict[str, Any]) -> None:
        """That a row which names its organisation names this one."""
        columns = [path for path, _ in BELONGINGS[label].paths if "__" not in path]
        if columns and all(values.get(column) != self._participant_id for column in columns):
            raise LeavingError(f"{label} has a row that does not belong to {self._participant_id}.")

    def _person(self, values: dict[str, Any]) -> Model:
        row: Any = self._row(PERSON, values)
        row.set_unusable_password()
        return cast(Model, row)

    def _insert_log(self, table: Table) -> None:
        model = model_of(ACCESS_LOG)
        head = access_log.lock_head(self._participant_id)

        def chained() -> Iterator[Model]:
            nonlocal head
            for values in _values(self._target, self._identities, table):
                original: Any = from_json(ACCESS_LOG, model, values, lambda label, key: key)
                entry: Any = from_json(ACCESS_LOG, model, values, self._new.of)
                head = access_log.chain_imported(entry, original, head)
                yield entry

        self._insert(ACCESS_LOG, chained())
        access_log.set_head(self._participant_id, head)

    def _check_belonging(self, tables: dict[str, Table]) -> None:
        """That every row leads to this organisation, and to no other that is here."""
        for label, table in tables.items():
            if BELONGINGS[label].kind != Kind.EXPORTED or label in _PREPARED:
                continue
            count = sum(rows.count() for rows in exported_rows(label, self._participant_id))
            if count != table.rows:
                raise LeavingError(
                    f"{table.name}: {table.rows - count} rows do not belong to {self._participant_id}."
                )


def _hash_anew(row: DirectoryUser | DirectoryGroup) -> None:
    """The hashes by which a directory service's values are found: each installation has a key of its own."""
    found = partial(attributes.lookup_hash, row.participant_id)
    texts = row.attributes
    row.external_id_hash = found(attributes.EXTERNAL_ID, texts.get(attributes.EXTERNAL_ID, ""))
    row.display_name_hash = found(attributes.DISPLAY_NAME, texts.get(attributes.DISPLAY_NAME, ""))
    if isinstance(row, DirectoryUser):
        row.user_name_hash = found(attributes.USER_NAME, texts.get(attributes.USER_NAME, ""))


def _is_number(key: object) -> bool:
    return isinstance(key, int)


def _enqueue() -> None:
    """Let workers build the search index and count the figures; sweepers do so too, later."""
    with suppress(OperationalError):
        for name in _TASKS:
            current_app.send_task(name)
