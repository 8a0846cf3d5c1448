"""Observation of messages' steps in this process: loaded before it forks, and ended with it."""

import atexit

from transport.observation import figures, traces


def begin() -> None:
    """Load what exports traces, if they are on, so that forked processes share it; see to the end of it."""
    traces.load()
    # Processes that Celery forks end without it: `sdkportal.celery` ends it there.
    atexit.register(end)


def end() -> None:
    """Hand over what this process has counted and traced and not handed over yet; in a short time."""
    figures.end()
    traces.end()
