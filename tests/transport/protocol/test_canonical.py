"""Canonical XML of an element where it stands: what libxmlsec1 signs, and nothing else."""

import base64
import hashlib
import random

import pytest
import xmlsec
from cryptography.hazmat.primitives import serialization
from lxml import etree

from transport.protocol.identifiers import C14N_10, C14N_11, C14N_EXCLUSIVE, NS_DS
from transport.protocol.xml import canonical
from transport.protocol.xml.canonical import CanonicalisationFailed, canonical_document, canonical_element

from .keys import key

_METHODS = {
    C14N_10: xmlsec.constants.TransformInclC14N,
    canonical.C14N_10_COMMENTS: xmlsec.constants.TransformInclC14NWithComments,
    C14N_11: xmlsec.constants.TransformInclC14N11,
    C14N_EXCLUSIVE: xmlsec.constants.TransformExclC14N,
    canonical.C14N_EXCLUSIVE_COMMENTS: xmlsec.constants.TransformExclC14NWithComments,
}
_URIS = ("urn:a", "urn:b", "urn:c")
_PREFIXES = ("", "p", "q", "r", "a")


def _random_document(chance: random.Random) -> bytes:
    """Elements and attributes of few namespaces under many prefixes, one of them with Id `it`."""
    count = chance.randrange(2, 12)
    chosen = chance.randrange(count)
    made = 0

    def element(scope: dict[str, str], depth: int) -> str:
        nonlocal made
        number, made = made, made + 1
        declared = {p: chance.choice(_URIS) for p in chance.sample(_PREFIXES, chance.randrange(3))}
        if "" in scope and chance.random() < 0.2:
            declared[""] = ""
        scope = {**scope, **declared}
        usable = [prefix for prefix in scope if prefix and scope[prefix]]
        name = chance.choice([*(f"{p}:e" for p in usable), "e"])
        attributes = [f'xmlns{":" if p else ""}{p}="{uri}"' for p, uri in declared.items()]
        attributes += [f'{p}:x="{number}"' for p in _one_of_each(usable, scope, chance)]
        if number == chosen:
            attributes.append('Id="it"')
        if chance.random() < 0.3:
            attributes.append(f'xml:lang="{chance.choice(["sv", "en"])}"')
        inner = chance.choice(["", "text &lt; &#13;\n", "<!-- c -->", "<?pi data?>"])
        children = ""
        while made < count and depth < 5 and (chance.random() < 0.7 or depth == 0):
            children += element(scope, depth + 1) + chance.choice(["", "tail"])
        return f"<{name} {' '.join(attributes)}>{inner}{children}</{name}>"

    return element({}, 0).encode()


def _one_of_each(usable, scope, chance):
    by_uri = {scope[prefix]: prefix for prefix in chance.sample(usable, len(usable))}
    return [prefix for prefix in by_uri.values() if chance.random() < 0.5]


def _digest_by_libxmlsec(root, transform) -> bytes:
    """Of the element with Id `it`, as a signature's reference tells it."""
    holder = etree.SubElement(root, "holder")
    node = xmlsec.template.create(
        holder, xmlsec.constants.TransformExclC14N, xmlsec.constants.TransformRsaSha256
    )
    holder.append(node)
    reference = xmlsec.template.add_reference(node, xmlsec.constants.TransformSha256, uri="#it")
    xmlsec.template.add_transform(reference, transform)
    xmlsec.tree.add_ids(root, ["Id"])
    context = xmlsec.SignatureContext()
    context.key = _key()
    context.sign(node)
    return base64.b64decode(node.findtext(f".//{{{NS_DS}}}DigestValue"))


def _key():
    pem = key("sender").private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatPem)


@pytest.mark.parametrize("method", _METHODS)
def test_an_element_s_canonical_form_is_libxmlsec_s(method):
    chance = random.Random(method)
    judged = 0
    for _ in range(150):
        document = _random_document(chance)
        root = etree.fromstring(document)
        (element,) = root.xpath("//*[@Id='it']")
        if element is root:
            continue
        ours = hashlib.sha256(canonical_element(element, method)).digest()
        assert etree.tostring(root) == etree.tostring(etree.fromstring(document)), "nothing was changed"
        assert ours == _digest_by_libxmlsec(root, _METHODS[method]), document
        judged += 1
    assert judged > 50


@pytest.mark.parametrize("method", _METHODS)
def test_prefixes_are_kept_where_others_name_the_same_namespace(method):
    root = etree.fromstring(
        b'<z:a xmlns:b="urn:x" xmlns:z="urn:x" xmlns:y="urn:x"><y:c><b:d y:e="1"/></y:c></z:a>'
    )
    for element in root.iter():
        written = canonical_element(element, method)
        prefix = {"a": b"z", "c": b"y", "d": b"b"}[etree.QName(element).localname]
        assert written.startswith(b"<" + prefix + b":")
    assert b"<b:d " in canonical_element(root, method)


def test_prefixes_that_are_treated_inclusively_are_found_above_the_element():
    root = etree.fromstring(b'<a xmlns:p="urn:p" xmlns="urn:d"><b><c/></b></a>')
    assert canonical_element(root[0], C14N_EXCLUSIVE, ["p", "#default"]) == (
        b'<b xmlns="urn:d" xmlns:p="urn:p"><c></c></b>'
    )


@pytest.mark.parametrize("method", _METHODS)
def test_what_has_no_canonical_form_is_an_error_of_ours(method):
    root = etree.fromstring(b'<a xmlns:rel="../x"><b rel:c="1"/></a>')
    for canonicalise in (canonical_element, canonical_document):
        with pytest.raises(CanonicalisationFailed):
            canonicalise(root, method)
    with pytest.raises(CanonicalisationFailed):
        canonical_element(root[0], method)


def test_no_more_prefixes_are_looked_up_than_documents_have():
    root = etree.fromstring(b"<a/>")
    with pytest.raises(CanonicalisationFailed):
        canonical_element(root, C14N_EXCLUSIVE, [f"p{number}" for number in range(65)])


def test_comments_count_where_signed_info_is_canonicalised_with_them():
    root = etree.fromstring(b"<a><!--c--><b/></a>")
    method = canonical.C14N_EXCLUSIVE_COMMENTS
    assert canonical_element(root, method, with_comments=True) == b"<a><!--c--><b></b></a>"
    assert canonical_element(root, method) == b"<a><b></b></a>"
    assert canonical_element(root, C14N_EXCLUSIVE, with_comments=True) == b"<a><b></b></a>"
