"""Writing a record bundle: metadata, page, evidence, attachments and a manifest of them."""

import zipfile
from dataclasses import asdict
from datetime import datetime
from typing import BinaryIO, Final

from mailbox.models import Conversation, Message

from . import page
from .contents import Contents, attachment_files, evidence_files
from .conversation_record import FORMAT, folder_of, record_as_xml, utc_text
from .export import export_of, json_bytes

MANIFEST: Final = "manifest.json"
METADATA_JSON: Final = "metadata.json"
METADATA_XML: Final = "metadata.xml"
PAGE: Final = "conversation.pdf"
# In bytes: some systems allow 260 characters for a whole path.
_LONGEST_NAME: Final = 120


def write_bundle(conversation: Conversation, out: BinaryIO, *, made_by: str, made_at: datetime) -> None:
    """Write the bundle of a conversation. Files are streamed; the page is made in memory.

    Raises `rendering.RenderingFailed`.
    """
    export = export_of(conversation, made_by=made_by, made_at=made_at)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        contents = Contents(archive, made_at)
        contents.add(METADATA_JSON, json_bytes(export.record))
        contents.add(METADATA_XML, record_as_xml(export.record))
        contents.add(PAGE, page.as_pdf(export.html))
        for position, message in enumerate(export.messages, 1):
            _add_message(contents, folder_of(position, message), conversation, message)
        manifest = {
            "format": FORMAT,
            "made_at": utc_text(made_at),
            "files": [asdict(file) for file in contents.files],
        }
        contents.add(MANIFEST, json_bytes(manifest))


def _add_message(contents: Contents, folder: str, conversation: Conversation, message: Message) -> None:
    for file, source in evidence_files(conversation, message):
        contents.add(f"{folder}/{file.path}", source)
    for file, source in attachment_files(message, _LONGEST_NAME):
        contents.add(f"{folder}/{file.path}", source)
