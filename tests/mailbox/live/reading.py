"""Reads what a stream of events says."""

import asyncio
from collections.abc import AsyncIterator

_PATIENCE_SECONDS = 20.0


async def next_event(stream: AsyncIterator[bytes]) -> bytes:
    """The next that the stream says, but for comments; raises StopAsyncIteration where it has ended."""

    async def reading() -> bytes:
        while (said := await anext(stream)).startswith(b":"):
            pass
        return said

    return await asyncio.wait_for(reading(), _PATIENCE_SECONDS)
