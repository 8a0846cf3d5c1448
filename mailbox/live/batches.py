"""Questions of many streams, answered together in a few threads.

These have connections to the database of their own: however many pages wait for one, whoever is locked or
logged out loses their stream at once.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Generic, TypeVar

from django.db import connection

from transport.database import keep_own_connection

Q = TypeVar("Q")
A = TypeVar("A")
# However many streams there are, they never use more connections to the database than this.
CONNECTIONS: Final = 2
_threads: Final = ThreadPoolExecutor(CONNECTIONS, "streams", initializer=keep_own_connection)
_MOST_AT_A_TIME: Final = 500


class Batches(Generic[Q, A]):
    """Collects questions while a batch is being answered, and answers them together in the next batch."""

    def __init__(self, answer: Callable[[Sequence[Q]], Sequence[A]]) -> None:
        self._answer = answer
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._runner: asyncio.Task[None] | None = None

    async def ask(self, question: Q) -> A:
        """The answer to one question; raises what answering its batch raised."""
        loop = asyncio.get_running_loop()
        if self._runner is None or self._runner.done() or self._runner.get_loop() is not loop:
            self._waiting = []
            self._runner = loop.create_task(self._run())
        future: asyncio.Future[A] = loop.create_future()
        self._waiting.append((question, future))
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:_MOST_AT_A_TIME], self._waiting[_MOST_AT_A_TIME:]
            questions = [question for question, _ in batch]
            try:
                answers = await loop.run_in_executor(_threads, self._answered, questions)
            except Exception as error:  # noqa: BLE001 - each of those who asked gets it
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

    def _answered(self, questions: Sequence[Q]) -> Sequence[A]:
        try:
            return self._answer(questions)
        finally:
            connection.close_if_unusable_or_obsolete()
