"""Long answers, sent as they are made: neither server holds one whole in memory."""

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
    """A download of text that is made piece by piece."""
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
    """A table as CSV that a Swedish spreadsheet opens; the file's name tells the time."""
    file_name = f"{name}-{timezone.localtime():%Y%m%d-%H%M}.csv"
    return streamed(request, _csv_lines(header, rows), "text/csv", file_name)


class _Echo:
    """A file that gives back what is written to it."""

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
    """An answer of bytes that are read or made piece by piece."""
    content = _bytes_asynchronously(pieces) if isinstance(request, ASGIRequest) else pieces
    return StreamingHttpResponse(
        content, content_type=content_type, headers={"Content-Disposition": disposition}
    )


async def _bytes_asynchronously(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await sync_to_async(_next)(pieces)) is not None:
        yield piece


def _next(pieces: Iterator[bytes]) -> bytes | None:
    """A reader may be slow: between pieces no connection to the database is held for them."""
    piece = next(pieces, None)
    release_connection()
    return piece


async def _asynchronously(pieces: Iterator[str]) -> AsyncIterator[str]:
    """Under ASGI, Django would gather all that a plain iterator gives before it sends any."""
    while some := await sync_to_async(lambda: "".join(islice(pieces, _AT_A_TIME)))():
        yield some
