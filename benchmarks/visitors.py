"""People with open pages: run by `benchmarks.node` beside messages.

    python -m benchmarks.visitors PORT COOKIE REQUESTS-A-SECOND < PEOPLE

reads one line of JSON, `{"sessions": [...], "paths": [...], "stream": path}`. Each person holds a stream
open, and together they ask for so many pages a second, each in turn. It says `ready` when the streams are
open; at the next line on stdin it says as JSON how long the pages took, and ends.
"""

# ruff: noqa: T201

import asyncio
import json
import sys
import time
from collections import Counter
from itertools import count, cycle

from benchmarks.figures import percentile
from tests.faults.streams import Line, opened, request

_LONGEST_SECONDS = 30.0


async def visit(port: int, cookie: str, rate: float, people: dict[str, list[str]], stream: str) -> None:
    cookies = [f"{cookie}={session}" for session in people["sessions"]]
    async with opened([request(port, stream, one) for one in cookies]) as lines:
        if {line.status for line in lines} != {200}:
            raise SystemExit(f"streams were refused: {sorted({line.status for line in lines})}")
        heard = [asyncio.create_task(_listen(line)) for line in lines]
        print("ready", flush=True)
        ended = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
        pages: list[asyncio.Task[float | str]] = []
        begun = time.perf_counter()
        for number, one, path in zip(count(1), cycle(cookies), cycle(people["paths"]), strict=False):
            pages.append(asyncio.create_task(_page(port, path, one)))
            # At its time, however long the others take.
            pause = max(0.0, begun + number / rate - time.perf_counter())
            done, _ = await asyncio.wait([ended], timeout=pause)
            if done:
                break
        taken = await asyncio.gather(*pages)
        for task in heard:
            task.cancel()
        events = await asyncio.gather(*heard, return_exceptions=True)
    answered = sorted(one for one in taken if isinstance(one, float))
    failures = Counter(one for one in taken if isinstance(one, str))
    print(
        json.dumps(
            {
                "streams": len(lines),
                "streams_ended": sum(1 for one in events if isinstance(one, ConnectionError)),
                "requests": len(taken),
                "failed": failures.total(),
                "failures": failures,
                "latency_ms_p50": percentile(answered, 50),
                "latency_ms_p95": percentile(answered, 95),
            }
        ),
        flush=True,
    )


async def _listen(line: Line) -> None:
    while True:
        await line.next(b"changed")


async def _page(port: int, path: str, cookie: str) -> float | str:
    """Milliseconds until the page was there; in a word why it was not."""
    begun = time.perf_counter()
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            line = await request(port, path, cookie)
            # Servers keep the connection: what is there of the page by now is enough.
            await line.reader.read(100_000)
            line.writer.close()
    except TimeoutError:
        return "no answer in time"
    except (OSError, asyncio.IncompleteReadError):
        return "connection broken"
    return 1000 * (time.perf_counter() - begun) if line.status == 200 else f"status {line.status}"


def main(port: str, cookie: str, rate: str) -> int:
    told = json.loads(sys.stdin.readline())
    asyncio.run(visit(int(port), cookie, float(rate), told, told["stream"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
