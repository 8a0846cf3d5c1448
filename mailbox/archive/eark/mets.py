"""METS documents of an E-ARK package, by CSIP and SIP 2.1.0 (Riksarkivet: FGS Paketstruktur 2.0).

The numbers in comments are those of the requirements.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from django.conf import settings

from ..conversation_record import utc_text
from ..xml_writing import XSI, Writer, as_bytes, with_attributes

METS: Final = "http://www.loc.gov/METS/"
XLINK: Final = "http://www.w3.org/1999/xlink"
_CSIP: Final = "https://DILCIS.eu/XML/METS/CSIPExtensionMETS"
_SIP: Final = "https://DILCIS.eu/XML/METS/SIPExtensionMETS"
_PREFIXES: Final[dict[str | None, str]] = {None: METS, "xlink": XLINK, "csip": _CSIP, "sip": _SIP}
_SCHEMA_LOCATION: Final = " ".join(
    (
        f"{METS} http://www.loc.gov/standards/mets/mets.xsd",
        f"{XLINK} http://www.loc.gov/standards/mets/xlink.xsd",
        f"{_CSIP} https://earkcsip.dilcis.eu/schema/DILCISExtensionMETS.xsd",
        f"{_SIP} https://earksip.dilcis.eu/schema/DILCISExtensionSIPMETS.xsd",
    )
)
_PROFILE: Final = "https://earksip.dilcis.eu/profile/E-ARK-SIP.xml"
# Of the vocabularies for content categories and content information types that CSIP 2.1.0 refers to.
_CONTENT_CATEGORY: Final = "Mixed"
_CONTENT_TYPE: Final = "citserms_v2_1"
_WRITER: Final = Writer(METS)


@dataclass(frozen=True, slots=True)
class Package:
    """What METS documents say of the package: its id, which is the name of its folder, a label or nothing,
    and whose it is."""

    identifier: str
    label: str
    organisation: str
    participant: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file of the package. `path` is relative to the METS document that lists it. `format_name` and
    `format_version` tell more than the media type where that is known."""

    path: str
    size: int
    sha256: str
    media_type: str
    created: datetime
    format_name: str = ""
    format_version: str = ""


def package_document(
    package: Package,
    *,
    descriptive: ListedFile,
    preservation: ListedFile,
    documentation: Sequence[ListedFile],
    schemas: Sequence[ListedFile],
    representation: ListedFile,
) -> bytes:
    """The METS document of the package. `representation` is the METS document of its representation."""
    root = _root(package, package.identifier)
    described = _WRITER.add(
        root, "dmdSec", ID="descriptive", CREATED=utc_text(package.made_at), STATUS="CURRENT"
    )
    _add_reference(described, descriptive, MDTYPE="OTHER", OTHERMDTYPE="ERMS")  # CSIP22-30
    administrative = _WRITER.add(root, "amdSec", ID="administrative")
    preserved = _WRITER.add(administrative, "digiprovMD", ID="preservation", STATUS="CURRENT")
    _add_reference(preserved, preservation, MDTYPE="PREMIS", MDTYPEVERSION="3.0")  # CSIP36-44
    folder = representation.path.rpartition("/")[0]
    label = f"R{folder[1:]}"  # CSIP107: "Representations/" and the name of the folder
    files = _WRITER.add(root, "fileSec", ID="files")
    _add_group(files, "documentation", "Documentation", documentation)  # CSIP60
    _add_group(files, "schemas", "Schemas", schemas)  # CSIP113
    group = _add_group(files, "representation", label, [representation])  # CSIP114
    group.set(f"{{{_CSIP}}}CONTENTINFORMATIONTYPE", _CONTENT_TYPE)  # CSIP62
    division = _structure(root, package.identifier)
    _WRITER.add(
        division,
        "div",
        ID="structure-metadata",
        LABEL="Metadata",
        ADMID="preservation",
        DMDID="descriptive",
    )
    for group_id, name in (
        ("documentation", "Documentation"),
        ("schemas", "Schemas"),
        ("representation", "Representations"),
    ):
        part = _WRITER.add(division, "div", ID=f"structure-{group_id}", LABEL=name)
        _WRITER.add(part, "fptr", FILEID=group_id)
    part = _WRITER.add(division, "div", ID="structure-representation-mets", LABEL=label)  # CSIP105-112
    pointer = _WRITER.add(part, "mptr")
    _point(pointer, representation.path)
    pointer.set(f"{{{XLINK}}}title", "representation")
    return as_bytes(root)


