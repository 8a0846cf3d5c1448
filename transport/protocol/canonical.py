"""Canonical XML for signatures: of a whole document, and of an element where it stands.

Knows the methods that C3.2.2 3.5.2.1 and C3.2.1 allow. Comments never count: a reference to the
whole document (`URI=""`) leaves them out whatever the method.
"""

import copy
from collections.abc import Sequence
from typing import Final

from lxml import etree

from .errors import ProtocolError
from .identifiers import C14N_10, C14N_10_COMMENTS, C14N_11, C14N_EXCLUSIVE

C14N_11_COMMENTS: Final = C14N_11 + "#WithComments"
C14N_EXCLUSIVE_COMMENTS: Final = C14N_EXCLUSIVE + "WithComments"
METHODS: Final = frozenset(
    {C14N_10, C14N_10_COMMENTS, C14N_11, C14N_11_COMMENTS, C14N_EXCLUSIVE, C14N_EXCLUSIVE_COMMENTS}
)
_EXCLUSIVE: Final = frozenset({C14N_EXCLUSIVE, C14N_EXCLUSIVE_COMMENTS})
_ONE_ONE: Final = frozenset({C14N_11, C14N_11_COMMENTS})
_XML: Final = "{http://www.w3.org/XML/1998/namespace}"


class AlgorithmNotAllowed(ProtocolError):
    """A signature or encryption names an algorithm that the profile does not allow."""

    def __init__(self, uri: str) -> None:
        # What a stranger wrote may be anything: only what looks like a URI is told.
        self.uri = uri if len(uri) < 200 and uri.isprintable() else "(not a URI)"
        super().__init__(f"algorithm not allowed: {self.uri}")


def canonical_document(root: etree._Element, method: str, prefixes: Sequence[str] = ()) -> bytes:
    """The canonical bytes of the document below `root`; raises `AlgorithmNotAllowed`."""
    if method not in METHODS:
        raise AlgorithmNotAllowed(method)
    tree = root.getroottree()
    if method in _EXCLUSIVE:
        return etree.tostring(
            tree,
            method="c14n",
            exclusive=True,
            inclusive_ns_prefixes=list(prefixes) or None,
            with_comments=False,
        )
    return etree.tostring(tree, method="c14n", with_comments=False)


def canonical_element(element: etree._Element, method: str, prefixes: Sequence[str] = ()) -> bytes:
    """The canonical bytes of an element where it stands: with the namespaces and, where the method says
    so, the xml: attributes that it inherits. Raises `AlgorithmNotAllowed`."""
    if method not in METHODS:
        raise AlgorithmNotAllowed(method)
    alone = etree.Element(element.tag, nsmap=element.nsmap)
    if method not in _EXCLUSIVE:
        for name, value in _inherited(element, only_language_and_space=method in _ONE_ONE).items():
            alone.set(name, value)
    for name, value in element.attrib.items():
        alone.set(name, value)
    alone.text = element.text
    alone.extend([copy.deepcopy(child) for child in element])
    return canonical_document(alone, method, prefixes)


def _inherited(element: etree._Element, *, only_language_and_space: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for ancestor in element.iterancestors():
        for name, value in ancestor.attrib.items():
            if not str(name).startswith(_XML) or str(name) in found:
                continue
            if only_language_and_space and str(name) not in {_XML + "lang", _XML + "space"}:
                continue
            found[str(name)] = str(value)
    return found


def remove_unread(root: etree._Element) -> None:
    """Take comments and processing instructions out, so that a value's text is in one piece.

    Comments are not signed. Whoever adds one to a signed document must not be able to cut off the value
    that a reader of `element.text` sees.
    """
    etree.strip_tags(root, etree.Comment, etree.ProcessingInstruction)


class Taken:
    """An element taken out of its tree as the enveloped-signature transform does: the text after it stays."""

    def __init__(self, element: etree._Element) -> None:
        parent = element.getparent()
        if parent is None:
            raise ValueError("the root cannot be taken out")
        self.element = element
        self._parent = parent
        self._index = sum(isinstance(sibling.tag, str) for sibling in element.itersiblings(preceding=True))
        tail, element.tail = element.tail or "", None
        previous = element.getprevious()
        if previous is not None:
            previous.tail = (previous.tail or "") + tail
        else:
            parent.text = (parent.text or "") + tail
        parent.remove(element)

    def put_back(self) -> None:
        """Put it where it stood, once `remove_unread` has left nothing but elements; not its text's place."""
        self._parent.insert(self._index, self.element)
