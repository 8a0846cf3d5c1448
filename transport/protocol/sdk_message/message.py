"""The SDK message, `MessageWithAttachments:3` document 3.1 (B1.3.3 section 4): values, and writing.

Reading is in `document`, the rules in `rules`.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import pybase64
from lxml import etree

from transport.protocol.errors import ProtocolError
from transport.protocol.identifiers import NS_SDK_MESSAGE

# A multiple of three, so that chunks of base64 join without padding between them.
_BASE64_CHUNK: Final = 48 * 1024
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class CharacterNotAllowed(ProtocolError):
    """A value has a character that XML does not allow; `element` is its element."""

    def __init__(self, element: str) -> None:
        self.element = element
        super().__init__(f"a character in {element} cannot stand in XML")


class ExtensionNotWritable(ProtocolError):
    """An element of another namespace has no canonical form, so that it cannot be put into an envelope."""


def can_be_written(value: str) -> bool:
    """Whether XML allows every character of a value (XML 1.0 2.2)."""
    return _NOT_XML.search(value) is None


@dataclass(frozen=True, slots=True)
class Identifier:
    """IIType: `root` names the code system, `extension` is the identifier in it."""

    root: str
    extension: str


@dataclass(frozen=True, slots=True)
class Person:
    """A person whom the message refers to; never an address (B1.3.3 4.3.2.3)."""

    identifier: Identifier | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class SubOrganization:
    """The function: its address in the address book, and its name."""

    identifier: Identifier
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """A case number or the like of a party."""

    identifier: Identifier
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Attention:
    """The function of a party, and the persons and references that the message concerns."""

    sub_organization: SubOrganization
    persons: tuple[Person, ...] = ()
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class Party:
    """Recipient or sender. The schema lets a sender leave `attention` out; we never do."""

    identifier: Identifier
    label: str | None = None
    attention: Attention | None = None

    @property
    def function_address(self) -> str:
        """The address of the function, without white space around it; empty where none is named."""
        return self.attention.sub_organization.identifier.extension.strip() if self.attention else ""


@dataclass(frozen=True, slots=True)
class Header:
    """MessageHeaderType. `created_at` is aware, in UTC; the ids are UUIDs as text."""

    created_at: datetime
    message_id: str
    conversation_id: str
    recipient: Party
    sender: Party
    is_confidential: bool
    label: str | None = None
    ref_to_message_id: str | None = None
    generating_system: Identifier | None = None


class FileContent(Protocol):
    """The bytes of an attachment, opened when they are needed."""

    @property
    def size(self) -> int: ...

    def open(self) -> BinaryIO: ...


@dataclass(frozen=True, slots=True)
class BytesContent:
    """Content held in memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)


@dataclass(frozen=True, slots=True)
class PathContent:
    """Content in a file; `size` in bytes."""

    path: Path
    size: int

    def open(self) -> BinaryIO:
        return self.path.open("rb")


@dataclass(frozen=True, slots=True)
class File:
    """An attachment. `content_type` is what the sender says it is."""

    name: str
    content_type: str
    content: FileContent


@dataclass(frozen=True, slots=True)
class Document:
    """DigitalDocumentType: texts in Markdown and files, shown in the order of `index`."""

    document_id: str
    name: str | None = None
    index: str | None = None
    texts: tuple[str, ...] = ()
    files: tuple[File, ...] = ()


@dataclass(frozen=True, slots=True)
class Extension:
    """An element of another namespace, kept as it came: `parent` is the path of the element it ended."""

    parent: str
    xml: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """An SDK message."""

    header: Header
    documents: tuple[Document, ...]
    extensions: tuple[Extension, ...] = ()

    @property
    def files(self) -> Iterator[File]:
        """Every attachment, in the order of the documents."""
        for document in self.documents:
            yield from document.files


def timestamp(moment: datetime) -> str:
    """UTC with three fraction digits and Z, as the message's rules ask."""
    utc = moment.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03d}Z"


def write_message(message: Message, out: BinaryIO) -> None:
    """Write the message as canonical XML (C14N 1.0, no declaration), attachments in chunks.

    The bytes can be put into an envelope unchanged. Raises `CharacterNotAllowed`, `ExtensionNotWritable`.
    """
    _Writer(out, message.extensions).write(message)


