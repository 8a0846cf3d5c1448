"""Pages that all have to fetch again are told one after another, and wait for what people ask for."""

import asyncio
import contextlib

from mailbox.live import turns as turns_module
from mailbox.live.turns import Turns


def answering(turns: Turns, requests: int) -> contextlib.ExitStack:
    """So many requests are being answered until the stack is closed."""
    stack = contextlib.ExitStack()
    for _ in range(requests):
        stack.enter_context(turns.answering())
    return stack


def told(count: int, seconds: float, requests: int) -> int:
    """How many of so many pages have their turn in this time, while so many requests are being answered."""
    turns = Turns()

    async def story() -> int:
        with answering(turns, requests):
            waiting = [asyncio.ensure_future(turns.wait()) for _ in range(count)]
            done, _ = await asyncio.wait(waiting, timeout=seconds)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            return len(done)

    return asyncio.run(story())


def test_pages_have_their_turn_in_the_order_in_which_they_asked():
    turns = Turns()
    order = []

    async def page(number: int) -> None:
        await turns.wait()
        order.append(number)

    async def story() -> None:
        await asyncio.gather(*(page(number) for number in range(5)))

    asyncio.run(asyncio.wait_for(story(), 30))
    assert order == [0, 1, 2, 3, 4]


def test_a_process_that_answers_requests_tells_few_pages_but_some(monkeypatch):
    monkeypatch.setattr(turns_module, "_TURN_SECONDS", 0.01)
    monkeypatch.setattr(turns_module, "_LONGEST_TURN_SECONDS", 3600.0)
    assert told(20, 30, requests=turns_module._MOST_REQUESTS) == 20
    assert told(20, 1, requests=turns_module._MOST_REQUESTS + 1) == 0
    monkeypatch.setattr(turns_module, "_LONGEST_TURN_SECONDS", 0.05)
    assert told(5, 30, requests=turns_module._MOST_REQUESTS + 1) == 5


def test_whoever_does_not_wait_any_longer_keeps_nobody_from_their_turn(monkeypatch):
    monkeypatch.setattr(turns_module, "_LONGEST_TURN_SECONDS", 3600.0)
    turns = Turns()

    async def story() -> None:
        with answering(turns, turns_module._MOST_REQUESTS + 1):
            first = asyncio.ensure_future(turns.wait())
            second = asyncio.ensure_future(turns.wait())
            await asyncio.sleep(0.3)
            first.cancel()
        await asyncio.wait_for(second, 20)

    asyncio.run(asyncio.wait_for(story(), 60))


def test_a_request_that_fails_is_answered_no_longer():
    turns = Turns()
    try:
        with turns.answering():
            raise ValueError("of this test")
    except ValueError:
        assert turns._requests == 0
