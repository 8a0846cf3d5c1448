import pytest

from tests.world import federation, world

from .clients import SteeredClient

__all__ = ["client", "federation", "world"]


@pytest.fixture
def client(settings):
    """The message client of this node is one that the test steers."""
    settings.SDK_MESSAGE_CLIENT = f"{SteeredClient.__module__}.{SteeredClient.__name__}"
    SteeredClient.reset()
    return SteeredClient
