"""Connections to the database: those that threads share (`sdkportal.postgresql.pool_connections`), and those
beside Django's."""

from typing import Any, Final

from django.db import connection

# What Django adds for its own cursors.
_OF_DJANGO: Final = frozenset({"cursor_factory", "context", "prepare_threshold"})


def connection_parameters() -> dict[str, Any]:
    """What psycopg is to connect by beside Django: servers, names, TLS and time limits of the settings."""
    given: dict[str, Any] = connection.get_connection_params()
    return {name: value for name, value in given.items() if name not in _OF_DJANGO}


def release_connection() -> None:
    """Give this thread's connection back to the pool, if it has one from there and no transaction is open.

    For work that goes on without the database, such as an answer that a slow reader takes: the next query
    takes a connection anew.
    """
    is_pooled = getattr(connection, "pool", None) is not None
    if is_pooled and connection.connection is not None and not connection.in_atomic_block:
        connection.close()
