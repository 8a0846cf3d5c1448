"""The preservation metadata of an E-ARK package, as PREMIS 3.0: its files, and how the package came about."""

from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings

from ..conversation_record import utc_text
from ..xml_writing import XSI, Writer, as_bytes
from .mets import ListedFile, Package

PREMIS: Final = "http://www.loc.gov/premis/v3"
_SCHEMA_LOCATION: Final = f"{PREMIS} https://www.loc.gov/standards/premis/v3/premis-v3-0.xsd"
_WRITER: Final = Writer(PREMIS)
_LOCAL: Final = "local"
_PATH: Final = "path"
_SOFTWARE: Final = "software"
_ORGANISATION: Final = "organisation"
_PERSON: Final = "person"


def premis_document(
    package: Package, *, representation: str, files: Sequence[tuple[ListedFile, str]], made_by: str
) -> bytes:
    """The document. Each of `files` has its path in the package and the name that it had before.

    `made_by` is the name of the person who exported the conversation.
    """
    root = _WRITER.root("premis", {None: PREMIS}, version="3.0")
    root.set(f"{{{XSI}}}schemaLocation", _SCHEMA_LOCATION)
    whole = _object(root, "representation")
    _add_identifier(whole, "objectIdentifier", _PATH, representation)
    for file, original_name in files:
        _add_file(root, file, original_name)
    _add_creation(root, package, representation)
    _add_agent(root, _SOFTWARE, "sdkportal", "software", version=settings.VERSION)
    _add_agent(root, _ORGANISATION, package.organisation, "organization")
    _add_agent(root, _PERSON, made_by, "person")
    return as_bytes(root)


def _object(root: Any, kind: str) -> Any:
    element = _WRITER.add(root, "object")
    # A name without a prefix, which is in the default namespace as the elements are.
    element.set(f"{{{XSI}}}type", kind)
    return element


def _add_file(root: Any, file: ListedFile, original_name: str) -> None:
    element = _object(root, "file")
    _add_identifier(element, "objectIdentifier", _PATH, file.path)
    characteristics = _WRITER.add(element, "objectCharacteristics")
    fixity = _WRITER.add(characteristics, "fixity")
    _WRITER.add(fixity, "messageDigestAlgorithm", "SHA-256")
    _WRITER.add(fixity, "messageDigest", file.sha256)
    _WRITER.add(characteristics, "size", str(file.size))
    designation = _WRITER.add(_WRITER.add(characteristics, "format"), "formatDesignation")
    _WRITER.add(designation, "formatName", file.media_type)
    _WRITER.add(element, "originalName", original_name)


def _add_creation(root: Any, package: Package, representation: str) -> None:
    """The event that the package was made, with who and what made it."""
    event = _WRITER.add(root, "event")
    _add_identifier(event, "eventIdentifier", _LOCAL, package.identifier)
    _WRITER.add(event, "eventType", "information package creation")
    _WRITER.add(event, "eventDateTime", utc_text(package.made_at))
    for agent, role in (
        (_SOFTWARE, "executing program"),
        (_ORGANISATION, "authorizer"),
        (_PERSON, "implementer"),
    ):
        link = _add_identifier(event, "linkingAgentIdentifier", _LOCAL, agent)
        _WRITER.add(link, "linkingAgentRole", role)
    link = _add_identifier(event, "linkingObjectIdentifier", _PATH, representation)
    _WRITER.add(link, "linkingObjectRole", "outcome")


def _add_agent(root: Any, identifier: str, name: str, kind: str, *, version: str = "") -> None:
    agent = _WRITER.add(root, "agent")
    _add_identifier(agent, "agentIdentifier", _LOCAL, identifier)
    _WRITER.add(agent, "agentName", name)
    _WRITER.add(agent, "agentType", kind)
    if version:
        _WRITER.add(agent, "agentVersion", version)


def _add_identifier(parent: Any, name: str, kind: str, value: str) -> Any:
    element = _WRITER.add(parent, name)
    _WRITER.add(element, f"{name}Type", kind)
    _WRITER.add(element, f"{name}Value", value)
    return element
