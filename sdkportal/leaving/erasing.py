"""Erasing an organisation: its rows in batches, each with its stored files, and at last its data keys.

It may be interrupted at any time, and goes on when it is run again. When it has begun, nobody of the
organisation sees anything any more. What is left is one entry of the access log: the protocol.
"""

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC
from graphlib import TopologicalSorter
from typing import Any, Final

from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import Model, QuerySet
from django.utils import timezone

from mailbox import access_log
from mailbox.models import AccessLogEntry, AccessLogHead, CaseSystem, FunctionMailbox, LoginSession, Person
from sdkportal.backup.targets import Target
from transport.message_api.models import ApiClient
from transport.message_service.models import IncomingMessage, Organisation
from transport.remote_message_service.models import RemoteService
from transport.storage import blobs
from transport.storage.encryption import keys as data_keys
from transport.storage.encryption.models import DataKey

from . import manifests, under_way
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
from .people_named import people_columns

logger = logging.getLogger(__name__)
BEGUN: Final = "organisation-erasure-begun"
ERASED: Final = "organisation-erased"
_BATCH: Final = 500
_LOG_BATCH: Final = 5_000
_WAIT: Final = "10s"
_PASSES: Final = 3
_TRANSFER_LOG: Final = "access_point.TransferEvent"
# Who sees anything of the organisation, from people to directory services: they go first.
_FIRST: Final = (
    "mailbox.NamedMember",
    "mailbox.Membership",
    "mailbox.OrganisationRole",
    "mailbox.DirectoryToken",
    "mailbox.DepartmentLeader",
)
# The message service's row names the same file, but of a transfer that was replaced by another.
_FURTHER_FILES: Final = {
    "access_point.OutboundTransfer": ("envelope_name",),
    "directory_drop.DroppedTransfer": ("envelope_name",),
}
# What people write, or receive: more of it than was exported means that something came since.
_GROWING: Final = (
    "message_service.OutgoingMessage",
    "message_service.IncomingMessage",
    "mailbox.Message",
    "mailbox.Draft",
    "mailbox.Note",
    "mailbox.Registration",
)

Protocol = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be erased, who has ordered it, and the export that it was verified against, if any."""

    participant_id: str
    by: str
    manifest: str = ""
    keeps_transfer_log: bool = False


def counts(participant_id: str) -> dict[str, int]:
    """How many rows there are of each model that has any."""
    found = {}
    for label in _erased_labels():
        if count := sum(rows.count() for rows in rows_of(label, participant_id)):
            found[label] = count
    return found


def check_export(participant_id: str, target: Target, *, although_changed: bool = False) -> str:
    """Verify that a directory holds a whole export of the organisation that was made here, and that nothing
    has come since; the digest of its manifest. Raises `LeavingError`."""
    manifest = manifests.read(target)
    if manifest.participant_id != participant_id:
        raise LeavingError(f"The export is one of {manifest.participant_id}.")
    made = AccessLogEntry.objects.filter(participant_id=participant_id, what="organisation-exported")
    if not made.filter(details__manifest=manifest.digest).exists() and _begun(participant_id) is None:
        raise LeavingError("The access log does not tell of this export: it was changed, or not made here.")
    manifests.verify(target, manifest)
    if not although_changed and _begun(participant_id) is None:
        for label in _GROWING:
            table = manifest.table(label)
            now = sum(rows.count() for rows in exported_rows(label, participant_id))
            if table is None or now > table.rows:
                more = now - (table.rows if table is not None else 0)
                raise LeavingError(f"Since the export {more} rows of {label} have come: export again.")
    return manifest.digest


def erased_before(participant_id: str) -> Protocol | None:
    """The protocol of an organisation that has been erased here and is not here."""
    if Organisation.objects.filter(participant_id=participant_id).exists():
        return None
    entry = AccessLogEntry.objects.filter(participant_id=participant_id, what=ERASED).last()
    return entry.details if entry is not None else None


def erase(
    order: Order, *, although_under_way: bool = False, report: Callable[[str], None] = lambda line: None
) -> Protocol:
    """Erase an organisation, or go on with it; the protocol. Raises `LeavingError`."""
    participant_id = order.participant_id
    _check_rights()
    begun = _begun(participant_id)
    if begun is None:
        found = under_way.counts(participant_id)
        if found and not although_under_way:
            raise LeavingError(f"Under way: {under_way.as_text(found)}. Nothing was erased.")
        begun = _begin(order)
    report("The organisation is closed; erasing its rows and files.")
    try:
        protocol = _erase_all(begun, report)
    except IntegrityError as error:
        name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") or "a constraint"
        raise LeavingError(f"Rows came while it was erased ({name}). Run it again.") from None
    fields = {"organisation": participant_id, "rows": sum(protocol["rows"].values())}
    logger.info("organisation_erased", extra={"fields": fields})
    return protocol


def _erase_all(begun: AccessLogEntry, report: Callable[[str], None]) -> Protocol:
    participant_id = begun.participant_id
    keeps_log = bool(begun.details["keeps_transfer_log"])
    for label in _FIRST:
        _erase_rows(label, participant_id, keeps_log)
    for _ in range(_PASSES):
        _unlink(participant_id)
        for label in _erased_labels():
            if count := _erase_rows(label, participant_id, keeps_log):
                report(f"{label}: {count}")
        if not any(_remaining(label, participant_id, keeps_log) for label in _erased_labels()):
            break
    else:
        raise LeavingError("Rows came while it was erased. Stop what makes them, and run it again.")
    erased_people, kept_people = _erase_people(begun.details["people"])
    return _finish(begun, erased_people, kept_people)


def _erased_labels() -> list[str]:
    """The models whose rows are erased, those first that refer to others."""
    erased = set(labels(Kind.EXPORTED, Kind.KEYS, Kind.REBUILT, Kind.PASSING))
    erased -= {ORGANISATION, "mailbox.AccessLogHead"}
    graph: dict[str, set[str]] = {label: set() for label in sorted(erased)}
    for label in graph:
        for column in model_of(label)._meta.concrete_fields:
            # Messages that are delivered locally are unlinked before.
            target = column.related_model
            if target is not None and target is not model_of(label) and column.name != "sent_as":
                graph[label] |= {target._meta.label} & erased
    return list(reversed(list(TopologicalSorter(graph).static_order())))


def _check_rights() -> None:
    """The access log only grows, but for the owner of its table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = %s::regclass",
            [AccessLogEntry._meta.db_table],
        )
        (is_owner,) = cursor.fetchone()
    if not is_owner:
        raise LeavingError("This role may not delete from the access log: run it as the database's owner.")


