"""The federation's own verdict on a document: its XSD and its Schematron."""

import random
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import xmlschema
from lxml import etree

from .schematron import failed_rules

EXTENSION_NAMESPACE = "urn:example:elsewhere"
_TEXTS = (
    *("1", "0", "yes", "ja", "-1", "12", "FALSE", "åäö", "A" * 36, "00000000-0000-0000-0000-000000000000"),
    *("00000000-0000-0000-0000-00000000000", "{00000000-0000-0000-0000-000000000000}", "====", "QQ==", "a b"),
    *(
        "SV",
        "SIG",
        "bv",
        "0203:habo.se",
        "iso6523-actorid-upis",
        "24:00:00",
        "25:00:00",
        "12:00",
        "2024-02-30",
    ),
    *("x", "TRUE", "true", " 1 ", "not-a-uuid", "REJECTED", "ACCEPTED", "BV", "12:00:00", "2024-13-01"),
    *(
        "2024-02-30T00:00:00Z",
        "2024-02-29T10:00:00.5Z",
        "2024-02-29T24:00:00Z",
        "2024-02-29T10:00:00.123+02:00",
    ),
)


@dataclass(frozen=True)
class Yardstick:
    """Schema files of one document type, below ../shared/schemas."""

    xsd: str
    rules: str

    def verdict(self, shared: Path, document: bytes) -> tuple[bool, set[str]]:
        """Is it valid by the XSD, and which Schematron rules does it break."""
        schema = _schema(shared / "schemas" / self.xsd)
        # The validator takes a no-break space for white space. In XML it is a character as this other one.
        try:
            is_valid = schema.is_valid(document.replace(b"&#160;", b"&#191;"))
        except KeyError:
            # An xsi:type that no schema knows.
            is_valid = False
        return is_valid, failed_rules(shared / "schemas" / self.rules, document)


MESSAGE = Yardstick(
    "message-3.1/infrastructure_messaging_MessageWithAttachments_3.0.xsd",
    "message-3.1/MessageConstraints.xml",
)
ENVELOPE = Yardstick("xhe-1.0/XHE-1.0.xsd", "xhe-1.0/DIGG-XHE-Business-Rules.scmt")
RECEIPT = Yardstick("receipt-1.0/Response-2.1.xsd", "receipt-1.0/DIGG-AppRes-Business-Rules.scmt")


@cache
def _schema(path: Path) -> xmlschema.XMLSchema10:
    """libxml2's own validator lets elements follow `xs:any namespace="##other"` out of sequence."""
    return xmlschema.XMLSchema10(str(path), allow="local", locations=[])


def mutations(document: bytes, seed: int, count: int):
    """(what was done, the changed document): every kind of change as often, in places that chance chooses.

    Every fourth document is changed twice: one change may hide another.
    """
    chance = random.Random(seed)
    names = list(_ACTIONS)
    document = _with_schema_prefixes(document)
    for number in range(count):
        root = etree.fromstring(document)
        done = []
        for action in (names[number % len(names)], *chance.choices(names, k=number % 4 == 3)):
            targets = [e for e in root.iter(etree.Element) if not _judged_elsewhere(e)]
            target = chance.choice([e for e in targets if e is not root or action in _ALSO_OF_THE_ROOT])
            done.append(f"{action} {etree.ElementTree(root).getpath(target)}")
            _ACTIONS[action](target, chance)
        yield ", ".join(done), etree.tostring(root)


def _judged_elsewhere(element) -> bool:
    """A broken signature is told by verifying it, and a payload by its own rules, not by the envelope's."""
    above = {etree.QName(e).localname for e in element.iterancestors()}
    return not {*above, etree.QName(element).localname}.isdisjoint({"Signature", "EncryptedData"}) or (
        "PayloadContent" in above
    )


def _remove(target, chance) -> None:
    target.getparent().remove(target)


def _double(target, chance) -> None:
    copy = etree.fromstring(etree.tostring(target, with_tail=False))
    target.addnext(copy)


def _empty(target, chance) -> None:
    for child in list(target):
        target.remove(child)
    target.text = chance.choice(["", " \n\t", None])


def _move(target, chance) -> None:
    parent = target.getparent()
    parent.insert(chance.randrange(len(parent)), target)


def _rename(target, chance) -> None:
    name = etree.QName(target)
    target.tag = f"{{{name.namespace}}}{name.localname.swapcase()}"


def _other_namespace(target, chance) -> None:
    target.tag = f"{{{EXTENSION_NAMESPACE}}}{etree.QName(target).localname}"


def _lengthen(target, chance) -> None:
    target.text = "å" * chance.choice([255, 256, 257, 5000])


def _replace_text(target, chance) -> None:
    target.text = chance.choice(_TEXTS)


def _pad(target, chance) -> None:
    target.text = f"{chance.choice(_SPACES)}{target.text or ''}{chance.choice(_SPACES)}"


def _swap(target, chance) -> None:
    other = target.getnext() if target.getnext() is not None else target.getprevious()
    if other is not None:
        other.addnext(target)


def _wrap(target, chance) -> None:
    """Put the element into one of its own name."""
    copy = etree.fromstring(etree.tostring(target, with_tail=False))
    for child in list(target):
        target.remove(child)
    target.text = None
    target.append(copy)


def _unwrap(target, chance) -> None:
    parent, position = target.getparent(), target.getparent().index(target)
    for child in reversed(list(target)):
        parent.insert(position, child)
    parent.remove(target)


def _transplant(target, chance) -> None:
    """A copy of an element from elsewhere in the document, at the beginning or the end."""
    root = target.getroottree().getroot()
    donors = [e for e in root.iter(etree.Element) if e is not root and not _judged_elsewhere(e)]
    copy = etree.fromstring(etree.tostring(chance.choice(donors), with_tail=False))
    target.insert(chance.choice([0, len(target)]), copy)


