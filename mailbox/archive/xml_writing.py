"""Writing XML documents, also of texts that XML cannot hold whole."""

import re
from typing import Any, Final

from lxml import etree

XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_NOT_IN_XML: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """The text with U+FFFD for each character that XML 1.0 does not allow."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


class Writer:
    """Adds elements of one namespace to a document."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def root(self, name: str, prefixes: dict[str | None, str], /, **attributes: str) -> Any:
        """The root element of a new document, with its prefixes by name."""
        root = etree.Element(self.name(name), nsmap={**prefixes, "xsi": XSI})
        return with_attributes(root, attributes)

    def add(self, parent: Any, name: str, text: str | None = None, /, **attributes: str) -> Any:
        """Add an element with a text, or without one, and with attributes of no namespace."""
        element = etree.SubElement(parent, self.name(name))
        if text is not None:
            element.text = xml_text(text)
        return with_attributes(element, attributes)

    def name(self, name: str) -> str:
        """The name in the form that lxml takes."""
        return f"{{{self._namespace}}}{name}"


def with_attributes(element: Any, attributes: dict[str, str]) -> Any:
    """The element after its attributes are set."""
    for name, value in attributes.items():
        element.set(name, xml_text(value))
    return element


def as_bytes(root: Any) -> bytes:
    """The document in UTF-8, indented."""
    etree.indent(root)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))
