"""A ZIP of stored files, made while it is sent: nothing is held whole, in memory or on disk.

Every entry is compressed: sizes follow after the content, and readers that do not look at the archive's end,
as Java's streams, find the end of a compressed entry only.
"""

import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from .file_names import distinct

_CHUNK: Final = 64 * 1024
# Most files are compressed already: little time for those.
_LEVEL: Final = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the archive: its name there, and a function that opens it."""

    name: str
    open: Callable[[], AbstractContextManager[BinaryIO]]


class _Outlet:
    """The file that the archive is written to: hands over its bytes piece by piece. It cannot seek or
    tell."""

    def __init__(self) -> None:
        self._pending: list[bytes] = []

    def write(self, data: Any) -> int:
        self._pending.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is buffered elsewhere."""

    def take(self) -> bytes:
        data, self._pending = b"".join(self._pending), []
        return data


def archive(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The archive, piece by piece. Names that are the same get a number. No entry may have 2 GB or more."""
    outlet = _Outlet()
    rows = list(entries)
    names = distinct(entry.name for entry in rows)
    with zipfile.ZipFile(
        outlet,  # type: ignore[call-overload]
        "w",
        zipfile.ZIP_DEFLATED,
        compresslevel=_LEVEL,
    ) as target:
        for name, entry in zip(names, rows, strict=True):
            # Dated 1980 and readable by its owner, as `zipfile` has it for a name alone.
            with entry.open() as source, target.open(name, "w") as sink:
                while chunk := source.read(_CHUNK):
                    sink.write(chunk)
                    yield outlet.take()
            yield outlet.take()
    yield outlet.take()
