"""The node of a realistic size that pages are measured on: made once in a directory, and kept there."""

# ruff: noqa: T201

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.services import Postgres


@contextmanager
def realistic_node(directory: Path, **size: int) -> Iterator[Postgres]:
    """The server with the node's database, of a `testbed.realistic_node.Size`.

    This process is set up for it, and `os.environ` says where it is.
    """
    postgres = Postgres(directory)
    postgres.start()
    try:
        postgres.ensure_database("pages")
        os.environ |= {
            "SDK_DEMO": "1",
            "SDK_DATABASE_URL": postgres.url("pages"),
            "SDK_DATA_DIR": str(directory / "data"),
            "SDK_LOG_LEVEL": "ERROR",
            "DJANGO_SETTINGS_MODULE": "sdkportal.settings",
        }
        import django

        django.setup()
        _fill(directory / "made", size)
        yield postgres
    finally:
        postgres.stop()


def _fill(mark: Path, size: dict[str, int]) -> None:
    """Create the node's rows unless they exist; ends the program where an earlier run was interrupted."""
    from django.core.management import call_command

    from mailbox.daily_figures import storage
    from mailbox.models import Message
    from testbed.realistic_node import Size, make

    call_command("migrate", verbosity=0)
    if mark.exists():
        storage.recount_due()
        return
    if Message.objects.exists():
        sys.exit(f"The node in {mark.parent} is incomplete; remove the directory.")
    begun = time.monotonic()
    make(
        Size(**size),
        report=lambda line: print(f"{time.monotonic() - begun:6.0f} s  {line}", flush=True),
    )
    storage.recount_due()
    mark.touch()
    print(f"made in {time.monotonic() - begun:.0f} s")