@dataclass
class _Writer:
    out: BinaryIO
    extensions: tuple[Extension, ...]
    _path: list[str] = field(default_factory=list)
    _counts: list[dict[str, int]] = field(default_factory=lambda: [{}])

    def write(self, message: Message) -> None:
        self.out.write(b'<tns:messagePayload xmlns:tns="' + NS_SDK_MESSAGE.encode() + b'">')
        self._open("message")
        self._header(message.header)
        self._open("messageBody")
        for document in message.documents:
            self._document(document)
        self._close("messageBody")
        self._close("message")
        self.out.write(b"</tns:messagePayload>")

    def _header(self, header: Header) -> None:
        self._open("messageHeader")
        self._value("creationDateTime", timestamp(header.created_at))
        self._value("messageId", header.message_id)
        self._value("conversationId", header.conversation_id)
        self._optional("refToMessageId", header.ref_to_message_id)
        self._optional("label", header.label)
        self._value("confidentiality", "true" if header.is_confidential else "false")
        if header.generating_system is not None:
            self._identifier("generatingSystem", header.generating_system)
        self._party("recipient", "recipientID", header.recipient)
        self._party("sender", "senderID", header.sender)
        self._close("messageHeader")

    def _party(self, name: str, id_name: str, party: Party) -> None:
        self._open(name)
        self._identifier(id_name, party.identifier)
        self._optional("label", party.label)
        if party.attention is not None:
            self._attention(party.attention)
        self._close(name)

    def _attention(self, attention: Attention) -> None:
        self._open("attention")
        for person in attention.persons:
            self._open("person")
            if person.identifier is not None:
                self._identifier("personId", person.identifier)
            self._optional("label", person.label)
            self._close("person")
        self._open("subOrganization")
        self._identifier("organizationId", attention.sub_organization.identifier)
        self._optional("label", attention.sub_organization.label)
        self._close("subOrganization")
        for reference in attention.references:
            self._open("reference")
            self._identifier("referenceId", reference.identifier)
            self._optional("label", reference.label)
            self._close("reference")
        self._close("attention")

    def _document(self, document: Document) -> None:
        self._open("documents")
        self._value("documentID", document.document_id)
        self._optional("documentName", document.name)
        self._optional("index", document.index)
        for file in document.files:
            self._open("ContentFiles")
            self._value("fileName", file.name)
            self._value("contentType", file.content_type)
            self.out.write(b"<tns:content>")
            self._base64(file.content)
            self.out.write(b"</tns:content>")
            self._close("ContentFiles")
        for text in document.texts:
            self._open("ContentText")
            self._value("characterSequence", text)
            self._close("ContentText")
        self._close("documents")

    def _base64(self, content: FileContent) -> None:
        with content.open() as source:
            rest = b""
            while chunk := source.read(_BASE64_CHUNK):
                data = rest + chunk
                cut = len(data) - len(data) % 3
                self.out.write(pybase64.b64encode(data[:cut]))
                rest = data[cut:]
            self.out.write(pybase64.b64encode(rest))

    def _identifier(self, name: str, identifier: Identifier) -> None:
        self._open(name)
        self._value("root", identifier.root)
        self._value("extension", identifier.extension)
        self._close(name)

    def _optional(self, name: str, value: str | None) -> None:
        if value is not None:
            self._value(name, value)

    def _value(self, name: str, value: str) -> None:
        if not can_be_written(value):
            raise CharacterNotAllowed(name)
        escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")
        self.out.write(f"<tns:{name}>{escaped}</tns:{name}>".encode())

    def _open(self, name: str) -> None:
        counts = self._counts[-1]
        counts[name] = counts.get(name, 0) + 1
        self._path.append(f"{name}[{counts[name]}]")
        self._counts.append({})
        self.out.write(f"<tns:{name}>".encode())

    def _close(self, name: str) -> None:
        here = "/".join(self._path)
        for extension in self.extensions:
            if extension.parent == here:
                self.out.write(_canonical_in_place(extension.xml))
        self._path.pop()
        self._counts.pop()
        self.out.write(f"</tns:{name}>".encode())


def _canonical_in_place(xml: bytes) -> bytes:
    """The element's canonical form where only the prefix tns is in scope."""
    opening = f'<tns:place xmlns:tns="{NS_SDK_MESSAGE}">'.encode()
    closing = b"</tns:place>"
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        wrapper = etree.fromstring(opening + xml + closing, parser)
        canonical: bytes = etree.tostring(wrapper, method="c14n")
    except (etree.XMLSyntaxError, etree.C14NError):
        raise ExtensionNotWritable from None
    return canonical[len(opening) : -len(closing)]
