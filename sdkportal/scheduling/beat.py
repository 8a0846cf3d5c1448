"""Beat on several machines: all wait, and the one that holds a lock in the database sends what is due."""

import logging
from typing import Any, Final

import psycopg
from celery.beat import PersistentScheduler

from transport.database import connection_parameters

logger = logging.getLogger(__name__)
# The lock's number: "beat" in ASCII. PostgreSQL's advisory locks are numbers, each database's its own.
LOCK: Final = 0x62656174
_ASK_AGAIN_SECONDS: Final = 2.0
# A machine that is cut off holds the lock until the server gives its connection up: after some 20 seconds.
_KEEPALIVE: Final = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=2"


class Leadership:
    """The lock that one beat holds: as long as its connection to the database lasts."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None

    def is_held(self) -> bool:
        """Whether this process holds the lock now; it is acquired if it is free."""
        try:
            if self._connection is not None:
                self._connection.execute("SELECT 1")
                return True
            return self._acquire()
        except psycopg.Error:
            if self._connection is not None:
                logger.warning("beat_leadership_lost")
            self.release()
            return False

    def release(self) -> None:
        """Let another beat lead."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _acquire(self) -> bool:
        parameters = {"connect_timeout": 5, **connection_parameters()}
        options = f"{parameters.pop('options', '')} {_KEEPALIVE}".strip()
        connection = psycopg.connect(**parameters, autocommit=True, options=options)
        try:
            ((is_acquired,),) = connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchall()
        except psycopg.Error:
            connection.close()
            raise
        if not is_acquired:
            connection.close()
            return False
        self._connection = connection
        logger.warning("beat_leads")
        return True


class LeaderScheduler(PersistentScheduler):
    """Celery's own scheduler, which sends nothing while another beat leads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._leadership = Leadership()
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due, if this beat leads; the seconds until there is something to do again."""
        if not self._leadership.is_held():
            return _ASK_AGAIN_SECONDS
        seconds: float = super().tick(*args, **kwargs)
        return seconds

    def close(self) -> None:
        super().close()
        self._leadership.release()
