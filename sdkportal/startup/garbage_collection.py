"""Excludes what a process loads at its start from garbage collection, which would slow down requests."""

import gc
from importlib import import_module

from django.conf import settings


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
