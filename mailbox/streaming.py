"""Long answers, sent as they are made: neither server holds one whole in memory."""

from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Final

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

from transport.database import release_connection

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
