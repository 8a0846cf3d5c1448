"""Reading an SDK message as a stream: a small tree, and the attachments in files.

The tree is the message without the base64 of its attachments, so that its rules can be checked and its values
read in one pass, in bounded memory.
"""

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, cast

import pybase64
from lxml import etree

from transport.protocol.errors import ProtocolError
from transport.protocol.identifiers import C14N_EXCLUSIVE, NS_SDK_MESSAGE
from transport.protocol.moments import NotAMoment, nearest_moment
from transport.protocol.xml.canonical import CanonicalisationFailed, canonical_element
from transport.protocol.xml.safe_xml import MEBIBYTE, MESSAGE_DOCUMENT, BoundedReader, Limits, XmlProblem
from transport.protocol.xml.text import text_at, text_of

from .message import (
    Attention,
    Document,
    Extension,
    File,
    Header,
    Identifier,
    Message,
    Party,
    PathContent,
    Person,
    Reference,
    SubOrganization,
)

_T: Final = f"{{{NS_SDK_MESSAGE}}}"
_CONTENT: Final = _T + "content"
_CONTENT_FILES: Final = _T + "ContentFiles"
_WHITESPACE: Final = b" \t\r\n"
# Text outside files is held in memory: characters, of which no message of 30 MB has as many.
_MOST_TEXT: Final = 32 * MEBIBYTE
_BASE64_START: Final = re.compile(r"[a-zA-Z0-9+/]")


class MessageMalformed(ProtocolError):
    """An element that every SDK message has is missing; `element` is its name."""

    def __init__(self, element: str) -> None:
        self.element = element
        super().__init__(f"the SDK message has no {element}")


@dataclass(slots=True)
class EmbeddedFile:
    """What a `content` element holds: the decoded file, and what is known of its text."""

    path: Path | None
    size: int = 0
    is_blank: bool = True
    begins_as_base64: bool = False
    is_base64: bool = True


@dataclass(slots=True)
class MessageDocument:
    """A message that has been read: `root` without the content of `files`; `size` in bytes."""

    root: etree._Element
    files: dict[etree._Element, EmbeddedFile]
    size: int


def read_document(
    source: BinaryIO, file_directory: Path | None, limits: Limits = MESSAGE_DOCUMENT
) -> MessageDocument:
    """Read a message; raises `XmlRefused`.

    Attachments are decoded into files in `file_directory`, or counted and dropped where it is None.
    """
    with ExitStack() as cleanup:
        return _DocumentReader(limits, file_directory, cleanup).read(source)


def read_message(source: BinaryIO, file_directory: Path) -> Message:
    """The values of a message; raises `XmlRefused`, `MessageMalformed`. Rules are not checked."""
    return message_of(read_document(source, file_directory))


class _DocumentReader:
    def __init__(self, limits: Limits, directory: Path | None, cleanup: ExitStack) -> None:
        self._directory = directory
        self._cleanup = cleanup
        self._builder = etree.TreeBuilder()
        self._files: dict[etree._Element, EmbeddedFile] = {}
        self._stack: list[etree._Element] = []
        self._namespaces: dict[str | None, str] = {}
        self._decoder: _FileDecoder | None = None
        self._held = 0
        self._reader = BoundedReader(limits)
        self._reader.on_start = self._start
        self._reader.on_end = self._end
        self._reader.parser.CharacterDataHandler = self._text
        self._reader.on_namespace = self._declare

    def read(self, source: BinaryIO) -> MessageDocument:
        counted = _Counted(source)
        self._reader.read(counted)  # type: ignore[arg-type]
        return MessageDocument(self._builder.close(), self._files, counted.size)

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        if uri:
            self._namespaces[prefix] = uri

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        start = cast(Callable[..., etree._Element], self._builder.start)
        try:
            element = start(
                _clark(name), {_clark(key): value for key, value in attributes.items()}, self._namespaces
            )
        except ValueError:
            # A namespace name that is no URI reference, or a name that only one of two parsers takes.
            raise self._reader.refuse(XmlProblem.MALFORMED) from None
        self._namespaces = {}
        if element.tag == _CONTENT and self._stack and self._stack[-1].tag == _CONTENT_FILES:
            self._decoder = _FileDecoder(self._directory, len(self._files), self._cleanup)
            self._files[element] = self._decoder.file
        self._stack.append(element)

    def _end(self, name: str) -> None:
        self._builder.end(_clark(name))
        if self._stack.pop() in self._files and self._decoder is not None:
            self._decoder.finish()
            self._decoder = None

    def _text(self, text: str) -> None:
        if self._decoder is not None and self._stack[-1] in self._files:
            self._decoder.feed(text)
            return
        self._held += len(text)
        if self._held > _MOST_TEXT:
            raise self._reader.refuse(XmlProblem.TOO_LARGE)
        self._builder.data(text)


class _Counted:
    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.size = 0

    def read(self, size: int) -> bytes:
        chunk = self._source.read(size)
        self.size += len(chunk)
        return chunk


