"""The digest of a canonical form that is never held, beside libxml2's canonical form of the tree."""

import hashlib
import tracemalloc
from xml.sax.saxutils import escape, quoteattr

import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from transport.protocol.xml.canonical_digest import CanonicalDigest


def streamed(document: bytes, size: int = 7) -> bytes | None:
    digest = CanonicalDigest(hashes.SHA256())
    for start in range(0, len(document), size):
        digest.update(document[start : start + size])
    return digest.finalize()


def by_libxml2(document: bytes) -> bytes:
    tree = etree.fromstring(document).getroottree()
    return hashlib.sha256(etree.tostring(tree, method="c14n", exclusive=True, with_comments=False)).digest()


@pytest.mark.parametrize(
    "document",
    [
        b"<a/>",
        b"\xef\xbb\xbf<?xml version='1.0'?><!--c--><?go now?><a b='1' a=\"2\"><![CDATA[x<&]]></a>\n<?end?>",
        b"<a xmlns='urn:x'><b xmlns=''/><c xmlns='urn:x' xmlns:unused='urn:u'/></a>",
        b"<p:a xmlns:p='urn:x' xmlns:q='urn:q' q:z='1' a='2' p:b='3'><q:b/><p:b xmlns:p='urn:y'/></p:a>",
        b"<a xmlns:z='urn:a' xmlns:b='urn:z' b:x='1' z:x='2' x='3'/>",
        b"<a xml:lang='sv' t='&#9;&#10;&#13;&quot;&lt;&amp;&gt;'>&#13;\r\n&gt;&lt;&amp;\"</a>",
        "<å ä='ö'>Håbo</å>".encode(),
        "<?xml version='1.0' encoding='ISO-8859-1'?><a>Håbo</a>".encode("latin-1"),
        b"<a><?one?><?two  three ?><!-- gone --></a>",
    ],
)
def test_it_is_the_digest_of_the_canonical_form(document):
    assert streamed(document) == by_libxml2(document)


names = st.sampled_from(["a", "b", "p:a", "q:b", "p:c"])
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from("\t\n&<>\"'"))
scopes = st.dictionaries(
    st.sampled_from(["xmlns:p", "xmlns:q", "xmlns:r", "xmlns"]), st.sampled_from(["urn:one", "urn:two"])
)


@st.composite
def elements(draw, depth: int = 0) -> str:
    name = draw(names)
    scope = {"xmlns:p": "urn:p", "xmlns:q": "urn:q"} if depth == 0 else {}
    scope.update(draw(scopes))
    plain = draw(st.dictionaries(st.sampled_from(["x", "y", "xml:space"]), texts, max_size=2))
    attributes = "".join(f" {key}={quoteattr(value)}" for key, value in {**scope, **plain}.items())
    children = draw(st.lists(elements(depth + 1), max_size=2)) if depth < 3 else []
    return f"<{name}{attributes}>{escape(draw(texts))}{''.join(children)}</{name}>"


@given(elements())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_it_is_for_whatever_document(document):
    assert streamed(document.encode(), 50) == by_libxml2(document.encode())


@pytest.mark.parametrize("document", [b"", b"<a>", b"no xml", b"<p:a/>", b"<!DOCTYPE a><a/>"])
def test_what_is_not_read_as_xml_has_none(document):
    assert streamed(document) is None


def test_a_large_document_is_not_held():
    digest = CanonicalDigest(hashes.SHA256())
    piece = b"bGFyZ2U=\n" * 10_000
    tracemalloc.start()
    digest.update(b"<a>")
    for _ in range(200):
        digest.update(piece)
    digest.update(b"</a>")
    assert digest.finalize() is not None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
