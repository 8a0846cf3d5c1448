"""The power goes: of what was written, only what was synced is there afterwards.

Of the node's files, by what its processes have synced (`synced/sitecustomize.py`): a file whose directory was
not synced after it came is gone, and what was appended after the last sync is cut off. Of PostgreSQL, by its
own account: what stands in its log after the place up to which it was flushed is overwritten with zeros.
A file that was removed does not come back, as it may where its directory was not synced since: it would be an
orphan, which the sweeps remove. A new file may be taken for an old one that had its inode.
"""

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg

SHIM: Final = Path(__file__).resolve().parent / "synced"
_SEGMENT: Final = 16 * 1024 * 1024


@dataclass
class Synced:
    """What was synced last: sizes of files and entries of directories, by inode."""

    sizes: dict[int, int] = field(default_factory=dict)
    names: dict[int, dict[str, int]] = field(default_factory=dict)


def environment(log: Path) -> dict[str, str]:
    """What processes need in order to record what they sync."""
    return {"PYTHONPATH": str(SHIM), "SDK_SYNCED": str(log)}


def synced_by(log: Path) -> Synced:
    """What the processes have recorded.

    Of a process that was killed while it wrote, a part of a line is there: its sync had not returned, and
    nobody was promised anything.
    """
    found = Synced()
    for text in log.read_text().splitlines() if log.exists() else ():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        if "file" in line:
            found.sizes[line["file"]] = line["size"]
        else:
            found.names[line["directory"]] = line["names"]
    return found


def lose_files(root: Path, synced: Synced) -> int:
    """Take away below a directory what was not synced; how many files and directories were lost or cut."""
    lost = 0
    entries = synced.names.get(root.stat().st_ino, {})
    for path in sorted(root.iterdir()):
        inode = path.lstat().st_ino
        if entries.get(path.name) != inode:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            lost += 1
        elif path.is_dir():
            lost += lose_files(path, synced)
        elif path.stat().st_size > synced.sizes.get(inode, 0):
            os.truncate(path, synced.sizes.get(inode, 0))
            lost += 1
    return lost


def flushed(connection: "psycopg.Connection[tuple[int, int]]") -> tuple[int, int]:
    """The timeline, and the place in PostgreSQL's log up to which it is on disk."""
    row = connection.execute(
        "SELECT timeline_id, (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint "
        "FROM pg_control_checkpoint()"
    ).fetchone()
    assert row is not None
    return row


def lose_log(directory: Path, timeline: int, place: int) -> int:
    """Overwrite PostgreSQL's log from a place on; how many bytes of it were no zeros."""
    number, offset = divmod(place, _SEGMENT)
    lost = 0
    name = f"{timeline:08X}{number // 256:08X}{number % 256:08X}"
    for path in sorted((directory / "pg_wal").glob("[0-9A-F]" * 24)):
        if path.name < name:
            continue
        begin = offset if path.name == name else 0
        with path.open("r+b") as segment:
            segment.seek(begin)
            lost += _SEGMENT - begin - segment.read().count(0)
            segment.seek(begin)
            segment.write(bytes(_SEGMENT - begin))
    return lost
