"""Long responses, sent while they are generated, so that no server holds a whole one in memory."""

import csv
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import Final

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from transport.database import release_connection
from transport.spreadsheets import harmless

_AT_A_TIME: Final = 500


def streamed(
    request: HttpRequest, pieces: Iterator[str], content_type: str, name: str
) -> StreamingHttpResponse:
    """A download of text that is generated in pieces."""
    content = _asynchronously(pieces) if isinstance(request, ASGIRequest) else pieces
    return StreamingHttpResponse(
        content,
        content_type=f"{content_type}; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
        },
    )


def csv_response(
    request: HttpRequest, name: str, header: list[str], rows: Iterable[Iterable[object]]
) -> StreamingHttpResponse:
    """A table as CSV for Swedish spreadsheets; the file's name has the time."""
    file_name = f"{name}-{timezone.localtime():%Y%m%d-%H%M}.csv"
    return streamed(request, _csv_lines(header, rows), "text/csv", file_name)


class _Echo:
    """A file whose `write` returns what is written."""

    def write(self, line: str) -> str:
        return line


def _csv_lines(header: list[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    writer = csv.writer(_Echo(), delimiter=";")
    yield "\ufeff"
    yield writer.writerow(header)
    for row in rows:
        yield writer.writerow(harmless(value) for value in row)


def streamed_bytes(
    request: HttpRequest, pieces: Iterator[bytes], content_type: str, disposition: str
) -> StreamingHttpResponse:
    """A response with bytes that are read or generated in pieces."""
    content = _bytes_asynchronously(pieces) if isinstance(request, ASGIRequest) else pieces
    return StreamingHttpResponse(
        content, content_type=content_type, headers={"Content-Disposition": disposition}
    )


async def _bytes_asynchronously(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await sync_to_async(_next)(pieces)) is not None:
        yield piece


def _next(pieces: Iterator[bytes]) -> bytes | None:
    """The next piece. Between pieces the database connection is released, since the reader may be slow."""
    piece = next(pieces, None)
    release_connection()
    return piece


async def _asynchronously(pieces: Iterator[str]) -> AsyncIterator[str]:
    """The pieces as an asynchronous iterator: under ASGI Django would collect those of a plain one first."""
    while some := await sync_to_async(lambda: "".join(islice(pieces, _AT_A_TIME)))():
        yield some
