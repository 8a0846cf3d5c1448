"""File names that Windows, macOS, Linux and ZIP archives accept."""

import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import PureWindowsPath
from typing import Final

from transport.names import contained

# Leaves room for a number, and for the folders around the name in an archive.
LONGEST_BYTES: Final = 200
_LONGEST_SUFFIX_BYTES: Final = 20
_REFUSED: Final = frozenset('<>:"|?*')
NAMELESS: Final = "bilaga"


def safe_name(name: str, most_bytes: int = LONGEST_BYTES) -> str:
    """A file name without directories, control characters and characters that some systems refuse."""
    last = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    printable = "".join(letter for letter in last if letter.isprintable() and letter not in _REFUSED)
    return _not_reserved(_shortened(contained(printable).strip(" ."), most_bytes) or NAMELESS)


def distinct(names: Iterable[str]) -> Iterator[str]:
    """The names in their order; names that a system could treat as equal get a number."""
    used: set[str] = set()
    for name in names:
        stem, suffix = _parts(name)
        candidate, number = name, 1
        while _folded(candidate) in used:
            number += 1
            candidate = f"{stem} ({number}){suffix}"
        used.add(_folded(candidate))
        yield candidate


def _folded(name: str) -> str:
    """The same for names that differ by case or by how their letters are composed."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _parts(name: str) -> tuple[str, str]:
    """The name without its suffix, and the suffix with its dot; a long suffix counts as part of the name."""
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix.encode()) > _LONGEST_SUFFIX_BYTES:
        return name, ""
    return stem, dot + suffix


def _shortened(name: str, most_bytes: int) -> str:
    """The name in at most so many bytes, cut between two characters, its suffix kept."""
    if len(name.encode()) <= most_bytes:
        return name
    stem, suffix = _parts(name)
    room = most_bytes - len(suffix.encode())
    return stem.encode()[:room].decode(errors="ignore").strip(" .") + suffix


def _not_reserved(name: str) -> str:
    """Windows takes CON, AUX, NUL and the like for devices, whatever suffix they have."""
    return f"_{name}" if PureWindowsPath(name).is_reserved() else name
