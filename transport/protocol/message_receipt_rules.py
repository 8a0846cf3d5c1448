"""The message receipt's structure and rules R1-APP to R9-APP (C3.2.4 section 3)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from lxml import etree

from transport.protocol.xml.structure import (
    Child,
    Type,
    any_text,
    check_structure,
    is_date,
    is_time,
    normalized,
    path_of,
)
from transport.protocol.xml.text import string_value

from .findings import Finding
from .identifiers import NS_CAC, NS_CBC, NS_RECEIPT, PROCESS_ID, RECEIPT_CUSTOMIZATION_ID

_MAX_FINDINGS: Final = 100
_PREFIXES: Final = {NS_RECEIPT: "app", NS_CAC: "cac", NS_CBC: "cbc"}
_PATHS: Final = {"cac": NS_CAC, "cbc": NS_CBC}


def _a(name: str, kind: Type, least: int = 1, most: int | None = 1) -> Child:
    return Child(f"{{{NS_CAC}}}{name}", _named(NS_CAC, name, kind), least, most)


def _b(name: str, kind: Type, least: int = 1, most: int | None = 1) -> Child:
    return Child(f"{{{NS_CBC}}}{name}", _named(NS_CBC, name, kind), least, most)


def _named(namespace: str, name: str, kind: Type) -> Type:
    """Every element has a type of its name; both parties have one."""
    shared = "Party" if name in {"SenderParty", "ReceiverParty"} else name
    return replace(kind, names={f"{{{namespace}}}{shared}Type": any_text})


_IDENTIFIER: Final = Type(text=any_text, attributes=frozenset({"schemeID"}))
_TEXT: Final = Type(text=any_text)
_PARTY: Final = Type((_b("EndpointID", _IDENTIFIER),))
_STATUS: Final = Type((_b("StatusReasonCode", _TEXT, 0), _b("StatusReason", _TEXT)))
_RESPONSE: Final = Type((_b("ResponseCode", _TEXT), _a("Status", _STATUS, 0)))
_LINE: Final = Type((_a("LineReference", Type((_b("LineID", _IDENTIFIER),))), _a("Response", _RESPONSE)))
_DOCUMENT: Final = Type(
    (
        _a("Response", _RESPONSE),
        _a("DocumentReference", Type((_b("ID", _IDENTIFIER),))),
        _a("LineResponse", _LINE, 0, None),
    )
)
_RECEIPT: Final = _named(
    NS_RECEIPT,
    "ApplicationResponse",
    Type(
        (
            _b("CustomizationID", _IDENTIFIER),
            _b("ProfileID", _IDENTIFIER),
            _b("ID", _IDENTIFIER),
            _b("IssueDate", Type(text=is_date)),
            _b("IssueTime", Type(text=is_time)),
            _a("SenderParty", _PARTY),
            _a("ReceiverParty", _PARTY),
            _a("DocumentResponse", _DOCUMENT),
        )
    ),
)
# R1: schemeID says something about a party only.
_WITHOUT_SCHEME: Final = (
    "cbc:CustomizationID",
    "cbc:ProfileID",
    "cbc:ID",
    "cac:DocumentResponse/cac:DocumentReference/cbc:ID",
    "cac:DocumentResponse/cac:LineResponse/cac:LineReference/cbc:LineID",
)


def check_receipt(root: etree._Element) -> list[Finding]:
    """Structure and rules of a message receipt; at most 100 findings. No receipt answers a receipt."""
    findings: list[Finding] = []

    def emit(rule: str, element: etree._Element, text: str) -> None:
        if len(findings) < _MAX_FINDINGS:
            findings.append(Finding(rule, path_of(element, _PREFIXES), text))

    check_structure(
        root,
        f"{{{NS_RECEIPT}}}ApplicationResponse",
        _RECEIPT,
        lambda element, text: emit("structure", element, text),
    )
    for rule, element, text in _broken_rules(root):
        emit(rule, element, text)
    return findings


Broken = tuple[str, etree._Element, str]


def _broken_rules(root: etree._Element) -> Iterator[Broken]:
    for path in _WITHOUT_SCHEME:
        for element in root.findall(path, _PATHS):
            if element.get("schemeID") is not None:
                yield "R1-APP", element, "the profile does not use schemeID here"
    for element in root.findall("cac:DocumentResponse/cac:Response/cac:Status", _PATHS):
        yield "R1-APP", element, "the profile does not use this element"
    for element in root.iter(etree.Element):
        if len(element.findall("*")) == 0 and not normalized(string_value(element)):
            yield "R2-APP", element, "an empty element may not be included"
    if _first(root, "cbc:CustomizationID") != RECEIPT_CUSTOMIZATION_ID:
        yield "R3-APP", root, f"CustomizationID must be {RECEIPT_CUSTOMIZATION_ID}"
    if _first(root, "cbc:ProfileID") != PROCESS_ID:
        yield "R4-APP", root, f"ProfileID must be {PROCESS_ID}"
    yield from _codes(root)
    yield from _cardinality(root)


def _first(root: etree._Element, path: str) -> str:
    found = root.find(path, _PATHS)
    return normalized(string_value(found)) if found is not None else ""


def _codes(root: etree._Element) -> Iterator[Broken]:
    lines = root.findall(".//cac:LineResponse", _PATHS)
    for code in root.findall("cac:DocumentResponse/cac:Response/cbc:ResponseCode", _PATHS):
        value = string_value(code)
        if normalized(value) not in {"ACCEPTED", "REJECTED"}:
            yield "R5-APP", code, "the code must be ACCEPTED or REJECTED"
        if value == "ACCEPTED" and lines:
            yield "R7-APP", code, "an ACCEPTED receipt may have no causes"
        if value == "REJECTED" and not lines:
            yield "R8-APP", code, "a REJECTED receipt must have a cause"
    for code in root.findall("cac:DocumentResponse/cac:LineResponse/cac:Response/cbc:ResponseCode", _PATHS):
        if normalized(string_value(code)) not in {"SV", "BV", "SIG"}:
            yield "R6-APP", code, "the code must be SV, BV or SIG"


def _cardinality(root: etree._Element) -> Iterator[Broken]:
    for party in ("cac:SenderParty", "cac:ReceiverParty"):
        for element in root.findall(party, _PATHS):
            endpoint = element.find("cbc:EndpointID", _PATHS)
            if endpoint is not None and endpoint.get("schemeID") is None:
                yield "R9-APP", endpoint, "schemeID is required"
    for element in root.findall("cac:DocumentResponse/cac:LineResponse/cac:Response", _PATHS):
        if len(element.findall("cac:Status", _PATHS)) != 1:
            yield "R9-APP", element, "Status is required, exactly once"
