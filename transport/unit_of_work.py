"""Units of work: the rows of many steps, written in a few statements at the end of their transaction.

A step adds rows and notifications to the unit that is open in its thread. Without an open unit they are
written at once, so a step need not know whether it is one of many. A unit is for rows that nobody reads again
in the same transaction: histories, logs, orders.
"""

import copy
import threading
from collections.abc import Callable, Generator, Hashable, Iterable, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import connection, models, transaction

_Key = TypeVar("_Key", bound=Hashable)
_Row = TypeVar("_Row", bound=models.Model)


class _Unit(threading.local):
    """The rows and notifications of the thread's unit of work; `is_open` says whether there is a unit."""

    def __init__(self) -> None:
        self.is_open = False
        self.clear()

    def clear(self) -> None:
        self.rows: dict[tuple[type[models.Model], bool], list[models.Model]] = {}
        self.notices: dict[Callable[[Sequence[Any]], None], dict[Hashable, None]] = {}


_unit = _Unit()


@contextmanager
def unit_of_work() -> Generator[None, None, None]:
    """Collect the rows and notifications of the body, and write them at its end, in the same transaction.

    If a unit is open already, the body is a part of it. If the body fails, its rows are dropped.
    """
    if _unit.is_open:
        yield
        return
    _unit.is_open = True
    try:
        with transaction.atomic(savepoint=False):
            yield
            _write()
    finally:
        _unit.is_open = False
        _unit.clear()


def insert(*rows: models.Model, ignore_conflicts: bool = False) -> None:
    """Insert rows, in any order: one may refer to another of the same unit. Their keys are not read back."""
    for row in rows:
        _unit.rows.setdefault((type(row), ignore_conflicts), []).append(row)
    if not _unit.is_open:
        _write()


def notify(handler: Callable[[Sequence[_Key]], None], key: _Key) -> None:
    """Call the handler at the end of the unit, once for all its keys, each key once."""
    if _unit.is_open:
        _unit.notices.setdefault(handler, {})[key] = None
    else:
        handler([key])


def _write() -> None:
    # A handler may insert and notify in its turn.
    while _unit.rows or _unit.notices:
        inserted, _unit.rows = _unit.rows, {}
        for (model, ignore_conflicts), rows in inserted.items():
            model._default_manager.bulk_create(rows, ignore_conflicts=ignore_conflicts)
        notices, _unit.notices = _unit.notices, {}
        for handler, keys in notices.items():
            handler(list(keys))


@contextmanager
def saving(rows: Iterable[models.Model]) -> Generator[None, None, None]:
    """Update the columns that the body changes, in one statement for all rows with the same changed columns.

    The caller has locked the rows.
    """
    found = list(rows)
    before = [_columns(row) for row in found]
    yield
    changed: dict[tuple[type[models.Model], tuple[str, ...]], list[models.Model]] = {}
    for row, earlier in zip(found, before, strict=True):
        names = tuple(name for name, value in _columns(row).items() if value != earlier.get(name))
        changed.setdefault((type(row), names), []).append(row)
    for (_, names), alike in changed.items():
        update(alike, names)


def _columns(row: models.Model) -> dict[str, Any]:
    # As they are stored: sealed values are not opened for this.
    return {
        field.attname: copy.copy(row.__dict__[field.attname])
        for field in row._meta.concrete_fields
        if field.attname in row.__dict__
    }


def update(rows: Iterable[_Row], names: Sequence[str]) -> None:
    """Update these columns (`attname`s) of rows of one model, in one statement."""
    found = list(rows)
    if not found or not names:
        return
    meta = found[0]._meta
    key = meta.pk
    fields = [field for field in meta.concrete_fields if field.attname in set(names)]
    quoted = connection.ops.quote_name
    columns = [(quoted(str(field.column)), _type_of(field)) for field in fields]
    table = quoted(meta.db_table)
    assigned = ", ".join(f"{column} = new_values.{column}" for column, _ in columns)
    given = ", ".join(["new_key", *(column for column, _ in columns)])
    arrays = ", ".join(f"%s::{kind}[]" for kind in [_type_of(key), *(kind for _, kind in columns)])
    parameters = [[row.pk for row in found]]
    parameters += [
        [field.get_db_prep_save(field.pre_save(row, False), connection) for row in found] for field in fields
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {assigned} FROM unnest({arrays}) AS new_values ({given}) "  # noqa: S608
            f"WHERE {table}.{quoted(str(key.column))} = new_values.new_key",
            parameters,
        )


def _type_of(field: "models.Field[Any, Any]") -> str:
    """A column's type, without a length: a value that is too long is to fail, and not to be cut."""
    kind = str(field.db_type(connection))
    return "text" if kind.startswith("varchar") else kind
