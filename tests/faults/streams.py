"""Open pages and their event streams, as browsers hold them: HTTP/1.1 from one process for many people.

`test_many_pages` has its own.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import dataclass, field


@dataclass
class Line:
    """An open stream, and what it has said."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int
    said: list[bytes] = field(default_factory=list)

    async def next(self, event: bytes) -> None:
        """Return when the stream has said so once more."""
        while (line := await self.reader.readline()) != b"event: " + event + b"\r\n":
            self.said.append(line)
            if not line:
                raise ConnectionError("the stream has ended")
            if line.strip() == b"event: " + event:
                return


async def request(port: int, path: str, cookie: str = "") -> Line:
    """Ask a server on this machine for a page, and read the head of its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    header = f"Cookie: {cookie}\r\n" if cookie else ""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    return Line(reader, writer, int(head.split(b" ", 2)[1]))


@contextlib.asynccontextmanager
async def opened(requests: Sequence[Awaitable[Line]]) -> AsyncGenerator[list[Line], None]:
    """Streams that are open while the body runs."""
    lines = await asyncio.gather(*requests)
    try:
        yield lines
    finally:
        for line in lines:
            line.writer.close()
