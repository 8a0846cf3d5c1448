"""The whole text of elements.

A comment or processing instruction cuts a text in two for whoever reads `element.text`, and a comment is
not signed: every value is read here instead, as XPath's string value and XML Schema read it.
"""

from collections.abc import Mapping

from lxml import etree


def text_of(element: etree._Element) -> str:
    """All text that stands directly in the element; comments and instructions do not count."""
    if not len(element):
        return element.text or ""
    return "".join([element.text or "", *(child.tail or "" for child in element)])


def string_value(element: etree._Element) -> str:
    """XPath's string value: the text of the element and of everything in it."""
    return "".join(map(str, element.itertext(etree.Element)))


def text_at(parent: etree._Element, path: str, namespaces: Mapping[str, str] | None = None) -> str | None:
    """The text of the first element at the path; None where there is none."""
    found = parent.find(path, dict(namespaces) if namespaces else None)
    return None if found is None else text_of(found)


def holds_elements(element: etree._Element) -> bool:
    """Whether the element contains elements, so that its text is no value."""
    return any(isinstance(child.tag, str) for child in element)
