"""Keeps garbage collection from slowing down requests: it looks neither at what a process loads at its start
nor, again and again, at its open pages."""

import gc
from importlib import import_module
from typing import Final

from django.conf import settings

# After so many new objects, and not after 700: most of a request's are gone by then without it. What stays is
# looked over after 10 x 10 such rounds. With thousands of open pages that takes a third of a second.
_THRESHOLDS: Final = (20_000, 10, 10)


def freeze_loaded_code() -> None:
    """Load the code that answers requests, and exclude every object so far from garbage collection.

    Django has to be set up.
    """
    import_module(settings.ROOT_URLCONF)
    freeze_objects()


def freeze_objects() -> None:
    """Exclude every object so far from garbage collection; forked children then share their memory."""
    gc.collect()
    gc.freeze()


def collect_rarely() -> None:
    """Have the other objects looked over less often than Python does: for a process that holds open pages."""
    gc.set_threshold(*_THRESHOLDS)
