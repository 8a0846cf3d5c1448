"""Live updates: they tell pages that something has changed, and nothing of what.

What has changed is a mailbox, what a person may see, or who is present in a conversation. The updates are
notifications of PostgreSQL: part of the transaction, sent on commit and dropped on rollback. Each process
listens on one connection for all its streams.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Final

import psycopg
from django.db import connection

from transport import unit_of_work
from transport.database import connection_parameters

logger = logging.getLogger(__name__)
CHANNEL: Final = "mailbox_changed"
CHANGED: Final = "changed"
PRESENCE: Final = "presence"
_RECONNECT_SECONDS: Final = 2.0
# Notifications are remembered for so long, for streams that go on where another one ended.
REMEMBERED_SECONDS: Final = 45.0


def announce(mailbox_id: int) -> None:
    """Notify on commit that a mailbox has changed."""
    _notify(str(mailbox_id))


def announce_to(person_id: int) -> None:
    """Notify on commit that what a person may see has changed: their open pages reload at once."""
    _notify(_of_person(person_id))


def announce_writing(conversation_id: int) -> None:
    """Notify on commit that somebody has begun or stopped writing in a conversation: its pages reload."""
    _notify(_of_conversation(conversation_id))


def announce_presence(conversation_id: int) -> None:
    """Notify on commit that somebody has opened or left a conversation: its pages reload who is present."""
    _notify(_of_presence(conversation_id))


class Stream:
    """What has changed for one browser's open pages since it was last told: `CHANGED`, `PRESENCE` or both."""

    def __init__(self, mailbox_ids: Iterable[int], person_id: int, conversation_ids: Iterable[int]) -> None:
        conversations = set(conversation_ids)
        self._person = _of_person(person_id)
        self._presence = frozenset(map(_of_presence, conversations))
        self.payloads = frozenset(
            {*map(str, mailbox_ids), self._person, *map(_of_conversation, conversations), *self._presence}
        )
        self._has_changed = asyncio.Event()
        self._access_has_changed = asyncio.Event()
        self._names: set[str] = set()
        self._is_for_all = False

    def add(self, payload: str = "") -> None:
        """Note a notification. Without a payload something may have changed, for every stream alike."""
        self._names.add(PRESENCE if payload in self._presence else CHANGED)
        self._is_for_all = self._is_for_all or not payload
        if payload == self._person:
            self._access_has_changed.set()
        self._has_changed.set()

    async def wait(self, seconds: float) -> frozenset[str]:
        """Wait for a change, so many seconds at most, and `pop` it; empty where nothing has changed."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._has_changed.wait(), seconds)
        return self.pop()

    def pop(self) -> frozenset[str]:
        """What has changed since this was last asked: `CHANGED`, `PRESENCE`, both or neither."""
        self._has_changed.clear()
        self._access_has_changed.clear()
        names, self._names = frozenset(self._names), set()
        return names

    def pop_is_for_all(self) -> bool:
        """Whether a change since this was last asked concerns every stream of the process.

        Their pages are then not to be fetched all at the same moment.
        """
        is_for_all, self._is_for_all = self._is_for_all, False
        return is_for_all

    async def pause(self, seconds: float) -> None:
        """Wait so many seconds, or until what the person may see has changed: a lock takes effect at once."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._access_has_changed.wait(), seconds)


class Hub:
    """The streams of this process, and the one listener that tells them."""

    def __init__(self) -> None:
        self._streams: dict[str, set[Stream]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None
        # When each payload was last heard, the latest last; and since when nothing has been missed.
        self._heard: dict[str, float] = {}
        self._listening_since: float | None = None

    @contextlib.asynccontextmanager
    async def stream(
        self, mailbox_ids: Iterable[int], person_id: int, conversation_ids: Iterable[int] = ()
    ) -> AsyncGenerator[Stream, None]:
        """A stream that is told of these mailboxes, the person and the conversations, while the body runs."""
        stream = Stream(mailbox_ids, person_id, conversation_ids)
        for payload in stream.payloads:
            self._streams[payload].add(stream)
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
        try:
            yield stream
        finally:
            for payload in stream.payloads:
                self._streams[payload].discard(stream)
                if not self._streams[payload]:
                    del self._streams[payload]

    def remembered(self, payloads: Iterable[str]) -> list[str] | None:
        """Those of the payloads that were heard in the last REMEMBERED_SECONDS.

        None where this process has not listened for so long, and cannot know.
        """
        earliest = asyncio.get_running_loop().time() - REMEMBERED_SECONDS
        if self._listening_since is None or self._listening_since > earliest:
            return None
        return [payload for payload in payloads if self._heard.get(payload, earliest) > earliest]

    def _remember(self, payload: str) -> None:
        now = asyncio.get_running_loop().time()
        self._heard.pop(payload, None)
        self._heard[payload] = now
        while self._heard[oldest := next(iter(self._heard))] < now - REMEMBERED_SECONDS:
            del self._heard[oldest]

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except psycopg.Error as error:
                logger.warning("listen_reconnected", extra={"fields": {"error": type(error).__name__}})
            finally:
                self._listening_since = None
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            **connection_parameters(), autocommit=True
        ) as listener:
            await listener.execute(f"LISTEN {CHANNEL}")
            self._listening_since = asyncio.get_running_loop().time()
            # What was announced before this is lost: every stream has its pages fetched once.
            for streams in list(self._streams.values()):
                for stream in list(streams):
                    stream.add()
            async for notice in listener.notifies():
                self._remember(notice.payload)
                for stream in list(self._streams.get(notice.payload, ())):
                    stream.add(notice.payload)


def _of_person(person_id: int) -> str:
    return f"person {person_id}"


def _of_conversation(conversation_id: int) -> str:
    return f"conversation {conversation_id}"


def _of_presence(conversation_id: int) -> str:
    return f"presence {conversation_id}"


def _notify(payload: str) -> None:
    unit_of_work.notify(_notify_all, payload)


def _notify_all(payloads: Sequence[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) AS payload", [CHANNEL, list(payloads)]
        )


hub = Hub()
