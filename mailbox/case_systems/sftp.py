"""A case system that takes packages from an SFTP server, and puts receipts there (docs/connectors.md).

Its directory has what the watched directory has: `packages/`, `receipts/` and `rejected/`. What the server
says is a stranger's: names that are not of the expected form are left alone, only regular files are read, and
of each no more than a receipt may have. The whole of a session has a deadline.
"""

import contextlib
import hashlib
import json
import re
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar
from uuid import UUID

from mailbox.models import CaseDelivery, CaseSystem

from . import host_keys, receipts
from .connector import CannotHandOver, Package
from .directory import PACKAGES, RECEIPTS, REJECTED, described
from .sftp_session import Work, in_session
from .ssh_library import asyncssh

if TYPE_CHECKING:
    from asyncssh import SFTPClient

_Result = TypeVar("_Result")
_CHUNK: Final = 256 * 1024
_SECONDS: Final = 60.0
# A package gets the time that it takes at this pace, up to what is left of a task's.
_SLOWEST_BYTES_PER_SECOND: Final = 100_000
_LONGEST_SECONDS: Final = 600.0
_HALF_WRITTEN_SECONDS: Final = 600
_MOST_AT_A_TIME: Final = 100
# So many names of a directory are looked at, whatever the server says.
_MOST_NAMES: Final = 5_000
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}\.json")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that may be a receipt: what it says, or why it is none (a code)."""

    name: str
    receipt: receipts.Receipt | None
    reason: str = ""


class SftpConnector:
    """Packages in `packages/`: first the ZIP, then its description, each under its name when it is whole."""

    def hand_over(self, system: CaseSystem, package: Package) -> None:
        """Write both files. Nothing has its name before the server says that it has all of it."""

        async def write(client: "SFTPClient", directory: str) -> None:
            folder = await _made(client, directory, PACKAGES)
            name = f"{package.delivery_id}.zip"
            digest = await _put(client, folder, name, source, package.size)
            if digest != package.sha256:
                raise CannotHandOver(CaseDelivery.Cause.PACKAGE)
            await _rename(client, f"{folder}/.{name}.part", f"{folder}/{name}")
            await _put_description(client, folder, package, name)

        pace = package.size / _SLOWEST_BYTES_PER_SECOND
        # Opened here: in the event loop nothing may ask the database.
        with package.open() as source:
            _in_session(system, write, seconds=min(_SECONDS + pace, _LONGEST_SECONDS))

    def remove(self, system: CaseSystem, delivery_id: UUID) -> None:
        """Remove the description, then the package, if the case system has left them."""

        async def remove(client: "SFTPClient", directory: str) -> None:
            for suffix in ("json", "zip"):
                await _unlink(client, f"{directory}/{PACKAGES}/{delivery_id}.{suffix}")

        _in_session(system, remove, seconds=_SECONDS)


def fetch_receipts(system: CaseSystem) -> list[Fetched]:
    """The receipts that are there and whole, and what is none, in order. Raises `CannotHandOver`."""

    async def fetch(client: "SFTPClient", directory: str) -> list[Fetched]:
        folder = await _made(client, directory, RECEIPTS)
        names = [name for name in await _names(client, folder) if _NAME.fullmatch(name)]
        found = [await _fetched(client, folder, name) for name in sorted(names)[:_MOST_AT_A_TIME]]
        return [each for each in found if each is not None]

    return _in_session(system, fetch, seconds=_SECONDS)


def clear_receipts(system: CaseSystem, remove: Sequence[str], set_aside: Sequence[str]) -> int:
    """Remove receipts that have been applied, and move what is none to `rejected/`; how many are there."""

    async def clear(client: "SFTPClient", directory: str) -> int:
        rejected = await _made(client, directory, REJECTED)
        for name in remove:
            await _unlink(client, f"{directory}/{RECEIPTS}/{name}")
        for name in set_aside:
            with contextlib.suppress(asyncssh().SFTPNoSuchFile):
                await _rename(client, f"{directory}/{RECEIPTS}/{name}", f"{rejected}/{name}")
        return len(await _names(client, rejected))

    return _in_session(system, clear, seconds=_SECONDS)


