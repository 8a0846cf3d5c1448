"""Manifests: what a backup set consists of.

A set is `sets/TIME/database.age` and `sets/TIME/manifest.jsonl`; stored files lie in `files/`, shared by all
sets. A manifest is JSON lines: what the set is, a line for each stored file, and at last their number.
It is written last, so a set without one, or without its last line, is none. Names of files are ids and days;
nothing in a manifest is content.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

from .errors import BackupError
from .targets import Piece, Target

FORMAT: Final = 1
FILES: Final = "files"
_SETS: Final = "sets"
_TIME: Final = "%Y%m%dT%H%M%S.%fZ"


# What a piece is before it is written.
NOTHING: Final = Piece(0, "")


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A stored file in a backup: its name in storage, its version (when it was written there, seconds since
    1970), and the encrypted copy."""

    name: str
    version: str
    piece: Piece

    @property
    def kept_name(self) -> str:
        """Its name in the target. Two versions of a file have two: a set keeps the one that its keys open."""
        return f"{FILES}/{self.name}.{self.version}.age"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A backup set: when its snapshot of the database was taken, and its pieces; files by their names in
    storage.

    `missing` are files that rows named and storage did not have; `last_transfer` is when the last transfer
    before the snapshot was logged, None for a node that has had none; `digest` is the manifest's own SHA-256.
    """

    taken_at: datetime
    database: Piece
    files: Mapping[str, KeptFile]
    missing: tuple[str, ...] = ()
    last_transfer: datetime | None = None
    digest: str = ""

    @property
    def name(self) -> str:
        return self.taken_at.astimezone(UTC).strftime(_TIME)

    @property
    def database_name(self) -> str:
        return f"{_SETS}/{self.name}/database.age"


def names_of_sets(target: Target) -> list[str]:
    """The names of the complete sets, the oldest first."""
    found = (name.split("/") for name in target.names(_SETS))
    return sorted(parts[1] for parts in found if len(parts) == 3 and parts[2] == "manifest.jsonl")


def write(target: Target, manifest: Manifest) -> str:
    """Write a set's manifest, which makes it a set; its digest, to be kept elsewhere."""

    def fill(out: BinaryIO) -> None:
        head = {
            "format": FORMAT,
            "taken_at": manifest.taken_at.astimezone(UTC).isoformat(),
            "database": [manifest.database.size, manifest.database.sha256],
            "missing": list(manifest.missing),
            "last_transfer": manifest.last_transfer.astimezone(UTC).isoformat()
            if manifest.last_transfer
            else None,
        }
        out.write(_line(head))
        for name in sorted(manifest.files):
            file = manifest.files[name]
            out.write(_line([name, file.version, file.piece.size, file.piece.sha256]))
        out.write(_line({"files": len(manifest.files)}))

    return target.write(f"{_SETS}/{manifest.name}/manifest.jsonl", fill).sha256


def read(target: Target, name: str) -> Manifest:
    """A set's manifest. Raises `BackupError` where there is none, or it is not whole."""
    path = f"{_SETS}/{name}/manifest.jsonl"
    digest = hashlib.sha256()
    try:
        with target.open(path) as source:
            lines = _lines(source, digest)
            head = next(lines)
            if head["format"] != FORMAT:
                raise BackupError(f"{path} has format {head['format']}; this version reads {FORMAT}")
            files: dict[str, KeptFile] = {}
            for line in lines:
                if isinstance(line, dict):
                    break
                name_in_storage, version, size, sha256 = line
                piece = Piece(int(size), str(sha256))
                files[str(name_in_storage)] = KeptFile(str(name_in_storage), str(version), piece)
            else:
                raise BackupError(f"{path} has no end")
            if line["files"] != len(files) or next(lines, None) is not None:
                raise BackupError(f"{path} does not have as many lines as it says")
            last = head["last_transfer"]
            return Manifest(
                taken_at=datetime.fromisoformat(head["taken_at"]),
                database=Piece(int(head["database"][0]), str(head["database"][1])),
                files=files,
                missing=tuple(head["missing"]),
                last_transfer=datetime.fromisoformat(last) if last else None,
                digest=digest.hexdigest(),
            )
    except (StopIteration, LookupError, TypeError, ValueError):
        raise BackupError(f"{path} is not a manifest") from None


def remove(target: Target, name: str) -> None:
    """Remove a set; the stored files that it shares with others stay."""
    # Its manifest first: from then on it is no set.
    target.remove(f"{_SETS}/{name}/manifest.jsonl")
    target.remove(f"{_SETS}/{name}/database.age")


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _lines(source: BinaryIO, digest: Any) -> Iterator[Any]:
    for line in source:
        digest.update(line)
        yield json.loads(line)