def _no_namespace(target, chance) -> None:
    target.tag = etree.QName(target).localname


def _change_attribute(target, chance) -> None:
    """Remove, empty, lengthen, misspell or move into another namespace one that is there."""
    carriers = [e for e in target.getroottree().getroot().iter(etree.Element) if e.attrib]
    carriers = [e for e in carriers if not _judged_elsewhere(e)] or [target]
    carrier = chance.choice(carriers)
    if not carrier.attrib:
        return
    name = chance.choice(sorted(carrier.attrib))
    value = carrier.attrib[name]
    match chance.choice(
        ["remove", "empty", "blank", "lengthen", "misspell", "other namespace", "pad", "case"]
    ):
        case "remove":
            del carrier.attrib[name]
        case "empty":
            carrier.set(name, "")
        case "blank":
            carrier.set(name, " \n")
        case "lengthen":
            carrier.set(name, value + "x" * chance.choice([1, 257, 5000]))
        case "misspell":
            del carrier.attrib[name]
            carrier.set(etree.QName(name).localname.swapcase(), value)
        case "other namespace":
            del carrier.attrib[name]
            carrier.set(f"{{{EXTENSION_NAMESPACE}}}{etree.QName(name).localname}", value)
        case "pad":
            carrier.set(name, f" {value} ")
        case "case":
            carrier.set(name, value.upper())


def _add_attribute(target, chance) -> None:
    target.set(chance.choice(_ATTRIBUTES), chance.choice(["x", "sv-SE", "sv_SE", "", " ", "x" * 5000]))


def _add_extension(target, chance) -> None:
    namespace = chance.choice([EXTENSION_NAMESPACE, EXTENSION_NAMESPACE, etree.QName(target).namespace])
    extra = etree.Element(f"{{{namespace}}}extra")
    target.insert(chance.choice([0, len(target), len(target)]), extra)
    extra.text = chance.choice(["something", "something", ""])


def _add_text(target, chance) -> None:
    target.tail = "stray"


def _add_comment(target, chance) -> None:
    _insert_into_text(target, etree.Comment(" c "), chance)


def _add_instruction(target, chance) -> None:
    _insert_into_text(target, etree.ProcessingInstruction("target", "data"), chance)


def _insert_into_text(target, node, chance) -> None:
    text = target.text or ""
    cut = chance.randrange(len(text) + 1)
    target.text = text[:cut]
    target.insert(0, node)
    node.tail = text[cut:]


def _add_type(target, chance) -> None:
    """xsi:type: the element's own type, one derived from it, or another."""
    prefixes = {uri: prefix for prefix, uri in target.nsmap.items()}
    own = prefixes.get(etree.QName(target).namespace)
    ours = [f"{own}:{name}" if own else name for name in (etree.QName(target).localname + "Type", *_TYPES)]
    theirs = [f"xs:{name}" for name in _SCHEMA_TYPES]
    space = chance.choice(["", "", " "])
    name = chance.choice([*ours[:1] * 6, *ours, *theirs, "unbound:IDType", ""])
    target.set(_XSI + "type", space + name + space)


def _add_location(target, chance) -> None:
    name = chance.choice(["schemaLocation", "noNamespaceSchemaLocation"])
    target.set(_XSI + name, "urn:x x.xsd" if name == "schemaLocation" else "x.xsd")


def _with_schema_prefixes(document: bytes) -> bytes:
    found = _ROOT.search(document)
    added = "".join(
        f' xmlns:{prefix}="{uri}"'
        for prefix, uri in (("xs", "http://www.w3.org/2001/XMLSchema"), ("xsi", _XSI.strip("{}")))
        if f"xmlns:{prefix}=".encode() not in found[0]
    )
    end = found.end(1)
    return document[:end] + added.encode() + document[end:]


_ROOT = re.compile(rb"(<[A-Za-z_][^\s>/]*)[^>]*>")
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_TYPES = (
    *("IIType", "PartyType", "ExternalReferenceType", "ContentAsBase64", "contentAsText", "DateType"),
    "IDType",
)
_SCHEMA_TYPES = (
    *("string", "normalizedString", "token", "language", "NMTOKEN", "Name", "NCName"),
    *("dateTime", "boolean", "int", "anyURI", "anyType"),
)
_SPACES = ("", " ", "\n\t", "\u00a0")
_ATTRIBUTES = (
    *("schemeID", "schemeName", "languageID", "unknown", "listName", "listID", "schemeURI", "listURI"),
    *(f"{{{EXTENSION_NAMESPACE}}}unknown", "{http://www.w3.org/XML/1998/namespace}lang"),
    "{http://www.w3.org/2001/XMLSchema-instance}nil",
)
_ALSO_OF_THE_ROOT = frozenset(
    [
        *("empty", "rename", "other namespace", "no namespace", "lengthen", "replace text", "pad"),
        *("add attribute", "change attribute", "add extension", "transplant"),
        *("add comment", "add instruction", "add type", "add location"),
    ]
)
_ACTIONS = {
    "remove": _remove,
    "double": _double,
    "empty": _empty,
    "move": _move,
    "rename": _rename,
    "other namespace": _other_namespace,
    "lengthen": _lengthen,
    "replace text": _replace_text,
    "add attribute": _add_attribute,
    "add extension": _add_extension,
    "add text": _add_text,
    "pad": _pad,
    "swap": _swap,
    "wrap": _wrap,
    "unwrap": _unwrap,
    "transplant": _transplant,
    "no namespace": _no_namespace,
    "change attribute": _change_attribute,
    "add comment": _add_comment,
    "add instruction": _add_instruction,
    "add type": _add_type,
    "add location": _add_location,
}
