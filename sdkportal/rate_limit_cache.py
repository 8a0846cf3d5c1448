"""The cache that counts calls for rate limits: the broker's Valkey, which all processes share.

While it is unavailable no calls are counted, and none are refused.
"""

import logging
from typing import Any

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


class RateLimitCache(RedisCache):
    """Django's Redis cache; `add` and `incr` give None while the server is unavailable."""

    def add(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().add(*args, **kwargs)
        except RedisError as error:
            return _unavailable(error)

    def incr(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().incr(*args, **kwargs)
        except RedisError as error:
            return _unavailable(error)


def _unavailable(error: RedisError) -> None:
    logger.warning("rate_limit_cache_unavailable", extra={"fields": {"error": type(error).__name__}})
