"""Live updates: "something has changed, fetch again", and nothing more: in a mailbox, in what a person may
see, or in who is at a conversation that a page shows.

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
CHANGED: Final = "changed"
PRESENCE: Final = "presence"
_RECONNECT_SECONDS: Final = 2.0


def announce(mailbox_id: int) -> None:
    """Say on commit that a mailbox has changed."""
    _notify(str(mailbox_id))


def announce_to(person_id: int) -> None:
    """Say on commit that what a person may see has changed: their open pages fetch again at once."""
    _notify(_of_person(person_id))


def announce_writing(conversation_id: int) -> None:
    """Say on commit that somebody has begun or stopped writing in a conversation: its pages fetch again."""
    _notify(_of_conversation(conversation_id))


def announce_presence(conversation_id: int) -> None:
    """Say on commit that who is at a conversation has changed: its pages fetch the presence again."""
    _notify(_of_presence(conversation_id))


class Stream:
    """One browser's open pages: flags of what has changed for them, a page itself or only who is there."""

    def __init__(self, mailbox_ids: Iterable[int], person_id: int, conversation_ids: Iterable[int]) -> None:
        conversations = set(conversation_ids)
        self._person = _of_person(person_id)
        self._presence = frozenset(map(_of_presence, conversations))
        self.payloads = frozenset(
            {*map(str, mailbox_ids), self._person, *map(_of_conversation, conversations), *self._presence}
        )
        self._touched = asyncio.Event()
        self._urged = asyncio.Event()
        self._heard: set[str] = set()
        self._is_one_of_all = False

    def touch(self, payload: str = "") -> None:
        """Something has changed; without saying what: perhaps, as for every other stream of the process."""
        self._heard.add(PRESENCE if payload in self._presence else CHANGED)
        self._is_one_of_all = self._is_one_of_all or not payload
        if payload == self._person:
            self._urged.set()
        self._touched.set()

    async def heard(self, seconds: float) -> frozenset[str]:
        """What to fetch again, `CHANGED` or `PRESENCE`; nothing after so long without."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._touched.wait(), seconds)
        return self.taken()

    def taken(self) -> frozenset[str]:
        """What has been heard and not been taken yet."""
        self._touched.clear()
        self._urged.clear()
        heard, self._heard = frozenset(self._heard), set()
        return heard

    def is_one_of_all(self) -> bool:
        """Whether every stream was touched, which is not to have every page fetched at the same moment."""
        was, self._is_one_of_all = self._is_one_of_all, False
        return was

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until what the person may see has changed: a lock waits for nothing."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._urged.wait(), seconds)


class Hub:
    """This process's listener and its streams."""

    def __init__(self) -> None:
        self._streams: dict[str, set[Stream]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def stream(
        self, mailbox_ids: Iterable[int], person_id: int, conversation_ids: Iterable[int] = ()
    ) -> AsyncGenerator[Stream, None]:
        """A stream of these mailboxes, for a person at conversations, while the body runs."""
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

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except psycopg.Error as error:
                logger.warning("listen_reconnected", extra={"fields": {"error": type(error).__name__}})
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        async with await psycopg.AsyncConnection.connect(_connection_string(), autocommit=True) as listening:
            await listening.execute(f"LISTEN {CHANNEL}")
            # What was announced before is not heard: every stream looks once.
            for streams in list(self._streams.values()):
                for stream in list(streams):
                    stream.touch()
            async for notice in listening.notifies():
                for stream in list(self._streams.get(notice.payload, ())):
                    stream.touch(notice.payload)


def _of_person(person_id: int) -> str:
    return f"person {person_id}"


def _of_conversation(conversation_id: int) -> str:
    return f"conversation {conversation_id}"


def _of_presence(conversation_id: int) -> str:
    return f"presence {conversation_id}"


def _notify(payload: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])


def _connection_string() -> str:
    settings = connection.settings_dict
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    chosen = {theirs: str(settings[ours]) for ours, theirs in names.items() if settings.get(ours)}
    return make_conninfo("", **chosen)


hub = Hub()
