"""What `manage.py check` says of this node's settings, besides what Django looks at."""

from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

# The threads of one process of the access point, as deploy/ has them.
_ACCESS_POINT_THREADS: Final = 8
# Beat, a management command or two, and whoever looks at the database.
_OTHERS: Final = 5


@register(Tags.database)
def database_has_room(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Whether PostgreSQL lets in as many connections as all processes may open."""
    if "default" not in (databases or ()):
        return []
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('max_connections')::int "
            "- current_setting('superuser_reserved_connections')::int"
        )
        ((room,),) = cursor.fetchall()
    needed = connections_needed()
    if needed <= room:
        return []
    return [
        Error(
            f"PostgreSQL has room for {room} connections, and this node may open {needed}.",
            hint="Raise max_connections, or lower SDK_DATABASE_POOL or the numbers of processes "
            "(SDK_PAGES_PROCESSES, SDK_ACCESS_POINT_PROCESSES, SDK_WORKER_PROCESSES).",
            id="sdkportal.E001",
        )
    ]


def connections_needed() -> int:
    """At most so many connections are open at once: the pools, a listener for each process of the pages, and
    for each worker its own and that of the thread that keeps its lease."""
    pool = settings.SDK_DATABASE_POOL
    pages = settings.SDK_PAGES_PROCESSES * (pool + 1)
    access_point = settings.SDK_ACCESS_POINT_PROCESSES * min(
        pool or _ACCESS_POINT_THREADS, _ACCESS_POINT_THREADS
    )
    return pages + access_point + 2 * settings.SDK_WORKER_PROCESSES + _OTHERS