def try_out(system: CaseSystem) -> None:
    """Log in, and write, rename and remove a file of some bytes in `packages/`. Raises `CannotHandOver`."""

    async def work(client: "SFTPClient", directory: str) -> None:
        folder = await _made(client, directory, PACKAGES)
        await _made(client, directory, RECEIPTS)
        partial, whole = f"{folder}/.sdkportal-test.part", f"{folder}/.sdkportal-test"
        async with client.open(partial, "wb") as target:
            await target.write(b"sdkportal")
        await _rename(client, partial, whole)
        await _unlink(client, whole)

    _in_session(system, work, seconds=_SECONDS)


def _in_session(system: CaseSystem, work: Work[_Result], *, seconds: float) -> _Result:
    """`in_session`, which tells administrators of a host key that has changed."""
    try:
        result = in_session(system, work, seconds=seconds)
    except CannotHandOver as error:
        if error.cause == CaseDelivery.Cause.HOST_KEY and system.sftp_host_key:
            host_keys.record_changed(system)
        raise
    host_keys.record_known(system)
    return result


async def _put(client: "SFTPClient", folder: str, name: str, source: BinaryIO, size: int) -> str:
    """Write the package under a temporary name; its SHA-256. Half a package is an error of the directory."""
    digest, partial = hashlib.sha256(), f"{folder}/.{name}.part"
    async with client.open(partial, "wb") as target:
        while piece := source.read(_CHUNK):
            digest.update(piece)
            await target.write(piece)
    if (await client.lstat(partial)).size != size:
        raise CannotHandOver(CaseDelivery.Cause.DIRECTORY)
    return digest.hexdigest()


async def _put_description(client: "SFTPClient", folder: str, package: Package, name: str) -> None:
    text = json.dumps(described(package) | {"package": name}, ensure_ascii=False, indent=1).encode()
    whole = f"{folder}/{package.delivery_id}.json"
    partial = f"{folder}/.{package.delivery_id}.json.part"
    async with client.open(partial, "wb") as target:
        await target.write(text)
    if (await client.lstat(partial)).size != len(text):
        raise CannotHandOver(CaseDelivery.Cause.DIRECTORY)
    await _rename(client, partial, whole)


async def _fetched(client: "SFTPClient", folder: str, name: str) -> Fetched | None:
    """The file as a receipt; None where it is gone, or not whole yet."""
    path = f"{folder}/{name}"
    try:
        status = await client.lstat(path)
        if status.permissions is None or not stat.S_ISREG(status.permissions):
            return Fetched(name, None, "unreadable")
        async with client.open(path, "rb") as source:
            content = await source.read(receipts.MOST_BYTES + 1)
    except asyncssh().SFTPNoSuchFile:
        return None
    except (asyncssh().SFTPPermissionDenied, asyncssh().SFTPFailure):
        return Fetched(name, None, "unreadable")
    try:
        return Fetched(name, receipts.read(content.encode() if isinstance(content, str) else content))
    except receipts.NotJson as error:
        if abs(time.time() - (status.mtime or 0)) < _HALF_WRITTEN_SECONDS:
            return None
        return Fetched(name, None, error.reason)
    except receipts.ReceiptInvalid as error:
        return Fetched(name, None, error.reason)


async def _names(client: "SFTPClient", folder: str) -> list[str]:
    """The names in a directory, at most so many; those that are no UTF-8 are left out."""
    names: list[str] = []
    count = 0
    async for entry in client.scandir(folder.encode()):
        count += 1
        if count > _MOST_NAMES:
            break
        raw = entry.filename if isinstance(entry.filename, bytes) else entry.filename.encode()
        if raw not in {b".", b".."}:
            with contextlib.suppress(UnicodeDecodeError):
                names.append(raw.decode())
    return names


async def _made(client: "SFTPClient", directory: str, name: str) -> str:
    """A directory of the case system's, made if it does not exist."""
    path = f"{directory}/{name}"
    try:
        await client.lstat(path)
    except asyncssh().SFTPNoSuchFile:
        await client.mkdir(path)
    return path


async def _rename(client: "SFTPClient", old: str, new: str) -> None:
    """Rename a file, in one step over one of the same name where the server can do that."""
    try:
        await client.posix_rename(old, new)
    except asyncssh().SFTPOpUnsupported:
        await _unlink(client, new)
        await client.rename(old, new)


async def _unlink(client: "SFTPClient", path: str) -> None:
    with contextlib.suppress(asyncssh().SFTPNoSuchFile):
        await client.remove(path)
