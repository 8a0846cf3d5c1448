"""The envelope's structure and rules R1-XHE to R14-XHE (C3.2.2 section 2).

A broken envelope is answered with SV / structure or BV / invariant where a receipt can be sent.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from lxml import etree

from transport.protocol.findings import Detail, Finding, Reason
from transport.protocol.identifiers import (
    NS_DS,
    NS_XENC,
    NS_XHA,
    NS_XHB,
    NS_XHE,
    PARTICIPANT_SCHEME,
    XHE_CUSTOMIZATION_ID,
    XHE_VERSION_ID,
)
from transport.protocol.xml.structure import (
    Child,
    Type,
    any_text,
    check_attributes,
    check_structure,
    is_boolean,
    is_date_time,
    normalized,
    path_of,
)
from transport.protocol.xml.text import string_value

_MAX_FINDINGS: Final = 100
_NS_EXT: Final = "http://docs.oasis-open.org/bdxr/ns/XHE/1/ExtensionComponents"
_PREFIXES: Final = {NS_XHE: "x", NS_XHA: "xha", NS_XHB: "xhb", NS_DS: "ds", NS_XENC: "xenc", _NS_EXT: "ext"}
_PATHS: Final = {"x": NS_XHE, "xha": NS_XHA, "xhb": NS_XHB, "ext": _NS_EXT, "xenc": NS_XENC}

_IDENTIFIER_ATTRIBUTES: Final = frozenset(
    f"scheme{name}" for name in ("ID", "Name", "AgencyID", "AgencyName", "VersionID", "DataURI", "URI")
)
_CODE_ATTRIBUTES: Final = frozenset(
    f"list{name}" for name in ("ID", "Name", "AgencyID", "AgencyName", "VersionID", "URI", "SchemeURI")
) | {"name", "languageID"}
_IDENTIFIER: Final = Type(text=any_text, attributes=_IDENTIFIER_ATTRIBUTES)
_CODE: Final = Type(text=any_text, attributes=_CODE_ATTRIBUTES)
_TEXT: Final = Type(text=any_text, attributes=frozenset({"languageID", "languageLocaleID"}))
_MOMENT: Final = Type(text=is_date_time)


def _a(name: str, kind: Type, least: int = 1, most: int | None = 1) -> Child:
    return Child(f"{{{NS_XHA}}}{name}", _named(NS_XHA, name, kind), least, most)


def _b(name: str, kind: Type, least: int = 1, most: int | None = 1) -> Child:
    return Child(f"{{{NS_XHB}}}{name}", _named(NS_XHB, name, kind), least, most)


def _named(namespace: str, name: str, kind: Type) -> Type:
    """Every element has a type of its name; parties and references to elsewhere share one."""
    shared = next((end for end in ("Party", "ExternalReference") if name.endswith(end)), name)
    return replace(kind, names={f"{{{namespace}}}{shared}Type": any_text})


# What the standard allows, so that a finding can say which of the profile's rules is broken.
_EXTERNAL: Final = Type(
    (
        _b("ID", _IDENTIFIER),
        _b("AvailabilityStartDateTime", _MOMENT, 0),
        _b("AvailabilityEndDateTime", _MOMENT, 0),
        _b("Login", _TEXT, 0),
        _b("Password", _TEXT, 0),
    )
)
_CRITERION: Final = Type(
    (_b("BusinessScopeCriterionTypeCode", _CODE), _b("BusinessScopeCriterionValue", _TEXT))
)
_SCOPE: Final = Type(
    (_a("BusinessScopeCriterion", _CRITERION, 0, None), _a("ExternalReference", _EXTERNAL, 0, None))
)
_PARTY: Final = Type((_a("PartyIdentification", Type((_b("ID", _IDENTIFIER),)), 1, None),))
_HEADER: Final = Type(
    (
        _b("ID", _IDENTIFIER),
        _b("UUID", _IDENTIFIER, 0),
        _b("CreationDateTime", _MOMENT),
        _a("BusinessScope", _SCOPE, 0),
        _a("FromParty", _PARTY, 0),
        _a("ToParty", _PARTY, 1, None),
    )
)
_OPAQUE: Final = Type(opaque=True)
_CONTENT: Final = _named(NS_XHA, "PayloadContent", _OPAQUE)
_PAYLOAD: Final = Type(
    (
        _b("ID", _IDENTIFIER, 0),
        _b("Description", _TEXT, 0, None),
        _b("DocumentTypeCode", _CODE, 0),
        _b("ContentTypeCode", _CODE, 0),
        _b("CustomizationID", _IDENTIFIER, 0),
        _b("ProfileID", _IDENTIFIER, 0),
        _b("ProfileExecutionID", _IDENTIFIER, 0),
        _b("HandlingServiceID", _IDENTIFIER, 0),
        _b("ValidationTypeCode", _CODE, 0),
        _b("ValidationVersionID", _IDENTIFIER, 0),
        _b("InstanceEncryptionIndicator", Type(text=is_boolean)),
        _b("InstanceEncryptionMethod", _TEXT, 0),
        _b("InstanceHashValue", _TEXT, 0),
        _a("InstanceDecryptionInformationExternalReference", _EXTERNAL, 0, None),
        _a("InstanceDecryptionKeyExternalReference", _EXTERNAL, 0, None),
        _a("RelevantExternalReference", _EXTERNAL, 0, None),
        _a("PayloadExternalReference", _EXTERNAL, 0),
        _a("PayloadContent", _OPAQUE, 0),
    )
)
_ENVELOPE: Final = _named(
    NS_XHE,
    "XHE",
    Type(
        (
            Child(f"{{{_NS_EXT}}}XHEExtensions", _OPAQUE, 0),
            _b("XHEVersionID", _IDENTIFIER),
            _b("CustomizationID", _IDENTIFIER, 0),
            _b("ProfileID", _IDENTIFIER, 0),
            _b("ProfileExecutionID", _IDENTIFIER, 0),
            _a("Header", _HEADER),
            _a("Payloads", Type((_a("Payload", _PAYLOAD, 1, None),)), 0),
            Child(f"{{{NS_DS}}}Signature", _OPAQUE, 0, None),
        )
    ),
)

# R1: in the standard but not in the profile. The federation's own rules do not test the second list,
# and messages that pass them are exchanged, so that one is told as a note.
_NOT_ALLOWED: Final = (
    "ext:XHEExtensions",
    "xhb:ProfileID",
    "xhb:ProfileExecutionID",
    "xha:Header/xha:BusinessScope/xha:ExternalReference",
    "xha:Payloads/xha:Payload/xhb:Description",
    "xha:Payloads/xha:Payload/xhb:CustomizationID",
    "xha:Payloads/xha:Payload/xhb:ProfileID",
    "xha:Payloads/xha:Payload/xhb:ProfileExecutionID",
    "xha:Payloads/xha:Payload/xhb:ValidationTypeCode",
    "xha:Payloads/xha:Payload/xhb:InstanceEncryptionMethod",
    "xha:Payloads/xha:Payload/xhb:InstanceHashValue",
    "xha:Payloads/xha:Payload/xha:InstanceDecryptionInformationExternalReference",
    "xha:Payloads/xha:Payload/xha:InstanceDecryptionKeyExternalReference",
    "xha:Payloads/xha:Payload/xha:RelevantExternalReference",
)
_NOT_IN_THE_PROFILE: Final = (
    "xha:Header/xhb:UUID",
    "xha:Payloads/xha:Payload/xhb:ID",
    "xha:Payloads/xha:Payload/xhb:ValidationVersionID",
    "xha:Payloads/xha:Payload/xha:PayloadExternalReference",
)
# R14: at least, at most.
_COUNTS: Final = (
    ("xhb:CustomizationID", 1, 1),
    ("xha:Header/xha:FromParty", 1, 1),
    ("xha:Header/xha:FromParty/xha:PartyIdentification", 1, 1),
    ("xha:Header/xha:ToParty/xha:PartyIdentification", 1, 1),
    ("xha:Payloads/xha:Payload", 1, 1),
    ("xha:Payloads/xha:Payload/xhb:DocumentTypeCode", 1, 1),
    ("xha:Payloads/xha:Payload/xhb:ContentTypeCode", 1, 1),
    ("xha:Payloads/xha:Payload/xha:PayloadContent", 1, 1),
)
_SCOPES: Final = {
    "R4-XHE": "DOCUMENTID",
    "R5-XHE": "DOCUMENTID_SCHEME",
    "R6-XHE": "PROCESSID",
    "R7-XHE": "PROCESSID_SCHEME",
    "R8-XHE": "FEDERATIONID",
}


def check_envelope(root: etree._Element) -> list[Finding]:
    """Structure and rules of an XHE; at most 100 findings. What PayloadContent holds is not looked into."""
    findings: list[Finding] = []

    def structure(element: etree._Element, text: str) -> None:
        if len(findings) < _MAX_FINDINGS:
            xpath = path_of(element, _PREFIXES)
            findings.append(Finding("structure", xpath, text, Reason.SV, Detail.STRUCTURE))

    check_structure(root, f"{{{NS_XHE}}}XHE", _ENVELOPE, structure)
    for content in root.findall("xha:Payloads/xha:Payload/xha:PayloadContent", _PATHS):
        children = content.findall("*")
        if len(children) > 1 or any(etree.QName(child).namespace in (NS_XHA, None) for child in children):
            structure(content, "one element, of another namespace, is allowed here")
        check_attributes(content, _CONTENT, structure)
    for rule, element, text, is_note in _broken_rules(root):
        if len(findings) >= _MAX_FINDINGS:
            break
        xpath = path_of(element, _PREFIXES)
        findings.append(Finding(rule, xpath, text, Reason.BV, Detail.INVARIANT, is_note))
    return findings


Broken = tuple[str, etree._Element, str, bool]


def _broken_rules(root: etree._Element) -> Iterator[Broken]:
    for paths, is_note in ((_NOT_ALLOWED, False), (_NOT_IN_THE_PROFILE, True)):
        for path in paths:
            for element in root.findall(path, _PATHS):
                yield "R1-XHE", element, "the profile does not use this element", is_note
    yield from _empty(root)
    yield from _fixed_values(root)
    for rule, code in _SCOPES.items():
        if code not in _scope_codes(root):
            yield rule, root, f"a business scope criterion {code} is required", False
    yield from _parties(root)
    yield from _encryption(root)
    for path, least, most in _COUNTS:
        if not least <= len(root.findall(path, _PATHS)) <= most:
            name = path.rpartition(":")[2]
            yield "R14-XHE", root, f"{name} is required, exactly once", False


def _empty(root: etree._Element) -> Iterator[Broken]:
    content = f"{{{NS_XHA}}}PayloadContent"
    walk = etree.iterwalk(root, events=("start",), tag="*")
    for _, element in walk:
        if element.tag == content:
            walk.skip_subtree()
        namespace = etree.QName(element).namespace
        if namespace in (NS_XENC, NS_DS):
            continue
        if len(element.findall("*")) == 0 and not normalized(string_value(element)):
            yield "R2-XHE", element, "an empty element may not be included", False
        for name, value in element.attrib.items():
            if not normalized(str(value)) and namespace in (NS_XHE, NS_XHA, NS_XHB):
                # The federation's own rules test elements only; a language tag may never be empty.
                local = etree.QName(name).localname
                yield (
                    "R2-XHE",
                    element,
                    f"an empty attribute {local} may not be included",
                    local != "languageID",
                )


def _fixed_values(root: etree._Element) -> Iterator[Broken]:
    for rule, path, value in (
        ("R3-XHE", "xhb:CustomizationID", XHE_CUSTOMIZATION_ID),
        ("R9-XHE", "xhb:XHEVersionID", XHE_VERSION_ID),
    ):
        for element in root.findall(path, _PATHS):
            if normalized(string_value(element)) != value:
                yield rule, element, f"the value must be {value}", False


def _scope_codes(root: etree._Element) -> set[str]:
    path = "xha:Header/xha:BusinessScope/xha:BusinessScopeCriterion/xhb:BusinessScopeCriterionTypeCode"
    return {normalized(string_value(element)) for element in root.findall(path, _PATHS)}


def _parties(root: etree._Element) -> Iterator[Broken]:
    for rule, party in (("R10-XHE", "FromParty"), ("R11-XHE", "ToParty")):
        for element in root.findall(f"xha:Header/xha:{party}/xha:PartyIdentification/xhb:ID", _PATHS):
            if normalized(str(element.get("schemeID", ""))) != PARTICIPANT_SCHEME:
                yield rule, element, f"schemeID must be {PARTICIPANT_SCHEME}", False


def _indicator(payload: etree._Element) -> str:
    found = payload.find("xhb:InstanceEncryptionIndicator", _PATHS)
    return normalized(string_value(found)) if found is not None else ""


def _encryption(root: etree._Element) -> Iterator[Broken]:
    for payload in root.findall("xha:Payloads/xha:Payload", _PATHS):
        indicator = _indicator(payload)
        encrypted = payload.find("xha:PayloadContent/xenc:EncryptedData", _PATHS)
        if indicator in {"true", "1"} and encrypted is None:
            yield "R12-XHE", payload, "PayloadContent must hold EncryptedData", False
        if indicator in {"false", "0"} and encrypted is not None:
            yield "R13-XHE", payload, "PayloadContent may not hold EncryptedData", False
