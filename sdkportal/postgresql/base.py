"""The backend, as ENGINE names it."""

from django.db.backends.postgresql import base, operations
from psycopg.types.numeric import Int8

_INT4 = range(-(2**31), 2**31)


class DatabaseOperations(operations.DatabaseOperations):
    """Numbers go to the server whole.

    Django takes any Python number in an expression for a 32-bit one, and where the server binds the values,
    psycopg cuts a longer one to that without a word: an array of 64-bit hashes would be searched for others.
    """

    def adapt_integerfield_value(self, value: object, internal_type: str) -> object:
        if isinstance(value, int) and value not in _INT4:
            return Int8(value)
        return super().adapt_integerfield_value(value, internal_type)


class DatabaseWrapper(base.DatabaseWrapper):
    """PostgreSQL."""

    ops_class = DatabaseOperations
