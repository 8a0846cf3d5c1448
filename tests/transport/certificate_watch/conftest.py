from tests.world import federation, world

__all__ = ["federation", "world"]
