"""What an E-ARK package lists in its METS documents, for verification."""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from transport.message_service.api import ProtocolError, XmlLimits
from transport.message_service.api import parse_xml as parse

from ..faults import UNREADABLE, Fault
from .mets import METS, XLINK
from .package import DATA_FOLDER, METS_NAME, REPRESENTATION_FOLDER

_LIMITS: Final = XmlLimits(max_bytes=64 * 1024 * 1024, max_elements=500_000)


@dataclass(frozen=True, slots=True)
class Listing:
    """The file that lists the others, what the paths of the record's files begin with, and size and SHA-256
    of each listed file by its path."""

    path: str
    folder: str
    files: Mapping[str, tuple[int, str]]


def package_folder(names: Sequence[str]) -> str | None:
    """The folder of an E-ARK package, with a slash at its end, or None if the archive is none."""
    folders = {name.partition("/")[0] for name in names}
    if len(folders) != 1 or not all("/" in name for name in names):
        return None
    return f"{folders.pop()}/"


def listed_in_package(archive: zipfile.ZipFile, folder: str) -> Listing | Fault:
    """What the METS documents of the package and of its representation list."""
    path = f"{folder}{METS_NAME}"
    files: dict[str, tuple[int, str]] = {}
    for base in (folder, f"{folder}{REPRESENTATION_FOLDER}/"):
        document = f"{base}{METS_NAME}"
        try:
            with archive.open(document) as source:
                root = parse(source.read(_LIMITS.max_bytes + 1), _LIMITS)
            files.update((f"{base}{href}", facts) for href, facts in _listed(root))
        except KeyError:
            return Fault(document, "missing")
        except (ProtocolError, *UNREADABLE):
            return Fault(document, "unreadable")
    return Listing(path, f"{folder}{DATA_FOLDER}/", files)


def _listed(root: Any) -> Iterator[tuple[str, tuple[int, str]]]:
    """Path, size and SHA-256 of each file. Raises `ValueError` where one of them is missing."""
    for element in root.iter(f"{{{METS}}}file", f"{{{METS}}}mdRef"):
        location = element.find(f"{{{METS}}}FLocat") if element.tag == f"{{{METS}}}file" else element
        href = location.get(f"{{{XLINK}}}href") if location is not None else None
        size, digest = element.get("SIZE", ""), element.get("CHECKSUM", "")
        if not href or not digest or element.get("CHECKSUMTYPE") != "SHA-256":
            raise ValueError("a file is listed without its path or checksum")
        yield unquote(href), (int(size), digest)
