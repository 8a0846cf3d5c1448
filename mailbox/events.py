"""Live updates: "something has changed in this mailbox, fetch again", and nothing more.

PostgreSQL carries them: a notice is part of the transaction, so it is out on commit and gone on
rollback, and nothing has to be kept in step. Each process listens on one connection for all its streams.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable
from typing import Final

import psycopg
from django.db import connection
from psycopg.conninfo import make_conninfo

logger = logging.getLogger(__name__)
CHANNEL: Final = "mailbox_changed"
_RECONNECT_SECONDS: Final = 2.0


def announce(mailbox_id: int) -> None:
    """Say on commit that a mailbox has changed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(mailbox_id)])


class Stream:
    """One open page: a flag that something in its mailboxes has changed."""

    def __init__(self, mailbox_ids: Iterable[int]) -> None:
        self.mailbox_ids = frozenset(mailbox_ids)
        self._changed = asyncio.Event()

    def touch(self) -> None:
        self._changed.set()

    async def changed(self, seconds: float) -> bool:
        """True when something has changed, False after so long without."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class Hub:
    """This process's listener and its streams."""

    def __init__(self) -> None:
        self._streams: dict[int, set[Stream]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def stream(self, mailbox_ids: Iterable[int]) -> AsyncGenerator[Stream, None]:
        """A stream for these mailboxes while the body runs."""
        stream = Stream(mailbox_ids)
        for mailbox_id in stream.mailbox_ids:
            self._streams[mailbox_id].add(stream)
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
        try:
            yield stream
        finally:
            for mailbox_id in stream.mailbox_ids:
                self._streams[mailbox_id].discard(stream)
                if not self._streams[mailbox_id]:
                    del self._streams[mailbox_id]

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except psycopg.Error as error:
                logger.warning("listening again", extra={"fields": {"error": type(error).__name__}})
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        async with await psycopg.AsyncConnection.connect(_connection_string(), autocommit=True) as listening:
            await listening.execute(f"LISTEN {CHANNEL}")
            # What was announced before is not heard: every stream looks once.
            for streams in list(self._streams.values()):
                for stream in list(streams):
                    stream.touch()
            async for notice in listening.notifies():
                if notice.payload.isdigit():
                    for stream in list(self._streams.get(int(notice.payload), ())):
                        stream.touch()


def _connection_string() -> str:
    settings = connection.settings_dict
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    chosen = {theirs: str(settings[ours]) for ours, theirs in names.items() if settings.get(ours)}
    return make_conninfo("", **chosen)


hub = Hub()
