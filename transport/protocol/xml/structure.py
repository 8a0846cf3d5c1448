"""Element structure as tables: which children, in which order, how often, with which text.

It finds what an XML Schema with sequences would find, with the place. The tables follow those of the
specifications, one for each document type, beside its rules.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from .text import text_of

Emit = Callable[[etree._Element, str], None]
TextCheck = Callable[[str], bool]

_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
_XSI_TYPE: Final = _XSI + "type"
_XSI_NIL: Final = _XSI + "nil"
_LOCATIONS: Final = frozenset({_XSI + "schemaLocation", _XSI + "noNamespaceSchemaLocation"})
_XML_WHITESPACE: Final = " \t\r\n"
# xs:language, the only type among the attributes that restricts its values.
_LANGUAGE: Final = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*")
_WHITESPACE: Final = re.compile(f"[{_XML_WHITESPACE}]+")
# As many as a number of 64 bits has.
_FIGURES: Final = re.compile("[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Child:
    """One particle of a sequence; `most` None means any number."""

    tag: str
    type: "Type"
    least: int = 1
    most: int | None = 1


@dataclass(frozen=True, slots=True)
class Type:
    """What an element may hold: a sequence of children, or text.

    `text` None means that it holds no text but whitespace. `names` are the types that xsi:type may name here,
    and what their values look like. `others` allows elements of other
    namespaces after the sequence (`xs:any namespace="##other"`). What an `opaque` element holds is
    looked at elsewhere.
    """

    children: tuple[Child, ...] = ()
    text: TextCheck | None = None
    attributes: frozenset[str] = frozenset()
    others: bool = False
    opaque: bool = False
    names: Mapping[str, TextCheck] = field(default_factory=dict)


def any_text(_: str) -> bool:
    return True


def text_up_to(length: int) -> TextCheck:
    """At most so many characters, counted as XML Schema does."""
    return lambda text: len(text) <= length


def normalized(text: str) -> str:
    """What XPath's normalize-space gives: only XML's own white space counts, no-break space does not."""
    return " ".join(piece for piece in _WHITESPACE.split(text) if piece)


def is_boolean(text: str) -> bool:
    """xs:boolean after whitespace collapse."""
    return text.strip(_XML_WHITESPACE) in {"true", "false", "1", "0"}


_DATE = r"(?P<year>-?(?:[1-9][0-9]{3,}|0[0-9]{3}))-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]+))?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))?"
_DATE_TIME_PATTERN: Final = re.compile(_DATE + "T" + _TIME + _ZONE)
_DATE_PATTERN: Final = re.compile(_DATE + _ZONE)
_TIME_PATTERN: Final = re.compile(_TIME + _ZONE)


def is_date_time(text: str) -> bool:
    """xs:dateTime after whitespace collapse."""
    match = _DATE_TIME_PATTERN.fullmatch(text.strip(_XML_WHITESPACE))
    return match is not None and _date_exists(match) and _time_exists(match)


def is_date(text: str) -> bool:
    """xs:date after whitespace collapse."""
    match = _DATE_PATTERN.fullmatch(text.strip(_XML_WHITESPACE))
    return match is not None and _date_exists(match)


def is_time(text: str) -> bool:
    """xs:time after whitespace collapse."""
    match = _TIME_PATTERN.fullmatch(text.strip(_XML_WHITESPACE))
    return match is not None and _time_exists(match)


def _date_exists(match: re.Match[str]) -> bool:
    # The calendar repeats itself after 400 years; a year may have any number of digits.
    year, month, day = int(match["year"][-4:].lstrip("-")), int(match["month"]), int(match["day"])
    if not match["year"].strip("-0") or not 1 <= month <= 12:
        return False
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = (31, 29 if is_leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]
    return 1 <= day <= days


def _time_exists(match: re.Match[str]) -> bool:
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"])
    if hour == 24:
        return minute == second == 0 and not (match["fraction"] or "").strip("0")
    return hour < 24 and minute < 60 and second < 60


def check_structure(root: etree._Element, tag: str, kind: Type, emit: Emit) -> None:
    """Call `emit(element, text)` for every deviation from the tables."""
    if root.tag != tag:
        emit(root, "the root element is not the one that this document type has")
        return
    _check_element(root, kind, emit)


def _check_element(element: etree._Element, kind: Type, emit: Emit) -> None:
    if kind.opaque:
        return
    check_attributes(element, kind, emit)
    children = [child for child in element if isinstance(child.tag, str)]
    if kind.text is not None:
        for child in children:
            emit(child, "an element is not allowed inside a value")
        named = kind.names.get(_named_type(element) or "", any_text)
        if not kind.text(text_of(element)) or not named(text_of(element)):
            emit(element, "the value does not have the form of its type")
        return
    if text_of(element).strip(_XML_WHITESPACE):
        emit(element, "text is not allowed between the elements here")
    _check_sequence(element, children, kind, emit)


def _check_sequence(element: etree._Element, children: list[etree._Element], kind: Type, emit: Emit) -> None:
    position = 0
    for particle in kind.children:
        count = 0
        while position < len(children) and children[position].tag == particle.tag:
            if particle.most is not None and count == particle.most:
                break
            _check_element(children[position], particle.type, emit)
            position += 1
            count += 1
        if count < particle.least:
            name = etree.QName(particle.tag).localname
            emit(element, f"the element {name} is missing, repeated or not in its place")
    own_namespace = etree.QName(element).namespace
    for child in children[position:]:
        if kind.others and etree.QName(child).namespace not in (own_namespace, None):
            _check_foreign(child, emit)
        else:
            emit(child, "this element is not allowed here")


def _check_foreign(foreign: etree._Element, emit: Emit) -> None:
    """What `processContents="lax"` asks of an extension: a type that it claims for itself has to be true.

    Of its elements no declaration is known (XML Schema Part 1 3.10.1), so only xsi:type and xsi:nil count.
    """
    for element in foreign.iter(etree.Element):
        if _XSI_NIL in element.attrib:
            emit(element, "xsi:nil is not allowed here")
        if _XSI_TYPE not in element.attrib:
            continue
        named = _named_type(element)
        if named == _ANY_TYPE:
            continue
        check = SIMPLE_TYPES.get(named or "")
        attributes = [name for name in element.attrib if not str(name).startswith(_XSI)]
        has_children = any(isinstance(child.tag, str) for child in element)
        if check is None or attributes or has_children or not check(text_of(element)):
            emit(element, "the element is not of the type that its xsi:type names")


def check_attributes(element: etree._Element, kind: Type, emit: Emit) -> None:
    """Call `emit` for attributes that the type does not have."""
    for name in element.attrib:
        if str(name) in _LOCATIONS:
            continue
        if str(name).startswith(_XSI):
            if str(name) != _XSI_TYPE or _named_type(element) not in kind.names:
                emit(element, "xsi:nil, or an xsi:type of another type, is not allowed here")
            continue
        if str(name) not in kind.attributes:
            emit(element, "an attribute is not allowed here")
        elif name == "languageID" and not _LANGUAGE.fullmatch(normalized(str(element.attrib[name]))):
            emit(element, "languageID is not a language tag")


def _named_type(element: etree._Element) -> str | None:
    """The type that xsi:type names, as `{namespace}name`; None where it names none."""
    value = element.get(_XSI_TYPE)
    if value is None:
        return None
    prefix, separator, name = value.strip(_XML_WHITESPACE).rpartition(":")
    namespace = element.nsmap.get(prefix if separator else None)
    return None if separator and namespace is None else f"{{{namespace or ''}}}{name}"


def _collapsed(pattern: str) -> TextCheck:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(normalized(text)) is not None


def _whole(least: int, most: int) -> TextCheck:
    def check(text: str) -> bool:
        digits = normalized(text)
        # Leading zeros may be many; Python refuses to read very many digits.
        sign, figures = ("-", digits[1:]) if digits[:1] == "-" else ("", digits.removeprefix("+"))
        figures = figures.lstrip("0") or figures[:1]
        return _FIGURES.fullmatch(figures) is not None and least <= int(sign + figures) <= most

    return check


# XML 1.0 2.3: names, without the characters that no language of ours has.
_NAME_BEGINS: Final = "A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u0131\u0134-\u013e"
_NAME_GOES_ON: Final = _NAME_BEGINS + r"\-.0-9\u00b7"
_NS_SCHEMA: Final = "{http://www.w3.org/2001/XMLSchema}"
# xs:string and the built-in types that are derived from it and stand for themselves (XML Schema Part 2 3.3).
STRING_TYPES: Final[Mapping[str, TextCheck]] = {
    _NS_SCHEMA + "string": any_text,
    _NS_SCHEMA + "normalizedString": any_text,
    _NS_SCHEMA + "token": any_text,
    _NS_SCHEMA + "language": _collapsed(_LANGUAGE.pattern),
    _NS_SCHEMA + "NMTOKEN": _collapsed(f"[:{_NAME_GOES_ON}]+"),
    _NS_SCHEMA + "Name": _collapsed(f"[:{_NAME_BEGINS}][:{_NAME_GOES_ON}]*"),
    _NS_SCHEMA + "NCName": _collapsed(f"[{_NAME_BEGINS}][{_NAME_GOES_ON}]*"),
}
_ANY_TYPE: Final = _NS_SCHEMA + "anyType"
_INTEGER: Final = r"[+-]?[0-9]+"
# The built-in types that an extension may claim for its elements.
SIMPLE_TYPES: Final[Mapping[str, TextCheck]] = {
    **STRING_TYPES,
    _NS_SCHEMA + "anySimpleType": any_text,
    _NS_SCHEMA + "anyURI": any_text,
    _NS_SCHEMA + "boolean": is_boolean,
    _NS_SCHEMA + "date": is_date,
    _NS_SCHEMA + "dateTime": is_date_time,
    _NS_SCHEMA + "time": is_time,
    _NS_SCHEMA + "decimal": _collapsed(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)"),
    _NS_SCHEMA + "integer": _collapsed(_INTEGER),
    _NS_SCHEMA + "int": _whole(-(2**31), 2**31 - 1),
    _NS_SCHEMA + "long": _whole(-(2**63), 2**63 - 1),
}
DATE_TIME_TYPES: Final[Mapping[str, TextCheck]] = {_NS_SCHEMA + "dateTime": any_text}
BOOLEAN_TYPES: Final[Mapping[str, TextCheck]] = {_NS_SCHEMA + "boolean": any_text}


def path_of(element: etree._Element, prefixes: Mapping[str, str]) -> str:
    """An XPath to the element: the specifications' prefixes, positions where there are siblings."""
    steps: list[str] = []
    current: etree._Element | None = element
    while current is not None:
        steps.append(_step(current, prefixes))
        current = current.getparent()
    return "/" + "/".join(reversed(steps))


def _step(element: etree._Element, prefixes: Mapping[str, str]) -> str:
    name = etree.QName(element)
    prefix = prefixes.get(name.namespace or "")
    if prefix is not None:
        label = f"{prefix}:{name.localname}" if prefix else name.localname
    else:
        label = f"*[local-name()='{name.localname}']"
    parent = element.getparent()
    if parent is None:
        return label
    same = [sibling for sibling in parent if sibling.tag == element.tag]
    return f"{label}[{same.index(element) + 1}]" if len(same) > 1 else label
