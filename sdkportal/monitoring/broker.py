"""The broker as monitoring asks it: in a short time, and without trying again."""

from django.conf import settings
from redis import Redis, RedisError

_SECONDS = 2


def broker() -> Redis:
    """A client of the broker's server; whoever takes it closes it."""
    return Redis.from_url(
        settings.CELERY_BROKER_URL, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, retry=None
    )


def answers() -> bool:
    """Whether the broker answers."""
    try:
        with broker() as client:
            return bool(client.ping())
    except RedisError:
        return False
