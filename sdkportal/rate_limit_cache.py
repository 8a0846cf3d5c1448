"""Where calls are counted: the broker's Valkey, which all processes share.

Nothing else hangs on it: while it is away nobody is counted, and everybody is let in.
"""

import logging
from typing import Any

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


class RateCache(RedisCache):
    """Django's, but for what the counting uses: that is told `None` while the server is away."""

    def add(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().add(*args, **kwargs)
        except RedisError as error:
            return _away(error)

    def incr(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().incr(*args, **kwargs)
        except RedisError as error:
            return _away(error)


def _away(error: RedisError) -> None:
    logger.warning("calls not counted", extra={"fields": {"error": type(error).__name__}})
