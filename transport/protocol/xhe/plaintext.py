"""What decryption gave: one XML element that stands alone, or nothing that may be used.

AES-CBC under a wrong key gives noise, and one in sixteen of it has a padding that looks right. A sender
who could tell broken padding from broken XML could read others' messages block by block (Jager and
Somorovsky, "How to break XML encryption"). So both are one error, raised when everything has been read.
"""

import contextlib
import string
from collections.abc import Callable, Mapping
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

import pybase64

from transport.protocol.xml.safe_xml import MESSAGE_DOCUMENT, BoundedReader, XmlRefused

from .encryption import NotDecryptable

_UNBOUND_PREFIX: Final = expat.errors.codes[expat.errors.XML_ERROR_UNBOUND_PREFIX]
_BASE64: Final = string.ascii_letters.encode() + string.digits.encode() + b"+/"
_AFTER_NAME: Final = b" \t\r\n/>"

Scope = Mapping[str | None, str]
"""Namespaces by prefix; None is the default namespace."""


class PlainElement:
    """Passes an element's bytes on to `write` and sees whether they are well-formed XML.

    What has been passed on may be used only when `finish` has returned. `scope` is what is declared
    where the element stood: a sender may have left those declarations to the envelope (they belong to
    the element's context, xmlenc-core 4.3.3), and then the root element gets them here.
    """

    def __init__(self, write: Callable[[bytes | memoryview], object], scope: Scope) -> None:
        self._write = write
        self._scope = scope
        self._reader = BoundedReader(MESSAGE_DOCUMENT)
        self._has_begun = False
        self._is_refused = False

    def write(self, data: bytes | memoryview) -> None:
        """Take some bytes; the first piece has to hold the root element's start tag."""
        if not self._has_begun and data:
            self._has_begun = True
            data = self._first(bytes(data))
        elif not self._is_refused and not _is_base64(data):
            self._feed(bytes(data))
        self._write(data)

    def finish(self) -> None:
        """Raise `NotDecryptable` unless all of it was one well-formed element."""
        if not self._is_refused:
            self._feed(b"", last=True)
        if self._is_refused:
            raise NotDecryptable

    def _first(self, data: bytes) -> bytes:
        self._feed(data)
        if self._is_refused and self._reader.parser.ErrorCode == _UNBOUND_PREFIX:
            data = _with_scope(data, self._scope)
            self._reader = BoundedReader(MESSAGE_DOCUMENT)
            self._is_refused = False
            self._feed(data)
        return data

    def _feed(self, data: bytes, *, last: bool = False) -> None:
        try:
            self._reader.feed(data, last=last)
        except XmlRefused:
            self._is_refused = True


def _is_base64(data: bytes | memoryview) -> bool:
    """Part of an attachment's text: nothing in it for the parser, and nearly all of what is large."""
    cut = len(data) & ~3
    try:
        pybase64.b64decode(data[:cut], validate=True)
    except ValueError:
        return False
    return not bytes(data[cut:]).strip(_BASE64)


def _with_scope(data: bytes, scope: Scope) -> bytes:
    """The document's beginning with the scope's declarations on its root, where it has none of its own."""
    found: list[tuple[int, dict[str, str]]] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda _, attributes: found.append((parser.CurrentByteIndex, attributes))
    with contextlib.suppress(expat.ExpatError):
        parser.Parse(data, False)
    if not found:
        return data
    begin, attributes = found[0]
    end = next(index for index in range(begin + 1, len(data)) if data[index] in _AFTER_NAME)
    declarations = "".join(
        f" {name}={quoteattr(uri)}"
        for name, uri in ((f"xmlns:{prefix}" if prefix else "xmlns", uri) for prefix, uri in scope.items())
        if name not in attributes
    )
    return data[:end] + declarations.encode() + data[end:]
