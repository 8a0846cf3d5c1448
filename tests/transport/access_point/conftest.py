import pytest

from tests.world import federation, world

from .build import Line, Peer

__all__ = ["federation", "line", "peer", "world"]


@pytest.fixture
def peer(world, tmp_path):
    return Peer(world, tmp_path)


@pytest.fixture
def line(world):
    """What leaves here comes in again over this line."""
    with Line() as one:
        world.federation.add_access_point(world.access_point, one.url)
        yield one
