"""The backend, as ENGINE names it."""

import contextlib
import select
from collections.abc import Sequence
from typing import Any, Self

from django.conf import settings
from django.db.backends.postgresql import base, operations
from django.db.backends.utils import CursorWrapper
from psycopg import ClientCursor, Connection, Cursor, OperationalError
from psycopg.types.numeric import Int8
from psycopg_pool import ConnectionPool

_INT4 = range(-(2**31), 2**31)
_MOST_VALUES = 2**16 - 1
_PLANNED_EACH_TIME = (" JOIN ", "(SELECT ", " ORDER BY ", " IN (")


class DatabaseOperations(operations.DatabaseOperations):
    """Numbers go to the server whole.

    Django takes any Python number in an expression for a 32-bit one, and where the server binds the values,
    psycopg cuts a longer one to that without a word: an array of 64-bit hashes would be searched for others.
    """

    def adapt_integerfield_value(self, value: object, internal_type: str) -> object:
        if isinstance(value, int) and value not in _INT4:
            return Int8(value)
        return super().adapt_integerfield_value(value, internal_type)


class ServerBindingCursor(base.CursorMixin, Cursor[Any]):
    """Prepares only statements whose plan does not hang on their values: others are planned each time.

    More values than the protocol has room for go to the server in the text of the statement.
    """

    def execute(  # type: ignore[override]
        self, query: Any, params: Sequence[Any] | None = None, **options: Any
    ) -> Self:
        if params is not None and len(params) > _MOST_VALUES:
            query, params = ClientCursor(self.connection).mogrify(query, params), None
        if not isinstance(query, str) or any(word in query for word in _PLANNED_EACH_TIME):
            options.setdefault("prepare", False)
        super().execute(query, params, **options)
        return self


class PlannedCursor(base.CursorMixin, Cursor[Any]):
    """Has its statements planned once for a connection, by the first use of each."""

    def execute(self, query: Any, params: Sequence[Any] | None = None, **options: Any) -> Self:  # type: ignore[override]
        super().execute(query, params, prepare=True, **options)
        return self


def raise_if_closed(connection: Connection[Any]) -> None:
    """Raise `psycopg.OperationalError` if the server has closed an idle connection."""
    if connection.closed or _has_news(connection):
        ConnectionPool.check_connection(connection)


def _has_news(connection: Connection[Any]) -> bool:
    """Whether the server has said something on an idle connection, as it does where it closes one.

    To ask each time costs a round trip and a transaction, for each request and task.
    """
    try:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        return bool(poll.poll(0))
    except (OSError, ValueError, OperationalError):
        return True


class DatabaseWrapper(base.DatabaseWrapper):
    """PostgreSQL."""

    ops_class = DatabaseOperations

    def get_connection_params(self) -> dict[str, Any]:
        given: dict[str, Any] = super().get_connection_params()
        if given["cursor_factory"] is base.ServerBindingCursor:
            given["cursor_factory"] = ServerBindingCursor
        return given

    @property
    def pool(self) -> Any:
        """The pool of this process, as Django makes it, but for how it checks a connection."""
        found = super().pool
        if found is not None:
            found._check = raise_if_closed
        return found

    def planned_cursor(self) -> CursorWrapper:
        """A cursor for statements of many subqueries, which the server plans once for this connection.

        To plan a dozen subqueries takes the server longer than to run them. With SDK_DATABASE_PREPARES off it
        is an ordinary cursor.
        """
        if not settings.SDK_DATABASE_PREPARES:
            return self.cursor()
        self.close_if_health_check_failed()
        self.ensure_connection()
        with self.wrap_database_errors:
            cursor: Any = PlannedCursor(self.connection)
        return self.make_debug_cursor(cursor) if self.queries_logged else self.make_cursor(cursor)

    def is_usable(self) -> bool:
        if self.connection is not None and not _has_news(self.connection):
            return not self.connection.closed
        usable: bool = super().is_usable()
        return usable

    def __del__(self) -> None:
        """A thread that ended without closing its connection gives it back: its pool would miss it."""
        connection = self.connection
        pool = getattr(connection, "_pool", None)
        if pool is not None:
            with contextlib.suppress(Exception):
                pool.putconn(connection)
