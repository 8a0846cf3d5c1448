"""Connections to the database: those that threads share (`sdkportal.postgresql.pool_connections`), and those
beside Django's."""

from typing import Any, Final

from django.db import connection

_KEPT_SECONDS: Final = 3600
# What Django adds for its own cursors.
_OF_DJANGO: Final = frozenset({"cursor_factory", "context", "prepare_threshold"})


def connection_parameters() -> dict[str, Any]:
    """What psycopg is to connect by beside Django: servers, names, TLS and time limits of the settings."""
    given: dict[str, Any] = connection.get_connection_params()
    return {name: value for name, value in given.items() if name not in _OF_DJANGO}


def keep_own_connection() -> None:
    """Give this thread a connection beside the pool, which it keeps from one piece of work to the next.

    For work that may not wait until others give theirs back. Each piece ends with
    `connection.close_if_unusable_or_obsolete()`. In a process without a pool nothing is changed.
    """
    options = connection.settings_dict["OPTIONS"]
    if "pool" in options:
        connection.settings_dict = {
            **connection.settings_dict,
            "OPTIONS": {name: value for name, value in options.items() if name != "pool"},
            "CONN_MAX_AGE": _KEPT_SECONDS,
            "CONN_HEALTH_CHECKS": True,
        }


def release_connection() -> None:
    """Give this thread's connection back to the pool, if it has one from there and no transaction is open.

    For work that goes on without the database, such as an answer that a slow reader takes: the next query
    takes a connection anew.
    """
    is_pooled = getattr(connection, "pool", None) is not None
    if is_pooled and connection.connection is not None and not connection.in_atomic_block:
        connection.close()
