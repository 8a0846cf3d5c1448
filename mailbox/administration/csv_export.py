"""Tables as CSV, written as they are read: what a Swedish spreadsheet opens."""

import csv
from collections.abc import Iterable, Iterator

from django.http import StreamingHttpResponse
from django.utils import timezone

from mailbox.requests import PersonRequest
from mailbox.streaming import streamed
from transport.spreadsheets import harmless


class _Echo:
    def write(self, line: str) -> str:
        return line


def sheet(
    request: PersonRequest, name: str, header: list[str], rows: Iterable[Iterable[object]]
) -> StreamingHttpResponse:
    """The table as a download whose name tells the time."""
    file_name = f"{name}-{timezone.localtime():%Y%m%d-%H%M}.csv"
    return streamed(request, _lines(header, rows), "text/csv", file_name)


def _lines(header: list[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    writer = csv.writer(_Echo(), delimiter=";")
    yield "\ufeff"
    yield writer.writerow(header)
    for row in rows:
        yield writer.writerow(harmless(value) for value in row)
