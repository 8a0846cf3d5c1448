import pytest

from tests.world import federation, world
from transport.observation import traces

from .collector import Collector, serving

__all__ = ["federation", "world"]


@pytest.fixture
def collector(settings):
    """Where this process exports its spans during the test."""
    for found in serving():
        settings.SDK_TRACES_URL = found.url
        yield found
        traces.end()


@pytest.fixture
def exported(collector):
    """The collector, when everything that waited has been exported."""

    def after() -> Collector:
        traces.end()
        return collector

    return after
