"""What a server process loads at its start stays: told to the garbage collector, which else looks through all
of it time and again while somebody waits for a page."""

import gc
from importlib import import_module

from django.conf import settings


def keep_what_is_loaded() -> None:
    """Load the pages' code, and let the collector leave alone what is there now. Django has to be set up."""
    import_module(settings.ROOT_URLCONF)
    gc.collect()
    gc.freeze()
