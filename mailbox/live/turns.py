"""Turns of pages that all have to fetch again: they are told one by one, as the process has time for it.

A thousand lists at once would keep a node from answering what people click on for a minute and longer.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

# At most ten pages a second are told, and fewer where more requests than these are being answered; but one a
# second in any case, since slow downloads are requests, too.
_TURN_SECONDS: Final = 0.1
_MOST_REQUESTS: Final = 1
_LONGEST_TURN_SECONDS: Final = 1.0


class Turns:
    """The pages of this process that wait for their turn, and the requests that it is answering."""

    def __init__(self) -> None:
        self._requests = 0
        self._lock = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def answering(self) -> Generator[None, None, None]:
        """A request is being answered while the body runs."""
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1

    async def wait(self) -> None:
        """Return when it is this page's turn: those who asked before have had theirs."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._lock = loop, asyncio.Lock()
        async with self._lock:
            end = loop.time() + _LONGEST_TURN_SECONDS
            await asyncio.sleep(_TURN_SECONDS)
            while self._requests > _MOST_REQUESTS and loop.time() < end:
                await asyncio.sleep(_TURN_SECONDS)


turns: Final = Turns()
