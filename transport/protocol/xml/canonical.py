"""Canonical XML for signatures: of a whole document, and of an element in its document.

Knows the methods that C3.2.2 3.5.2.1 and C3.2.1 allow. Comments never count: a reference to the
whole document (`URI=""`) leaves them out whatever the method. An element is canonicalised in its place:
prefixes are part of what is signed.
"""

from collections.abc import Sequence
from typing import Final

from lxml import etree

from transport.protocol.errors import ProtocolError
from transport.protocol.identifiers import C14N_10, C14N_10_COMMENTS, C14N_11, C14N_EXCLUSIVE

C14N_11_COMMENTS: Final = C14N_11 + "#WithComments"
C14N_EXCLUSIVE_COMMENTS: Final = C14N_EXCLUSIVE + "WithComments"
METHODS: Final = frozenset(
    {C14N_10, C14N_10_COMMENTS, C14N_11, C14N_11_COMMENTS, C14N_EXCLUSIVE, C14N_EXCLUSIVE_COMMENTS}
)
_EXCLUSIVE: Final = frozenset({C14N_EXCLUSIVE, C14N_EXCLUSIVE_COMMENTS})
_ONE_ONE: Final = frozenset({C14N_11, C14N_11_COMMENTS})
_WITH_COMMENTS: Final = frozenset({C14N_10_COMMENTS, C14N_11_COMMENTS, C14N_EXCLUSIVE_COMMENTS})
# Every one of them is looked up at every element.
_MOST_PREFIXES: Final = 64
_XML: Final = "{http://www.w3.org/XML/1998/namespace}"


class AlgorithmNotAllowed(ProtocolError):
    """A signature or encryption names an algorithm that the profile does not allow."""

    def __init__(self, uri: str) -> None:
        # The name is untrusted: it is repeated only if it looks like a URI.
        self.uri = uri if len(uri) < 200 and uri.isprintable() else "(not a URI)"
        super().__init__(f"algorithm not allowed: {self.uri}")


class CanonicalisationFailed(ProtocolError):
    """XML that has no canonical form, such as one with a relative namespace name (C14N 1.0 section 1.3)."""

    def __init__(self) -> None:
        super().__init__("the XML cannot be canonicalised")


def canonical_document(root: etree._Element, method: str, prefixes: Sequence[str] = ()) -> bytes:
    """The canonical bytes of the document below `root`; raises `AlgorithmNotAllowed`,
    `CanonicalisationFailed`."""
    return _canonical(root.getroottree(), method, prefixes)


def canonical_element(
    element: etree._Element, method: str, prefixes: Sequence[str] = (), *, with_comments: bool = False
) -> bytes:
    """The canonical bytes of an element where it stands: with its own prefixes, the namespaces and, where
    the method says so, the xml: attributes that it inherits.

    `with_comments` keeps comments where the method does; a reference to an element never has them (XML
    Signature 4.4.3.2). Raises `AlgorithmNotAllowed`, `CanonicalisationFailed`.
    """
    keeps = with_comments and method in _WITH_COMMENTS
    if method in METHODS - _EXCLUSIVE:
        element = _alone(element, only_language_and_space=method in _ONE_ONE)
    return _canonical(element, method, prefixes, with_comments=keeps)


def _canonical(
    node: "etree._Element | etree._ElementTree[etree._Element]",
    method: str,
    prefixes: Sequence[str],
    *,
    with_comments: bool = False,
) -> bytes:
    if method not in METHODS:
        raise AlgorithmNotAllowed(method)
    listed = sorted(set(prefixes)) if method in _EXCLUSIVE else []
    if len(listed) > _MOST_PREFIXES:
        raise CanonicalisationFailed
    try:
        return etree.tostring(
            node,
            method="c14n",
            exclusive=method in _EXCLUSIVE,
            inclusive_ns_prefixes=listed or None,
            with_comments=with_comments,
        )
    except (etree.C14NError, ValueError):
        raise CanonicalisationFailed from None


def _alone(element: etree._Element, *, only_language_and_space: bool) -> etree._Element:
    """The element as a document's root, with every namespace and xml: attribute that is in scope.

    It is written and read again: libxml2 forgets, in a part of a document, which default namespace its
    grandchildren inherit, and lxml makes namespaces of a copy one where two prefixes name them.
    """
    written = etree.tostring(element, encoding="utf-8", with_tail=False)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, strip_cdata=False, huge_tree=True
    )
    try:
        alone = etree.fromstring(written, parser)
    except etree.XMLSyntaxError:
        raise CanonicalisationFailed from None
    inherited = _inherited(element, only_language_and_space=only_language_and_space)
    for name, value in inherited.items():
        if name not in alone.attrib:
            alone.set(name, value)
    return alone


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


class Detached:
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

    def reattach(self) -> None:
        """Put it where it stood, once `remove_unread` has left nothing but elements; not its text's place."""
        self._parent.insert(self._index, self.element)
