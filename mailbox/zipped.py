"""A ZIP of stored files, made while it is sent: nothing is held whole, in memory or on disk."""

import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

_CHUNK: Final = 64 * 1024
_DATE: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to come: its name in the archive, and how it is opened."""

    name: str
    open: Callable[[], AbstractContextManager[BinaryIO]]


class _Outlet:
    """What the archive is written to: gives away what it has got. It cannot go back, and does not say
    where it is."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, data: Any) -> int:
        self._held.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def taken(self) -> bytes:
        held, self._held = b"".join(self._held), []
        return held


def archive(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The archive, piece by piece. Names that are the same get a number."""
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as target:  # type: ignore[call-overload]
        for name, entry in _named(entries):
            described = zipfile.ZipInfo(name, _DATE)
            described.external_attr = 0o600 << 16
            with entry.open() as source, target.open(described, "w", force_zip64=True) as sink:
                while chunk := source.read(_CHUNK):
                    sink.write(chunk)
                    yield outlet.taken()
            yield outlet.taken()
    yield outlet.taken()


def _named(entries: Iterable[Entry]) -> Iterator[tuple[str, Entry]]:
    used: set[str] = set()
    for entry in entries:
        stem, dot, suffix = entry.name.rpartition(".")
        name, number = entry.name, 1
        while name.casefold() in used:
            number += 1
            name = f"{stem} ({number}){dot}{suffix}" if stem else f"{entry.name} ({number})"
        used.add(name.casefold())
        yield name, entry
