"""The keys that imported rows get: numbers from a block that no other row has, ids as they were.

A block is reserved in the sequence of each model, as long as the numbers of the exporting installation go.
A row's new key is the block's beginning and its old key: nothing has to be remembered for a row, the order
stays, and a key that stands in a value leads to the row that it led to, or to none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import DatabaseError, connection, transaction
from django.db.models import AutoField

from .belongings import ORGANISATION, PERSON, model_of
from .errors import LeavingError

_WAIT: Final = "10s"
_MOST: Final = 2**62


@dataclass
class ReservedKeys:
    """New keys, by models' labels; `people` are those who are here already, `organisation` the
    organisation's key where it is here already."""

    people: Mapping[int, int]
    organisation: int | None
    blocks: dict[str, range] = field(default_factory=dict)

    def of(self, label: str, key: Any) -> Any:
        """The new key of a row. Raises `IndexError` for one that the exporting installation has not had."""
        if label == PERSON and key in self.people:
            return self.people[key]
        if label == ORGANISATION and self.organisation is not None:
            return self.organisation
        if not isinstance(key, int):
            return key
        if key < 0:
            raise IndexError
        return self.blocks[label][key]


def reserve(label: str, largest_key: int) -> range:
    """Reserve a block of a model's keys. What was reserved and is not used stays unused.

    Raises `LeavingError` where the model's table cannot be locked for the moment that it takes.
    """
    meta = model_of(label)._meta
    if not isinstance(meta.pk, AutoField):
        return range(0)
    if not 0 <= largest_key < _MOST:
        raise LeavingError(f"{label}: the manifest names a largest key that no table has.")
    table = connection.ops.quote_name(meta.db_table)
    try:
        with transaction.atomic(durable=True), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{_WAIT}'")
            # Nobody takes a number between the two statements: rows get theirs under a lock of their table.
            cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
            cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [meta.db_table, meta.pk.column])
            (sequence,) = cursor.fetchone()
            cursor.execute("SELECT nextval(%s)", [sequence])
            (begin,) = cursor.fetchone()
            cursor.execute("SELECT setval(%s, %s)", [sequence, begin + largest_key + 1])
    except DatabaseError as error:
        raise LeavingError(
            f"No keys can be reserved in {meta.db_table} ({type(error).__name__}): is this the owner of the "
            "database, and does nothing lock the table?"
        ) from None
    return range(begin, begin + largest_key + 1)
