from tests.world import federation

__all__ = ["federation"]
