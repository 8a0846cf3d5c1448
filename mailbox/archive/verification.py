"""Verifying a record bundle or an E-ARK package: complete, unchanged, with valid evidence.

Needs nothing but the file.
"""

import hashlib
import json
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final, cast

from transport.message_service.api import EvidenceKind as Kind
from transport.message_service.api import ProtocolError, read_receipt, verify_envelope
from transport.message_service.api import parse_xml as parse

from .bundle import MANIFEST, METADATA_JSON, METADATA_XML, PAGE
from .contents import EVIDENCE_NAMES
from .conversation_record import FORMAT
from .eark.listing import Listing, listed_in_package, package_folder
from .faults import UNREADABLE, Fault

_CHUNK: Final = 64 * 1024
_MAX_LISTING_BYTES: Final = 64 * 1024 * 1024
_REQUIRED: Final = (METADATA_JSON, METADATA_XML, PAGE)


def check_bundle(source: BinaryIO) -> list[Fault]:
    """All faults, in the order of the bundle; none for a valid one."""
    try:
        with zipfile.ZipFile(source) as archive:
            return list(_faults(archive))
    except UNREADABLE:
        return [Fault("", "no-zip-file")]


def _faults(archive: zipfile.ZipFile) -> Iterator[Fault]:
    names = [entry.filename for entry in archive.infolist()]
    yield from (Fault(name, "twice") for name, count in sorted(Counter(names).items()) if count > 1)
    yield from (Fault(name, "unsafe-path") for name in names if _is_unsafe(name))
    package = package_folder(names)
    listing = _manifest(archive, names) if package is None else listed_in_package(archive, package)
    if isinstance(listing, Fault):
        yield listing
        return
    unlisted = [name for name in names if name not in listing.files and name != listing.path]
    yield from (Fault(name, "not-listed") for name in unlisted)
    required = [f"{listing.folder}{name}" for name in _REQUIRED]
    yield from (Fault(name, "not-listed") for name in required if name not in listing.files)
    for path, (size, sha256) in listing.files.items():
        if path not in names:
            yield Fault(path, "missing")
        elif _size_and_hash(archive, path, size) != (size, sha256):
            yield Fault(path, "changed")
    yield from _faults_of_evidence(archive, listing.folder, set(listing.files) & set(names))


def _manifest(archive: zipfile.ZipFile, names: Sequence[str]) -> Listing | Fault:
    """What the manifest of a record bundle lists."""
    manifest = _json(archive, MANIFEST)
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or not _is_listing(files):
        return Fault(MANIFEST, "unreadable" if MANIFEST in names else "missing")
    entries = cast(list[dict[str, Any]], files)
    return Listing(MANIFEST, "", {entry["path"]: (entry["size"], entry["sha256"]) for entry in entries})


def _faults_of_evidence(archive: zipfile.ZipFile, base: str, present: set[str]) -> Iterator[Fault]:
    """`base` is the path that the files of the record begin with, empty or with a slash at its end."""
    metadata = f"{base}{METADATA_JSON}"
    record = _json(archive, metadata) if metadata in present else None
    messages = record.get("messages") if isinstance(record, dict) else None
    if not isinstance(messages, list):
        yield Fault(metadata, "unreadable")
        return
    for message in messages:
        folder, message_id = (
            (message.get("folder"), message.get("message_id")) if isinstance(message, dict) else (None, None)
        )
        if not isinstance(folder, str) or not isinstance(message_id, str):
            yield Fault(metadata, "unreadable")
            continue
        envelope = f"{base}{folder}/{EVIDENCE_NAMES[Kind.ENVELOPE]}"
        if envelope in present:
            yield from _faults_of_envelope(archive, envelope, message_id)
        receipt = f"{base}{folder}/{EVIDENCE_NAMES[Kind.MESSAGE_RECEIPT]}"
        if receipt in present:
            yield from _faults_of_receipt(archive, receipt, message_id)


def _faults_of_envelope(archive: zipfile.ZipFile, path: str, message_id: str) -> Iterator[Fault]:
    with tempfile.TemporaryFile() as copy:
        _copy(archive, path, copy)
        try:
            verified = verify_envelope(cast(BinaryIO, copy))
        except ProtocolError:
            yield Fault(path, "signature")
            return
        if verified.envelope.message_id != message_id:
            yield Fault(path, "of-another-message")


def _faults_of_receipt(archive: zipfile.ZipFile, path: str, message_id: str) -> Iterator[Fault]:
    with tempfile.TemporaryFile() as copy, tempfile.TemporaryFile() as content:
        _copy(archive, path, copy)
        try:
            verify_envelope(cast(BinaryIO, copy)).write_payload(cast(BinaryIO, content))
            content.seek(0)
            receipt = read_receipt(parse(cast(BinaryIO, content)))
        except ProtocolError:
            yield Fault(path, "signature")
            return
        if receipt.ref_message_id != message_id:
            yield Fault(path, "of-another-message")


def _copy(archive: zipfile.ZipFile, path: str, target: Any) -> None:
    with archive.open(path) as source:
        while piece := source.read(_CHUNK):
            target.write(piece)
    target.seek(0)


def _size_and_hash(archive: zipfile.ZipFile, path: str, most: int) -> tuple[int, str]:
    """Size and SHA-256 of an entry, of which at most a piece more than `most` bytes is read."""
    digest, size = hashlib.sha256(), 0
    try:
        with archive.open(path) as source:
            while (piece := source.read(_CHUNK)) and size <= most:
                digest.update(piece)
                size += len(piece)
    except UNREADABLE:
        return -1, ""
    return size, digest.hexdigest()


def _json(archive: zipfile.ZipFile, path: str) -> object:
    try:
        with archive.open(path) as source:
            text = source.read(_MAX_LISTING_BYTES + 1)
        return json.loads(text) if len(text) <= _MAX_LISTING_BYTES else None
    except (KeyError, RecursionError, *UNREADABLE):
        return None


def _is_listing(files: object) -> bool:
    return isinstance(files, list) and all(
        isinstance(entry, dict)
        and isinstance(entry.get("path"), str)
        and isinstance(entry.get("size"), int)
        and isinstance(entry.get("sha256"), str)
        for entry in files
    )


def _is_unsafe(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or "\\" in name or name.endswith("/")
