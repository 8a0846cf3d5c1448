"""What has changed for the open pages of this process: it listens to the announcements of `mailbox.events`.

Each process listens on one connection for all its streams. While that connection is away nothing is heard, so
that the listener reads afterwards what has been announced meanwhile, from the table of announcements. Only
where that cannot be known every page fetches again.
"""

import asyncio
import contextlib
import logging
import math
from collections import defaultdict
from collections.abc import AsyncGenerator, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import psycopg

from mailbox.events import CHANNEL, KEPT, of_conversation, of_person, of_presence
from transport.database import connection_parameters

logger = logging.getLogger(__name__)
CHANGED: Final = "changed"
PRESENCE: Final = "presence"
# Announcements are remembered for so long, for streams that go on where another one ended.
REMEMBERED_SECONDS: Final = 45.0
# A proxy closes what is silent.
_SAYS_AGAIN_SECONDS: Final = 15.0
_RECONNECT_SECONDS: Final = 2.0
_SNAPSHOT_SECONDS: Final = 2.0
_LONGEST_AWAY_SECONDS: Final = KEPT.total_seconds() / 2
# Crash and restart keep the timeline; a promoted standby and a restored backup begin another one.
_SNAPSHOT: Final = (
    "SELECT pg_current_snapshot()::text, left(pg_walfile_name(pg_current_wal_lsn()), 8), "
    "extract(epoch FROM clock_timestamp())::float"
)
_ANNOUNCED_SINCE: Final = (
    "SELECT DISTINCT payload FROM mailbox_announcement "
    "WHERE NOT pg_visible_in_snapshot(transaction_number::text::xid8, %s::pg_snapshot)"
)
_REMEMBERED: Final = (
    "SELECT payload, extract(epoch FROM clock_timestamp() - max(announced_at))::float "
    "FROM mailbox_announcement WHERE announced_at > clock_timestamp() - make_interval(secs => %s) "
    "GROUP BY payload ORDER BY 2 DESC"
)
_HAS_OLDER: Final = (
    "SELECT EXISTS (SELECT FROM mailbox_announcement "
    "WHERE announced_at <= clock_timestamp() - make_interval(secs => %s))"
)
_Listener: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]


