"""What a process loads at its start stays: told to the garbage collector, which else looks through all of it
time and again while somebody waits."""

import gc
from importlib import import_module

from django.conf import settings


def keep_what_is_loaded() -> None:
    """Load the code that answers requests, and let the collector leave alone what is there now.

    Django has to be set up.
    """
    import_module(settings.ROOT_URLCONF)
    leave_alone()


def leave_alone() -> None:
    """Let the collector leave alone what is there now; before a process forks, its children share it then."""
    gc.collect()
    gc.freeze()
