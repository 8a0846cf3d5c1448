"""Writing an E-ARK package (Riksarkivet: FGS Paketstruktur 2.0), which archives take in.

The package is one folder in a ZIP archive. Its representation has the files of a record bundle. METS
documents tell the size and SHA-256 of every file, so they are written after what they list.
"""

import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

from django.conf import settings
from django.template.loader import render_to_string

from mailbox.attachments.downloads import safe_content_type
from mailbox.models import Conversation, Message

from .. import page
from ..bundle import METADATA_JSON, METADATA_XML, PAGE
from ..contents import Contents, MessageFile, attachment_files, evidence_files
from ..conversation_record import folder_of, record_as_xml
from ..export import Export, export_of, json_bytes
from .erms import erms_document
from .mets import ListedFile, Package, package_document, representation_document
from .premis import premis_document

METS_NAME: Final = "METS.xml"
REPRESENTATION: Final = "original"
REPRESENTATION_FOLDER: Final = f"representations/{REPRESENTATION}"
DATA_FOLDER: Final = f"{REPRESENTATION_FOLDER}/data"
_RECORD_SCHEMA: Final = Path(settings.FILES_DIR) / "static" / "archive" / "record.xsd"
# In bytes: the folders of the package are long, and some systems allow 260 characters for a whole path.
_LONGEST_NAME: Final = 80
_XML: Final = "application/xml"


def write_package(conversation: Conversation, out: BinaryIO, *, made_by: str, made_at: datetime) -> None:
    """Write the package of a conversation. Files are streamed; the page is made in memory.

    Raises `rendering.RenderingFailed`.
    """
    export = export_of(conversation, made_by=made_by, made_at=made_at)
    package = _package_of(export)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        _PackageWriter(Contents(archive, made_at), package, export).write()


def _package_of(export: Export) -> Package:
    """What the package says of itself. Its id tells nothing of the content, nor does the label of what is
    confidential."""
    conversation = export.conversation
    at = f"{export.made_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return Package(
        identifier=f"sdk-{at}-{conversation.conversation_id}",
        label="" if conversation.is_confidential else conversation.subject,
        organisation=export.organisation,
        participant=conversation.mailbox.participant_id,
        made_at=export.made_at,
    )


class _PackageWriter:
    """Writes the package's files in an order in which each lists only files that are written already."""

    def __init__(self, contents: Contents, package: Package, export: Export) -> None:
        self._contents = contents
        self._package = package
        self._export = export
        # The files of the representation, with the names that they had before.
        self._data: list[tuple[ListedFile, str]] = []
        self._attachments: dict[UUID, list[tuple[str, str]]] = {}

    def write(self) -> None:
        """Write everything."""
        self._write_record()
        for position, message in enumerate(self._export.messages, 1):
            self._write_message(folder_of(position, message), message)
        representation = self._add(
            f"{REPRESENTATION_FOLDER}/{METS_NAME}",
            representation_document(
                self._package, REPRESENTATION, [_in_representation(file) for file, _ in self._data]
            ),
        )
        descriptive = self._add(
            "metadata/descriptive/ERMS.xml",
            erms_document(self._export, self._package.identifier, self._attachments),
        )
        preservation = self._add(
            "metadata/preservation/PREMIS.xml",
            premis_document(
                self._package,
                representation=REPRESENTATION_FOLDER,
                files=self._data,
                made_by=self._export.made_by,
            ),
        )
        text = render_to_string("archive/package_documentation.txt").encode()
        documentation = self._add("documentation/README.txt", text, "text/plain")
        schema = self._add("schemas/record.xsd", _RECORD_SCHEMA.read_bytes())
        mets = package_document(
            self._package,
            descriptive=descriptive,
            preservation=preservation,
            documentation=[documentation],
            schemas=[schema],
            representation=representation,
        )
        self._add(METS_NAME, mets)

    def _write_record(self) -> None:
        record = self._export.record
        pdf = self._add(
            f"{DATA_FOLDER}/{PAGE}",
            page.as_pdf(self._export.html),
            "application/pdf",
            format_name="PDF/A",
            format_version="2u",
        )
        self._data.append((pdf, PAGE))
        as_json = self._add(f"{DATA_FOLDER}/{METADATA_JSON}", json_bytes(record), "application/json")
        self._data.append((as_json, METADATA_JSON))
        as_xml = self._add(f"{DATA_FOLDER}/{METADATA_XML}", record_as_xml(record))
        self._data.append((as_xml, METADATA_XML))

    def _write_message(self, folder: str, message: Message) -> None:
        for file, source in evidence_files(self._export.conversation, message):
            self._write_message_file(folder, message, file, source)
        for file, source in attachment_files(message, _LONGEST_NAME):
            written = self._write_message_file(folder, message, file, source)
            self._attachments.setdefault(message.message_id, []).append((file.name, written.path))

    def _write_message_file(
        self, folder: str, message: Message, file: MessageFile, source: BinaryIO
    ) -> ListedFile:
        path = f"{DATA_FOLDER}/{folder}/{file.path}"
        written = self._add(path, source, safe_content_type(file.content_type), created=message.at)
        self._data.append((written, file.name))
        return written

    def _add(
        self,
        path: str,
        content: bytes | BinaryIO,
        media_type: str = _XML,
        *,
        created: datetime | None = None,
        format_name: str = "",
        format_version: str = "",
    ) -> ListedFile:
        """Add a file. `path` begins in the package's folder."""
        written = self._contents.add(f"{self._package.identifier}/{path}", content)
        return ListedFile(
            path,
            written.size,
            written.sha256,
            media_type,
            created or self._package.made_at,
            format_name,
            format_version,
        )


def _in_representation(file: ListedFile) -> ListedFile:
    """The file with its path as seen from the representation's folder."""
    return replace(file, path=file.path.removeprefix(f"{REPRESENTATION_FOLDER}/"))
