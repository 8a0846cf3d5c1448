"""Django's PostgreSQL backend: statements planned once, and a few connections shared by many threads."""

from typing import Final, cast

from django.conf import settings

# A request waits so long for a connection; then it is answered with 503.
_WAIT_SECONDS: Final = 10.0
# Reconnecting is tried for so long, then again at the next request: with the pool's own growing pauses it
# would take as long again as the server was unavailable.
_RECONNECT_SECONDS: Final = 4.0
# The most requests that may wait at once; further ones are answered with 503.
_MOST_WAITING: Final = 512


def prepare_statements() -> None:
    """Let the server plan this process's simple statements once; call it before the first connection.

    For the access point and the workers: the same inserts, and rows by their key, are most of what a message
    costs. Pages ask for what a plan depends on, and are measured as they are.
    """
    if settings.SDK_DATABASE_PREPARES:
        options = cast(dict[str, object], settings.DATABASES["default"]["OPTIONS"])
        options.update(server_side_binding=True, prepare_threshold=5)


def pool_connections() -> None:
    """Let this process's threads share at most SDK_DATABASE_POOL connections; call it before the first one.

    For the processes that serve pages and AS4, whose threads come and go: without a pool each keeps a
    connection of its own, and PostgreSQL's `max_connections` bounds how many pages may be open.
    """
    size = settings.SDK_DATABASE_POOL
    if size < 1:
        return
    database = cast(dict[str, object], settings.DATABASES["default"])
    options = cast(dict[str, object], database["OPTIONS"])
    options["pool"] = {
        "min_size": min(2, size),
        "max_size": size,
        "max_waiting": _MOST_WAITING,
        "timeout": _WAIT_SECONDS,
        "reconnect_timeout": _RECONNECT_SECONDS,
        "name": "sdkportal",
    }
    # Each request gives its connection back.
    database["CONN_MAX_AGE"] = 0
