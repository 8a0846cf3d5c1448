"""Connections to the database that many threads share (`sdkportal.postgresql.pool_connections`)."""

from django.db import connection


def release_connection() -> None:
    """Give this thread's connection back to the pool, if it has one from there and no transaction is open.

    For work that goes on without the database, such as an answer that a slow reader takes: the next query
    takes a connection anew.
    """
    is_pooled = getattr(connection, "pool", None) is not None
    if is_pooled and connection.connection is not None and not connection.in_atomic_block:
        connection.close()
