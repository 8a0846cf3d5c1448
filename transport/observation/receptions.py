"""When the access point began to receive an envelope, kept for its trace until the message in it is known.

Kept at the broker, for an hour: who finds nothing has a trace without how long that took.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, cast
from uuid import UUID

import redis

from transport import queues

from . import traces

_KEPT_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class Reception:
    """When it began, in nanoseconds since 1970, and how many bytes the envelope has."""

    began: int
    size: int


def note(transfer_id: UUID, began: int, size: int) -> None:
    """Note when the reception of an envelope began, where traces are on."""
    if not traces.is_on():
        return
    try:
        client = queues.broker()
        if client is not None:
            client.set(_key(transfer_id), f"{began} {size}", ex=_KEPT_SECONDS)
    except redis.RedisError:
        return


def receptions_of(transfer_ids: Iterable[UUID]) -> dict[UUID, Reception]:
    """What was noted of these transfers."""
    keys = list(transfer_ids)
    try:
        client = queues.broker()
        if client is None or not keys:
            return {}
        values = cast(list[bytes | None], client.mget([_key(key) for key in keys]))
    except redis.RedisError:
        return {}
    return {
        key: Reception(*map(int, value.split())) for key, value in zip(keys, values, strict=True) if value
    }


def _key(transfer_id: UUID) -> str:
    return f"sdkportal:reception:{transfer_id}"
