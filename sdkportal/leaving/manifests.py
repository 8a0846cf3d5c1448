"""The manifest of an export: what it consists of, with the SHA-256 of every file.

    manifest.json          written last: a directory without it is no export
    files.jsonl            a line for each stored file
    rows/MODEL.jsonl.age   the rows of a model, a line each
    files/NAME.age         a stored file's content

docs/leaving.md describes it for readers who do not have this program.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, BinaryIO, Final
from uuid import UUID

from sdkportal.backup.errors import BackupError
from sdkportal.backup.targets import Piece, Target, verified
from transport.storage.blobs import BlobBinding

from .errors import LeavingError
from .sealed_files import lines_of

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
LISTING: Final = "files.jsonl"
_LONGEST_MANIFEST: Final = 1024 * 1024
_LABEL: Final = re.compile(r"[a-z_]+\.[A-Za-z]+")
_NAME: Final = re.compile(r"[\w.-]+(/[\w.-]+)*")


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a model in an export, their number, and the encrypted file. No key of the model was larger
    than `largest_key` in the installation that exported; 0 where keys are no numbers."""

    model: str
    rows: int
    largest_key: int
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return f"rows/{self.model}.jsonl.age"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A stored file in an export: its name in storage, what it was bound to (`kind` and `key`), the length of
    its content, and the encrypted file. `content_size` is -1 where storage did not have it."""

    name: str
    kind: str
    key: str
    content_size: int
    size: int
    sha256: str

    @property
    def is_missing(self) -> bool:
        return self.content_size < 0

    @property
    def kept_name(self) -> str:
        return f"files/{self.name}.age"

    def binding(self, participant_id: str) -> BlobBinding:
        """What the file is bound to in storage. Raises `LeavingError` where `key` is no row's."""
        try:
            key = None if self.key == "None" else UUID(self.key)
        except ValueError:
            raise LeavingError(f"{self.name} is bound to no key of a row.") from None
        return BlobBinding(participant_id, self.kind, key)


@dataclass(frozen=True, slots=True)
class Manifest:
    """An export: whose, when and by which version, its tables, its files, the head of the access log, and
    what was under way. `digest` is the manifest's own SHA-256."""

    id: UUID
    participant_id: str
    exported_at: datetime
    version: str
    person_key_check: str
    tables: tuple[Table, ...]
    file_count: int
    missing_files: int
    listing: Piece
    access_log: tuple[int, str]
    under_way: dict[str, int]
    digest: str = ""

    def table(self, label: str) -> Table | None:
        """The rows of a model."""
        return next((table for table in self.tables if table.model == label), None)

    @property
    def row_count(self) -> int:
        return sum(table.rows for table in self.tables)


def write(target: Target, manifest: Manifest) -> str:
    """Write the manifest, which makes the directory an export; its digest, to be told apart from it."""
    value = {
        "format": FORMAT,
        "id": str(manifest.id),
        "participant_id": manifest.participant_id,
        "exported_at": manifest.exported_at.isoformat(),
        "version": manifest.version,
        "person_key_check": manifest.person_key_check,
        "tables": [asdict(table) for table in manifest.tables],
        "file_count": manifest.file_count,
        "missing_files": manifest.missing_files,
        "listing": asdict(manifest.listing),
        "access_log": list(manifest.access_log),
        "under_way": manifest.under_way,
    }
    text = json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"

    def fill(out: BinaryIO) -> None:
        out.write(text)

    return target.write(MANIFEST, fill).sha256


def read(target: Target) -> Manifest:
    """The manifest of an export. Raises `LeavingError` where there is none, or it is not one."""
    try:
        with target.open(MANIFEST) as source:
            text = source.read(_LONGEST_MANIFEST)
    except BackupError as error:
        raise LeavingError(f"This is no finished export: {error}.") from None
    try:
        value = json.loads(text)
        if value["format"] != FORMAT:
            raise LeavingError(f"{MANIFEST} has format {value['format']}; this version reads {FORMAT}.")
        tables = tuple(_table(each) for each in value["tables"])
        number, head = value["access_log"]
        return Manifest(
            id=UUID(value["id"]),
            participant_id=str(value["participant_id"]),
            exported_at=datetime.fromisoformat(value["exported_at"]),
            version=str(value["version"]),
            person_key_check=str(value["person_key_check"]),
            tables=tables,
            file_count=int(value["file_count"]),
            missing_files=int(value["missing_files"]),
            listing=Piece(int(value["listing"]["size"]), str(value["listing"]["sha256"])),
            access_log=(int(number), str(head)),
            under_way={str(kind): int(count) for kind, count in value["under_way"].items()},
            digest=hashlib.sha256(text).hexdigest(),
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        raise LeavingError(f"{MANIFEST} is not the manifest of an export.") from None


def _table(value: Any) -> Table:
    if not _LABEL.fullmatch(value["model"]):
        raise ValueError
    return Table(
        value["model"],
        int(value["rows"]),
        int(value["largest_key"]),
        int(value["size"]),
        str(value["sha256"]),
    )


def stored_files(target: Target) -> Iterator[StoredFile]:
    """The stored files of an export. Raises `LeavingError` where a line is none of these."""
    with target.open(LISTING) as source:
        for number, value in enumerate(lines_of(source, LISTING), 1):
            try:
                found = StoredFile(**value)
            except TypeError:
                raise LeavingError(f"{LISTING}, line {number}: not a stored file.") from None
            if not isinstance(found.name, str) or not _NAME.fullmatch(found.name) or ".." in found.name:
                raise LeavingError(f"{LISTING}, line {number}: not the name of a stored file.")
            yield found


def verify(target: Target, manifest: Manifest) -> None:
    """Read every file of an export and compare it with the manifest; no key is needed.

    Raises `LeavingError`, which names the first file that is missing or another.
    """
    try:
        with verified(target, LISTING, manifest.listing):
            pass
        for table in manifest.tables:
            with verified(target, table.name, Piece(table.size, table.sha256)):
                pass
        count = 0
        for file in stored_files(target):
            count += 1
            if not file.is_missing:
                with verified(target, file.kept_name, Piece(file.size, file.sha256)):
                    pass
    except BackupError as error:
        raise LeavingError(f"{error}.") from None
    if count != manifest.file_count:
        raise LeavingError(f"{LISTING} has {count} lines; the manifest says {manifest.file_count}.")