def representation_document(package: Package, name: str, files: Sequence[ListedFile]) -> bytes:
    """The METS document of a representation, which is called as its folder is, with all of its files."""
    root = _root(package, name)
    section = _WRITER.add(root, "fileSec", ID="files")
    _add_group(section, "data", "Data", files)
    division = _structure(root, name)
    part = _WRITER.add(division, "div", ID="structure-data", LABEL="Data")
    _WRITER.add(part, "fptr", FILEID="data")
    return as_bytes(root)


def _root(package: Package, object_id: str) -> Any:
    """The root element with its header: whose the package is, and what made it."""
    root = _WRITER.root("mets", _PREFIXES, OBJID=object_id, TYPE=_CONTENT_CATEGORY, PROFILE=_PROFILE)
    root.set(f"{{{XSI}}}schemaLocation", _SCHEMA_LOCATION)
    root.set(f"{{{_CSIP}}}CONTENTINFORMATIONTYPE", _CONTENT_TYPE)
    if package.label:
        with_attributes(root, {"LABEL": package.label})
    made_at = utc_text(package.made_at)
    header = _WRITER.add(root, "metsHdr", CREATEDATE=made_at, LASTMODDATE=made_at, RECORDSTATUS="NEW")
    header.set(f"{{{_CSIP}}}OAISPACKAGETYPE", "SIP")
    software = _WRITER.add(header, "agent", ROLE="CREATOR", TYPE="OTHER", OTHERTYPE="SOFTWARE")  # CSIP10-16
    _WRITER.add(software, "name", "sdkportal")
    note = _WRITER.add(software, "note", settings.VERSION)
    note.set(f"{{{_CSIP}}}NOTETYPE", "SOFTWARE VERSION")
    for role in ("ARCHIVIST", "CREATOR"):  # SIP9-14, SIP15-20
        agent = _WRITER.add(header, "agent", ROLE=role, TYPE="ORGANIZATION")
        _WRITER.add(agent, "name", package.organisation)
        note = _WRITER.add(agent, "note", package.participant)
        note.set(f"{{{_CSIP}}}NOTETYPE", "IDENTIFICATIONCODE")
    return root


def _structure(root: Any, label: str) -> Any:
    """The structural map's only division (CSIP80-86)."""
    structure = _WRITER.add(root, "structMap", ID="structure", TYPE="PHYSICAL", LABEL="CSIP")
    return _WRITER.add(structure, "div", ID="structure-package", LABEL=label)


def _add_group(parent: Any, identifier: str, use: str, files: Sequence[ListedFile]) -> Any:
    group = _WRITER.add(parent, "fileGrp", ID=identifier, USE=use)
    for number, file in enumerate(files, 1):
        element = _WRITER.add(group, "file", ID=f"{identifier}-{number}", **_facts(file))
        if file.format_name:
            element.set(f"{{{_SIP}}}FILEFORMATNAME", file.format_name)
            element.set(f"{{{_SIP}}}FILEFORMATVERSION", file.format_version)
        _point(_WRITER.add(element, "FLocat"), file.path)
    return group


def _add_reference(parent: Any, file: ListedFile, **kind: str) -> None:
    reference = _WRITER.add(parent, "mdRef", **kind, **_facts(file))
    _point(reference, file.path)


def _facts(file: ListedFile) -> dict[str, str]:
    """The attributes that CSIP demands of each file (CSIP26-30, CSIP68-72)."""
    return {
        "MIMETYPE": file.media_type,
        "SIZE": str(file.size),
        "CREATED": utc_text(file.created),
        "CHECKSUM": file.sha256,
        "CHECKSUMTYPE": "SHA-256",
    }


def _point(element: Any, path: str) -> None:
    """Let the element point to a file: the path is a relative URL."""
    element.set("LOCTYPE", "URL")
    element.set(f"{{{XLINK}}}type", "simple")
    element.set(f"{{{XLINK}}}href", quote(path))
