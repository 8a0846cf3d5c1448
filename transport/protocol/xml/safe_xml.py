"""Reading untrusted XML: bounded, self-contained, without document types.

Every document is first read by expat, which refuses a document type declaration the moment it
begins and counts what it sees; only what passed is given to lxml. Nothing is ever fetched and no
entity but the five of XML is expanded.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Final
from xml.parsers import expat

from lxml import etree

from transport.protocol.errors import ProtocolError

_CHUNK: Final = 64 * 1024
_UNKNOWN_ENCODING: Final = expat.errors.codes[expat.errors.XML_ERROR_UNKNOWN_ENCODING]


class XmlProblem(StrEnum):
    """Why a document was refused."""

    MALFORMED = "malformed"
    DOCUMENT_TYPE = "document type declaration"
    TOO_LARGE = "too large"
    TOO_DEEP = "too deeply nested"
    TOO_MANY_ELEMENTS = "too many elements"
    TOO_MANY_ATTRIBUTES = "too many attributes"
    TOO_MANY_NAMESPACES = "too many namespaces"
    NAME_TOO_LONG = "name or attribute too long"


class XmlRefused(ProtocolError):
    """The document is refused; `line` is the line that was being read."""

    def __init__(self, problem: XmlProblem, line: int | None = None) -> None:
        self.problem = problem
        self.line = line
        where = f" at line {line}" if line else ""
        super().__init__(f"XML refused: {problem}{where}")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may hold at most; sizes in bytes, lengths in characters.

    `max_namespaces` are those in scope at one place: each of them is looked up at every element that is
    canonicalised.
    Comments and processing instructions count as elements.
    """

    max_bytes: int
    max_depth: int = 64
    max_elements: int = 20_000
    max_attributes: int = 64
    max_namespaces: int = 128
    max_attribute_length: int = 16_384


MEBIBYTE: Final = 1024 * 1024
SMALL_DOCUMENT: Final = Limits(max_bytes=2 * MEBIBYTE)
# 100 MB of message (C3.2.1 2.8), the base64 around it and some room.
ENVELOPE_DOCUMENT: Final = Limits(max_bytes=160 * MEBIBYTE)
# One that is read whole into memory, not as a small document around one text: room for 30 MB of message.
WHOLE_ENVELOPE: Final = Limits(max_bytes=48 * MEBIBYTE)
# An SDK message is refused above 30 MB, but read further, so that the receipt can tell the reason.
MESSAGE_DOCUMENT: Final = Limits(max_bytes=160 * MEBIBYTE, max_elements=200_000)


class BoundedReader:
    """expat with limits. Set the handlers of `parser`, then `read` a stream or `feed` bytes.

    Names come as expat gives them with `namespace separator`: `uri local prefix`, joined by a
    newline, which no XML name or URI of ours holds.
    """

    SEPARATOR: Final = "\n"

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._bytes = 0
        self._depth = 0
        self._elements = 0
        self._namespaces = 0
        self.on_start: Callable[[str, dict[str, str]], None] | None = None
        self.on_end: Callable[[str], None] | None = None
        self.on_namespace: Callable[[str | None, str | None], None] | None = None
        self.parser = expat.ParserCreate(namespace_separator=self.SEPARATOR)
        self.parser.namespace_prefixes = True
        self.parser.buffer_text = True
        self.parser.buffer_size = _CHUNK
        self.parser.StartDoctypeDeclHandler = self._refuse_document_type
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartNamespaceDeclHandler = self._start_namespace
        self.parser.EndNamespaceDeclHandler = self._end_namespace
        # Each is a node of the tree, as an element is.
        self.parser.CommentHandler = self._count
        self.parser.ProcessingInstructionHandler = self._count

    def read(self, source: BinaryIO) -> None:
        """Read to the end; raises `XmlRefused`."""
        while chunk := source.read(_CHUNK):
            self.feed(chunk)
        self.feed(b"", last=True)

    def feed(self, chunk: bytes, *, last: bool = False) -> None:
        """Read some bytes; raises `XmlRefused`."""
        self._bytes += len(chunk)
        if self._bytes > self._limits.max_bytes:
            raise XmlRefused(XmlProblem.TOO_LARGE)
        try:
            self.parser.Parse(chunk, last)
        except expat.ExpatError as error:
            raise XmlRefused(XmlProblem.MALFORMED, error.lineno) from None
        except (LookupError, ValueError):
            # Python was asked for the encoding that the document declares, and has none that expat can use.
            if self.parser.ErrorCode != _UNKNOWN_ENCODING:
                raise
            raise XmlRefused(XmlProblem.MALFORMED, self.parser.CurrentLineNumber) from None

    def refuse(self, problem: XmlProblem) -> XmlRefused:
        """The error for a problem at the place that is being read."""
        return XmlRefused(problem, self.parser.CurrentLineNumber)

    def _refuse_document_type(self, *_: object) -> None:
        raise self.refuse(XmlProblem.DOCUMENT_TYPE)

    def _start_namespace(self, prefix: str | None, uri: str | None) -> None:
        self._namespaces += 1
        if self._namespaces > self._limits.max_namespaces:
            raise self.refuse(XmlProblem.TOO_MANY_NAMESPACES)
        if self.on_namespace is not None:
            self.on_namespace(prefix, uri)

    def _end_namespace(self, prefix: str | None) -> None:
        self._namespaces -= 1

    def _count(self, *_: object) -> None:
        self._elements += 1
        if self._elements > self._limits.max_elements:
            raise self.refuse(XmlProblem.TOO_MANY_ELEMENTS)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        limits = self._limits
        self._depth += 1
        if self._depth > limits.max_depth:
            raise self.refuse(XmlProblem.TOO_DEEP)
        self._count()
        if len(attributes) > limits.max_attributes:
            raise self.refuse(XmlProblem.TOO_MANY_ATTRIBUTES)
        longest = limits.max_attribute_length
        if len(name) > longest:
            raise self.refuse(XmlProblem.NAME_TOO_LONG)
        for key, value in attributes.items():
            if len(key) > longest or len(value) > longest:
                raise self.refuse(XmlProblem.NAME_TOO_LONG)
        if self.on_start is not None:
            self.on_start(name, attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self.on_end is not None:
            self.on_end(name)


def check(source: BinaryIO, limits: Limits) -> None:
    """Raise `XmlRefused` unless the whole stream is well-formed and within the limits."""
    BoundedReader(limits).read(source)


def parse(source: bytes | BinaryIO, limits: Limits = SMALL_DOCUMENT) -> etree._Element:
    """The root element of a document that is within the limits; raises `XmlRefused`."""
    data = source if isinstance(source, bytes) else source.read(limits.max_bytes + 1)
    check(io.BytesIO(data), limits)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        remove_blank_text=False,
        huge_tree=limits.max_bytes > SMALL_DOCUMENT.max_bytes,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise XmlRefused(XmlProblem.MALFORMED, error.lineno) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise XmlRefused(XmlProblem.DOCUMENT_TYPE)
    return root