@contextmanager
def _log_may_shrink() -> Generator[None, None, None]:
    """A transaction in which entries of the access log may be deleted. Nobody else adds one meanwhile."""
    table = connection.ops.quote_name(AccessLogEntry._meta.db_table)
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        try:
            cursor.execute(f"SET LOCAL lock_timeout = '{_WAIT}'")
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER access_log_grows_only")
        except OperationalError:
            raise LeavingError("The access log is in use by a long transaction; run it again.") from None
        yield
        # What is deferred has to be done before a table is changed again.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER access_log_grows_only")


def _begun(participant_id: str) -> AccessLogEntry | None:
    return AccessLogEntry.objects.filter(participant_id=participant_id, what=BEGUN).last()


def _begin(order: Order) -> AccessLogEntry:
    """Close the organisation, and record what there is to erase."""
    participant_id = order.participant_id
    with transaction.atomic(durable=True):
        if not Organisation.objects.select_for_update().filter(participant_id=participant_id).exists():
            raise LeavingError(f"There is no organisation {participant_id} here.")
        FunctionMailbox.objects.filter(participant_id=participant_id).update(is_open=False)
        ApiClient.objects.filter(organisation__participant_id=participant_id).update(is_active=False)
        RemoteService.objects.filter(organisation__participant_id=participant_id).update(is_active=False)
        CaseSystem.objects.filter(participant_id=participant_id).update(is_enabled=False)
        number, digest = access_log.head_of(participant_id)
        return access_log.record(
            None,
            BEGUN,
            participant_id,
            by=order.by,
            manifest=order.manifest,
            keeps_transfer_log=order.keeps_transfer_log,
            rows=counts(participant_id),
            files=_count_files(participant_id),
            people=sorted(_people(participant_id)),
            log={"number": number, "digest": digest},
        )


def _people(participant_id: str) -> set[int]:
    found: set[int] = set()
    for label in _erased_labels():
        for rows in rows_of(label, participant_id):
            for column in people_columns(label):
                named = rows.exclude(**{column: None}).order_by().values_list(column, flat=True)
                found |= set(named.distinct())
    return found


def _file_columns(label: str) -> list[str]:
    own: dict[str, str] = getattr(model_of(label), "stored_files", {})
    return [*own, *_FURTHER_FILES.get(label, ())]


