"""Django's PostgreSQL backend, for processes that ask the same simple things again and again."""

from typing import cast

from django.conf import settings


def prepare_statements() -> None:
    """Let the server plan this process's simple statements once; call it before the first connection.

    For the access point and the workers: the same inserts, and rows by their key, are most of what a message
    costs. Pages ask for what a plan depends on, and are measured as they are.
    """
    if settings.SDK_DATABASE_PREPARES:
        options = cast(dict[str, object], settings.DATABASES["default"]["OPTIONS"])
        options.update(server_side_binding=True, prepare_threshold=5)
