"""Rows of models written by COPY: millions in minutes, without signals and without checks.

Only for databases that hold nothing but generated rows.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection, models
from django.utils import timezone


def copy(model: type[models.Model], rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows, given as values by column name; a column that a row leaves out gets the field's default.

    Encrypted columns are given as ciphertext.
    """
    fields = [field for field in model._meta.concrete_fields if not getattr(field, "generated", False)]
    defaults = {str(field.column): _default(field) for field in fields}
    columns = ", ".join(connection.ops.quote_name(name) for name in defaults)
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as target:
        write = target.write_row
        for row in rows:
            write([row.get(name, default) for name, default in defaults.items()])


def drop_indexes(*models_to_copy: type[models.Model]) -> list[str]:
    """Drop the tables' indexes, except those of keys and constraints; returns what `create_indexes` takes."""
    tables = [model._meta.db_table for model in models_to_copy]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND NOT EXISTS "
            "(SELECT 1 FROM pg_constraint WHERE conname = indexname) ORDER BY indexname",
            [tables],
        )
        found = cursor.fetchall()
        for name, _ in found:
            cursor.execute(f"DROP INDEX {connection.ops.quote_name(name)}")
    return [definition for _, definition in found]


def create_indexes(definitions: Iterable[str]) -> None:
    """Create the indexes that `drop_indexes` has dropped."""
    with connection.cursor() as cursor:
        for definition in definitions:
            cursor.execute(definition)


def advance_sequences(*copied: type[models.Model]) -> None:
    """Set the sequences of primary keys behind the largest key that was copied."""
    with connection.cursor() as cursor:
        for model in copied:
            table, column = model._meta.db_table, model._meta.pk.column
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence(%s, %s), max({column})) FROM {table}",
                [table, column],
            )


def _default(field: Any) -> Any:
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return timezone.now()
    value = field.get_default() if field.has_default() or not field.null else None
    if isinstance(field, models.JSONField):
        return "[]" if value is None and not field.null else None if value is None else _as_json(value)
    if value is None and not field.null and isinstance(field, models.CharField | models.TextField):
        return ""
    return value


def _as_json(value: Any) -> str:
    return "{}" if value == {} else "[]" if value == [] else str(value)