def _count_files(participant_id: str) -> int:
    return sum(
        rows.exclude(**{column: ""}).count()
        for label in labels(Kind.EXPORTED)
        for column in getattr(model_of(label), "stored_files", {})
        for rows in rows_of(label, participant_id)
    )


def _remaining(label: str, participant_id: str, keeps_log: bool) -> bool:
    return any(rows.exists() for rows in _to_erase(label, participant_id, keeps_log))


def _to_erase(label: str, participant_id: str, keeps_log: bool) -> Iterator[QuerySet[Any]]:
    if label == _TRANSFER_LOG and keeps_log:
        return
    for rows in rows_of(label, participant_id):
        yield rows.exclude(what=BEGUN) if label == ACCESS_LOG else rows


def _unlink(participant_id: str) -> None:
    """Let rows refer no more to rows of the same model, and arrivals to the organisation's sent messages: an
    arrival is its recipient's, and stays."""
    local = IncomingMessage.objects.filter(sent_as__organisation__participant_id=participant_id)
    local.update(sent_as=None)
    for label in _erased_labels():
        model = model_of(label)
        for column in model._meta.concrete_fields:
            if column.remote_field is not None and column.related_model is model:
                for rows in rows_of(label, participant_id):
                    rows.exclude(**{column.name: None}).update(**{column.name: None})


def _erase_rows(label: str, participant_id: str, keeps_log: bool) -> int:
    """Erase rows in batches, each with its files: files first, so that none is left that no row names."""
    model = model_of(label)
    columns = _file_columns(label)
    deleting = _log_may_shrink if label == ACCESS_LOG else nullcontext
    size = _LOG_BATCH if label == ACCESS_LOG else _BATCH
    count = 0
    for rows in _to_erase(label, participant_id, keeps_log):
        while keys := list(rows.order_by().values_list("pk", flat=True)[:size]):
            batch: Any = model._default_manager.filter(pk__in=keys)
            for names in batch.values_list(*columns) if columns else ():
                for name in names:
                    blobs.remove(name)
            with deleting():
                # Without a look at what refers to them: that was erased before, and the database sees to it.
                count += batch._raw_delete(batch.db)
    return count


def _erase_people(people: list[int]) -> tuple[int, int]:
    """Erase people whom no other organisation has to do with, with what is their own; how many, and how many
    are kept."""
    here = set(Person.objects.filter(pk__in=people).values_list("pk", flat=True))
    kept: set[int] = set()
    for model in apps.get_models():
        label = model._meta.label
        if label != PERSON and BELONGINGS[label].kind != Kind.INSTALLATION:
            for column in people_columns(label):
                named = model._default_manager.filter(**{f"{column}__in": here}).order_by()
                kept |= set(named.values_list(column, flat=True).distinct())
    gone = here - kept
    with transaction.atomic():
        logins = LoginSession.objects.filter(person__in=gone)
        Session.objects.filter(session_key__in=logins.values("session_key")).delete()
        Person.objects.filter(pk__in=gone).delete()
    return len(people) - len(kept), len(kept)


def _finish(begun: AccessLogEntry, erased_people: int, kept_people: int) -> Protocol:
    """Erase what is left, and leave the protocol as the first entry of a new access log."""
    participant_id = begun.participant_id
    protocol = {
        "participant_id": participant_id,
        "by": begun.details["by"],
        "begun_at": begun.at.astimezone(UTC).isoformat(),
        "erased_at": timezone.now().astimezone(UTC).isoformat(),
        "manifest": begun.details["manifest"],
        "rows": begun.details["rows"],
        "files": begun.details["files"],
        "people": {"erased": erased_people, "kept": kept_people},
        "keeps_transfer_log": begun.details["keeps_transfer_log"],
        "log": begun.details["log"],
    }
    with _log_may_shrink():
        protocol["data_keys"] = DataKey.objects.filter(participant_id=participant_id).delete()[0]
        _raw_delete(AccessLogEntry, participant_id)
        AccessLogHead.objects.filter(pk=participant_id).delete()
        _raw_delete(Organisation, participant_id)
        details = {name: value for name, value in protocol.items() if name != "participant_id"}
        access_log.record(None, ERASED, participant_id, **details)
        transaction.on_commit(data_keys.drop_cached)
    return protocol


def _raw_delete(model: type[Model], participant_id: str) -> None:
    rows: Any = model._default_manager.filter(participant_id=participant_id)
    rows._raw_delete(rows.db)
