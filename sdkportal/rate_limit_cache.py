"""The cache that counts calls, of others and of ours to them: the broker's Valkey, which all processes share.

While it is unavailable no calls are counted, and none are refused.
"""

import logging
from typing import Any

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


class RateLimitCache(RedisCache):
    """Django's Redis cache; while the server is unavailable it is empty, and `add` and `incr` give None."""

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

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        try:
            return super().get(key, default, version)
        except RedisError as error:
            _unavailable(error)
            return default

    def set(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().set(*args, **kwargs)
        except RedisError as error:
            _unavailable(error)

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        try:
            return bool(super().delete(*args, **kwargs))
        except RedisError as error:
            _unavailable(error)
            return False


def _unavailable(error: RedisError) -> None:
    logger.warning("rate_limit_cache_unavailable", extra={"fields": {"error": type(error).__name__}})
