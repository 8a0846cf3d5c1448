"""Rows as JSON, and back: values in the clear, under the names of the fields, foreign keys as keys."""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Field, Model

from transport.jobs import LeasedJob
from transport.storage.encryption.fields import EncryptedJSONField, EncryptedTextField

from .belongings import PERSON, PERSON_FIELDS, SECRETS
from .errors import LeavingError

_BATCH: Final = 500
# What a worker was about to do, and where: the importing installation's workers have nothing to do.
_OF_JOBS: Final = frozenset({"due_at", "lease", "lease_until", "slot"})
# What would be sent by itself when its time comes.
_SENT_LATER: Final = frozenset({("mailbox.Draft", "send_at")})
# Access to another service, for some minutes.
_TOKENS: Final = frozenset(
    {
        ("remote_message_service.RemoteService", "access_token"),
        ("remote_message_service.RemoteService", "token_until"),
    }
)
# Connections that fetch by themselves: two installations must not do so. An administrator turns them on.
_SWITCHES: Final = frozenset(
    {("mailbox.CaseSystem", "is_enabled"), ("remote_message_service.RemoteService", "is_active")}
)

Fields = Sequence["Field[Any, Any]"]


def exported_fields(label: str, model: type[Model]) -> Fields:
    """The fields of a model's rows in an export."""
    columns = model._meta.concrete_fields
    if label == PERSON:
        return [each for each in columns if each.name in PERSON_FIELDS]
    secrets = SECRETS.get(label, ())
    return [
        each
        for each in columns
        if each.name not in secrets
        and (label, each.name) not in _TOKENS
        and not (issubclass(model, LeasedJob) and each.name in _OF_JOBS)
    ]


def as_json(row: Model, fields: Fields) -> dict[str, Any]:
    """The values of a row, decrypted, as JSON has them: times as ISO 8601, bytes as base64."""
    return {each.name: _plain(getattr(row, each.attname)) for each in fields}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | list | dict):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    raise TypeError(f"{type(value).__name__} has no form in an export")


def from_json(
    label: str, model: type[Model], values: Mapping[str, Any], key_of: Callable[[str, Any], Any]
) -> Model:
    """A row, not saved, with the keys that `key_of` gives for a model and an exported key.

    Workers have nothing to do with it, and nothing of it is sent by itself. Raises `LeavingError`.
    """
    known = {each.name: each for each in model._meta.concrete_fields}
    if unknown := values.keys() - known.keys():
        raise LeavingError(
            f"{label} has fields that this version does not know: {', '.join(sorted(unknown))}."
        )
    row = model()
    for name, value in values.items():
        column = known[name]
        try:
            setattr(row, column.attname, _read(label, column, value, key_of))
        except (ValidationError, ValueError, TypeError, LookupError):
            raise LeavingError(f"{label} {values.get('id', '')}: {name} has no value of its kind.") from None
    for name in known:
        if (label, name) in _SENT_LATER:
            setattr(row, name, None)
        if (label, name) in _SWITCHES:
            setattr(row, name, False)
    return row


def _read(label: str, column: Any, value: Any, key_of: Callable[[str, Any], Any]) -> Any:
    if value is None:
        return None
    if column.remote_field is not None:
        target = column.target_field
        while target.remote_field is not None:
            target = target.target_field
        return key_of(target.model._meta.label, target.to_python(value))
    read = column.to_python(value)
    return key_of(label, read) if column.primary_key else read


def insert(model: type[Model], rows: Iterable[Model], participant_id: str, *, is_shared: bool = False) -> int:
    """Insert rows as they are, encrypted for the organisation; how many. Times are not set anew, nothing is
    asked of the database for a row, and nobody is notified. `is_shared` leaves rows that are there."""
    meta = model._meta
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(each.column)) for each in meta.concrete_fields)
    marks = ", ".join(["%s"] * len(meta.concrete_fields))
    conflict = " ON CONFLICT DO NOTHING" if is_shared else ""
    statement = f"INSERT INTO {quote(meta.db_table)} ({columns}) VALUES ({marks}){conflict}"  # noqa: S608
    count = 0
    remaining = iter(rows)
    with connection.cursor() as cursor:
        while batch := list(islice(remaining, _BATCH)):
            cursor.executemany(statement, [_stored(row, participant_id) for row in batch])
            count += len(batch)
    return count


def _stored(row: Model, participant_id: str) -> list[Any]:
    return [_stored_value(each, row, participant_id) for each in row._meta.concrete_fields]


def _stored_value(column: Any, row: Model, participant_id: str) -> Any:
    if isinstance(column, EncryptedTextField | EncryptedJSONField):
        return column.get_db_prep_save(column.seal_for(row, participant_id), connection)
    return column.get_db_prep_save(getattr(row, column.attname), connection)