class _FileDecoder:
    """base64 (RFC 4648), whitespace between allowed, straight into a file."""

    def __init__(self, directory: Path | None, number: int, cleanup: ExitStack) -> None:
        path = directory / f"file-{number:04d}" if directory is not None else None
        self.file = EmbeddedFile(path)
        self._out = cleanup.enter_context(path.open("xb")) if path is not None else None
        self._carry = b""
        self._has_begun = False
        self._has_ended = False

    def feed(self, text: str) -> None:
        if not self._has_begun:
            self._has_begun = True
            self.file.begins_as_base64 = _BASE64_START.match(text) is not None
        if not text.isascii():
            self.file.is_blank = self.file.is_base64 = False
            return
        data = self._carry + text.encode("ascii").translate(None, _WHITESPACE)
        if not data:
            return
        self.file.is_blank = False
        cut = len(data) - len(data) % 4
        self._carry = data[cut:]
        self._decode(data[:cut])

    def finish(self) -> None:
        if self._carry:
            self.file.is_base64 = False
        if self._out is not None:
            self._out.close()

    def _decode(self, data: bytes) -> None:
        if not data or not self.file.is_base64:
            return
        if self._has_ended:
            self.file.is_base64 = False
            return
        self._has_ended = data.endswith(b"=")
        try:
            decoded = pybase64.b64decode(data, validate=True)
        except ValueError:
            self.file.is_base64 = False
            return
        self.file.size += len(decoded)
        if self._out is not None:
            self._out.write(decoded)


def _clark(name: str) -> str:
    """expat's `uri local prefix` as `{uri}local`."""
    parts = name.split(BoundedReader.SEPARATOR)
    return f"{{{parts[0]}}}{parts[1]}" if len(parts) > 1 else parts[0]


@dataclass
class _Values:
    """Takes values out of a document's tree."""

    document: MessageDocument
    extensions: list[Extension] = field(default_factory=list)

    def message(self) -> Message:
        message = _child(self.document.root, "message")
        header = self._header(_child(message, "messageHeader"))
        documents = tuple(
            self._document(item) for item in _child(message, "messageBody").iterchildren(_T + "documents")
        )
        self._collect(message, "message[1]")
        return Message(header, documents, tuple(self.extensions))

    def _header(self, header: etree._Element) -> Header:
        system = header.find(_T + "generatingSystem")
        return Header(
            created_at=_moment(_text(header, "creationDateTime")),
            message_id=_text(header, "messageId"),
            conversation_id=_text(header, "conversationId"),
            recipient=self._party(_child(header, "recipient"), "recipientID"),
            sender=self._party(_child(header, "sender"), "senderID"),
            is_confidential=_text(header, "confidentiality").strip() in {"true", "1"},
            label=_optional(header, "label"),
            ref_to_message_id=_optional(header, "refToMessageId"),
            generating_system=_identifier(system) if system is not None else None,
        )

    def _party(self, party: etree._Element, id_name: str) -> Party:
        attention = party.find(_T + "attention")
        return Party(
            _identifier(_child(party, id_name)),
            _optional(party, "label"),
            self._attention(attention) if attention is not None else None,
        )

    def _attention(self, attention: etree._Element) -> Attention:
        function = _child(attention, "subOrganization")
        persons = []
        for person in attention.iterchildren(_T + "person"):
            identifier = person.find(_T + "personId")
            known = _identifier(identifier) if identifier is not None else None
            persons.append(Person(known, _optional(person, "label")))
        return Attention(
            SubOrganization(_identifier(_child(function, "organizationId")), _optional(function, "label")),
            tuple(persons),
            tuple(
                Reference(_identifier(_child(reference, "referenceId")), _optional(reference, "label"))
                for reference in attention.iterchildren(_T + "reference")
            ),
        )

    def _document(self, document: etree._Element) -> Document:
        return Document(
            _text(document, "documentID"),
            _optional(document, "documentName"),
            _optional(document, "index"),
            tuple(_text(text, "characterSequence") for text in document.iterchildren(_T + "ContentText")),
            tuple(self._file(file) for file in document.iterchildren(_CONTENT_FILES)),
        )

    def _file(self, file: etree._Element) -> File:
        embedded = self.document.files.get(_child(file, "content"))
        if embedded is None or embedded.path is None:
            raise MessageMalformed("content that was kept")
        return File(
            _text(file, "fileName"),
            _text(file, "contentType"),
            PathContent(embedded.path, embedded.size),
        )

    def _collect(self, element: etree._Element, path: str) -> None:
        counts: dict[str, int] = {}
        for child in element.iterchildren(tag=etree.Element):
            name = etree.QName(child)
            if name.namespace == NS_SDK_MESSAGE:
                counts[name.localname] = counts.get(name.localname, 0) + 1
                self._collect(child, f"{path}/{name.localname}[{counts[name.localname]}]")
            else:
                xml = _as_it_came(child)
                self.extensions.append(Extension(path, xml))


def message_of(document: MessageDocument) -> Message:
    """The values of a document that was read with a file directory; raises `MessageMalformed`."""
    if document.root.tag != _T + "messagePayload":
        raise MessageMalformed("messagePayload")
    return _Values(document).message()


def _child(parent: etree._Element, name: str) -> etree._Element:
    child = parent.find(_T + name)
    if child is None:
        raise MessageMalformed(name)
    return child


def _text(parent: etree._Element, name: str) -> str:
    return text_of(_child(parent, name))


def _optional(parent: etree._Element, name: str) -> str | None:
    return text_at(parent, _T + name)


def _identifier(element: etree._Element) -> Identifier:
    return Identifier(_text(element, "root"), _text(element, "extension"))


def _moment(text: str) -> datetime:
    try:
        return nearest_moment(text)
    except NotAMoment:
        raise MessageMalformed("creationDateTime of its form") from None


def _as_it_came(element: etree._Element) -> bytes:
    """The element by itself: canonical, or as it is written where it has no canonical form."""
    try:
        return canonical_element(element, C14N_EXCLUSIVE)
    except CanonicalisationFailed:
        return etree.tostring(element, with_tail=False)