class Stream:
    """What has changed for one browser's open pages since it was last told: `CHANGED`, `PRESENCE` or both."""

    def __init__(self, mailbox_ids: Iterable[int], person_id: int, conversation_ids: Iterable[int]) -> None:
        conversations = set(conversation_ids)
        self._person = of_person(person_id)
        self._presence = frozenset(map(of_presence, conversations))
        self.payloads = frozenset(
            {*map(str, mailbox_ids), self._person, *map(of_conversation, conversations), *self._presence}
        )
        self._is_woken = asyncio.Event()
        self._access_has_changed = asyncio.Event()
        self._names: set[str] = set()
        # Whether many pages are told of what `pop` returned last, each in its turn; and of what comes next.
        self.waits_for_turn = False
        self._will_wait_for_turn = False

    def add(self, payload: str, *, in_turn: bool = False) -> None:
        """Note an announcement; `in_turn` says that many pages may be told of it."""
        self._names.add(PRESENCE if payload in self._presence else CHANGED)
        if payload == self._person:
            self._access_has_changed.set()
        self._will_wait_for_turn = self._will_wait_for_turn or in_turn
        self._is_woken.set()

    def add_unknown(self) -> None:
        """Note that something may have changed, and nobody knows what: every page is told."""
        self._names.add(CHANGED)
        self._will_wait_for_turn = True
        self._is_woken.set()

    def wake(self) -> None:
        """End waiting, though nothing may have changed."""
        self._is_woken.set()

    async def wait(self, seconds: float) -> frozenset[str]:
        """Wait for a change, so many seconds at most, and `pop` it; empty where nothing has changed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_woken.wait()
        return self.pop()

    def pop(self) -> frozenset[str]:
        """What has changed since this was last asked: `CHANGED`, `PRESENCE`, both or neither."""
        self._is_woken.clear()
        self._access_has_changed.clear()
        names, self._names = frozenset(self._names), set()
        self.waits_for_turn, self._will_wait_for_turn = self._will_wait_for_turn, False
        return names

    async def pause(self, seconds: float) -> None:
        """Wait so many seconds, or until what the person may see has changed: a lock takes effect at once."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._access_has_changed.wait()

    async def pause_until(self, turn: Coroutine[Any, Any, None]) -> AsyncGenerator[None, None]:
        """Wait for the turn, or until what the person may see has changed; yields again and again."""
        waiting = asyncio.ensure_future(turn)
        changing = asyncio.ensure_future(self._access_has_changed.wait())
        try:
            while not (waiting.done() or changing.done()):
                yield
                await asyncio.wait(
                    {waiting, changing}, timeout=_SAYS_AGAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
        finally:
            waiting.cancel()
            changing.cancel()


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """Which transactions had been committed, on which of the database's timelines; and when, in seconds by
    its clock and by that of the event loop, which stands still while a machine is suspended."""

    transactions: str
    timeline: str
    server_time: float
    at: float


class Hub:
    """The streams of this process, and the one listener that tells them."""

    def __init__(self) -> None:
        self._streams: dict[str, set[Stream]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None
        # When each payload was last heard, the latest last; and since when nothing has been missed.
        self._heard: dict[str, float] = {}
        self._known_since = -math.inf
        # Whatever the first of these shows as committed has been heard; of the second it may be on its way.
        self._settled: _Snapshot | None = None
        self._latest: _Snapshot | None = None

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

        None where this process cannot know. What is announced while the listener is not connected is told to
        open streams when it is.
        """
        earliest = _now() - REMEMBERED_SECONDS
        if self._known_since > earliest:
            return None
        return [payload for payload in payloads if self._heard.get(payload, earliest) > earliest]

    def _remember(self, payload: str, at: float) -> None:
        self._heard.pop(payload, None)
        self._heard[payload] = at
        while self._heard and self._heard[oldest := next(iter(self._heard))] < _now() - REMEMBERED_SECONDS:
            del self._heard[oldest]

    async def _listen(self) -> None:
        self._settled = self._latest = None
        self._known_since = -math.inf
        while True:
            try:
                await self._listen_once()
            except psycopg.Error as error:
                logger.warning("listen_reconnected", extra={"fields": {"error": type(error).__name__}})
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            **connection_parameters(), autocommit=True
        ) as listener:
            await listener.execute(f"LISTEN {CHANNEL}")
            await self._catch_up(listener)
            while True:
                async for notice in listener.notifies(timeout=_SNAPSHOT_SECONDS):
                    self._remember(notice.payload, _now())
                    self._tell(notice.payload)
                self._settled, self._latest = self._latest or self._settled, await _snapshot(listener)

    async def _catch_up(self, listener: _Listener) -> None:
        """Tell streams what was announced while nobody listened here: since the connection broke, or where
        this process has just begun, in the time for which it has to remember."""
        present = await _snapshot(listener)
        since = self._settled
        if since is None:
            missed = await self._remembered_by_others(listener)
        elif (
            since.timeline != present.timeline
            or present.server_time - since.server_time > _LONGEST_AWAY_SECONDS
        ):
            missed = None
        else:
            rows = await listener.execute(_ANNOUNCED_SINCE, [since.transactions])
            missed = {payload: present.at for (payload,) in await rows.fetchall()}
        if missed is None:
            self._known_since = present.at
            for stream in self._all_streams():
                stream.add_unknown()
        else:
            for payload, at in missed.items():
                self._remember(payload, at)
                self._tell(payload, in_turn=True)
        # Each finds out for itself that the database is there, and what its page may see now.
        for stream in self._all_streams():
            stream.wake()
        # Read before the table was: what was committed since is told once more, if the connection breaks now.
        self._settled, self._latest = present, None

    async def _remembered_by_others(self, listener: _Listener) -> dict[str, float] | None:
        """What was announced in the last REMEMBERED_SECONDS, and when; None where nobody knows."""
        ((has_older,),) = await (await listener.execute(_HAS_OLDER, [REMEMBERED_SECONDS])).fetchall()
        if not has_older:
            # Announcements of the release before this table was are not in it.
            return None
        rows = await (await listener.execute(_REMEMBERED, [REMEMBERED_SECONDS])).fetchall()
        return {payload: _now() - age for payload, age in rows}

    def _tell(self, payload: str, *, in_turn: bool = False) -> None:
        for stream in list(self._streams.get(payload, ())):
            stream.add(payload, in_turn=in_turn)

    def _all_streams(self) -> set[Stream]:
        return {stream for streams in self._streams.values() for stream in streams}


async def _snapshot(listener: _Listener) -> _Snapshot:
    at = _now()
    ((transactions, timeline, server_time),) = await (await listener.execute(_SNAPSHOT)).fetchall()
    return _Snapshot(transactions, timeline, server_time, at)


def _now() -> float:
    return asyncio.get_running_loop().time()


hub = Hub()
