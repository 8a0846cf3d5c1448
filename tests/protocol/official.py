"""The federation's own verdict on a document: its XSD and its Schematron."""

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import xmlschema
from lxml import etree

from tests.protocol.schematron import failed_rules

EXTENSION_NAMESPACE = "urn:example:elsewhere"
_TEXTS = (
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
        return schema.is_valid(document), failed_rules(shared / "schemas" / self.rules, document)


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
    """(what was done, the changed document): removed, doubled, emptied, moved, renamed, overlong."""
    chance = random.Random(seed)
    for _ in range(count):
        root = etree.fromstring(document)
        target = chance.choice(
            [e for e in root.iter(etree.Element) if e is not root and not _in_signature(e)]
        )
        action = chance.choice(list(_ACTIONS))
        place = etree.ElementTree(root).getpath(target)
        _ACTIONS[action](target, chance)
        yield f"{action} {place}", etree.tostring(root)


def _in_signature(element) -> bool:
    """A broken signature is told by verifying it, not by its structure."""
    chain = [element, *element.iterancestors()]
    return any(etree.QName(e).localname in {"Signature", "EncryptedData"} for e in chain)


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
    target.text = "å" * chance.choice([256, 257, 5000])


def _replace_text(target, chance) -> None:
    target.text = chance.choice(_TEXTS)


def _add_attribute(target, chance) -> None:
    target.set(chance.choice(["schemeID", "languageID", "unknown", "listName"]), chance.choice(["x", ""]))


def _add_extension(target, chance) -> None:
    extra = etree.SubElement(target, f"{{{EXTENSION_NAMESPACE}}}extra")
    extra.text = chance.choice(["something", ""])


def _add_text(target, chance) -> None:
    target.tail = "stray"


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
}
