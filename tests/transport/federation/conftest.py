import pytest

from tests.world import federation, point_at

__all__ = ["federation"]


@pytest.fixture
def in_federation(federation, settings, db):
    """The federation, asked through this process's settings."""
    point_at(federation, settings)
    return federation
