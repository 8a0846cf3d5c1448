"""Names of subjects and issuers: read from text, and compared (RFC 4514, RFC 5280 7.1).

Text is read as senders write it: RFC 4514 and 2253, Java's and .NET's keywords, either order of the parts.
A name is the same as another where every part is, whatever its string type, case and white space.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from cryptography import x509

from .errors import ProtocolError

_LONGEST: Final = 4_096
_OID: Final = re.compile(r"(?:OID\.)?([0-9]+(?:\.[0-9]+)+)", re.IGNORECASE)
_EMAIL: Final = "1.2.840.113549.1.9.1"
# Keywords of RFC 4514 3 and of what Java, Bouncy Castle, .NET and OpenSSL write. Some mean either of two.
_KEYWORDS: Final[dict[str, tuple[str, ...]]] = {
    "CN": ("2.5.4.3",),
    "SURNAME": ("2.5.4.4",),
    "SN": ("2.5.4.4", "2.5.4.5"),
    "SERIALNUMBER": ("2.5.4.5",),
    "C": ("2.5.4.6",),
    "L": ("2.5.4.7",),
    "ST": ("2.5.4.8",),
    "S": ("2.5.4.8",),
    "STREET": ("2.5.4.9",),
    "STREETADDRESS": ("2.5.4.9",),
    "O": ("2.5.4.10",),
    "OU": ("2.5.4.11",),
    "T": ("2.5.4.12",),
    "TITLE": ("2.5.4.12",),
    "DESCRIPTION": ("2.5.4.13",),
    "BUSINESSCATEGORY": ("2.5.4.15",),
    "POSTALCODE": ("2.5.4.17",),
    "NAME": ("2.5.4.41",),
    "GIVENNAME": ("2.5.4.42",),
    "GN": ("2.5.4.42",),
    "G": ("2.5.4.42",),
    "INITIALS": ("2.5.4.43",),
    "I": ("2.5.4.43",),
    "GENERATION": ("2.5.4.44",),
    "GENERATIONQUALIFIER": ("2.5.4.44",),
    "DNQ": ("2.5.4.46",),
    "DNQUALIFIER": ("2.5.4.46",),
    "PSEUDONYM": ("2.5.4.65",),
    "ORGANIZATIONIDENTIFIER": ("2.5.4.97",),
    "DC": ("0.9.2342.19200300.100.1.25",),
    "UID": ("0.9.2342.19200300.100.1.1",),
    "EMAILADDRESS": (_EMAIL,),
    "EMAIL": (_EMAIL,),
    "E": (_EMAIL,),
}
# DER string types and how their octets are read.
_STRING_TYPES: Final = {
    0x0C: "utf-8",
    0x12: "ascii",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1A: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
# RFC 4518 2.2: what is mapped to nothing.
_NOTHING: Final = re.compile(
    "[\u00ad\u034f\u1806\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)

Attribute = tuple[tuple[str, ...], str | bytes]
"""What an attribute's type may be, and its value; bytes where it is no string."""
RelativeName = tuple[Attribute, ...]


class NameUnreadable(ProtocolError):
    """The text is no distinguished name."""


def is_same_name(name: x509.Name, other: x509.Name) -> bool:
    """Whether two names are one by RFC 5280 7.1."""
    return _matches(_parts_of(name), _parts_of(other))


def is_name_as_text(text: str, name: x509.Name) -> bool:
    """Whether the text is exactly this name; False for a text that is no name."""
    try:
        parts = parse_name(text)
    except NameUnreadable:
        return False
    ours = _parts_of(name)
    # RFC 4514 writes the last part first; Bouncy Castle and OpenSSL write them as they stand.
    return _matches(parts[::-1], ours) or _matches(parts, ours)


def is_serial_number(text: str, number: int) -> bool:
    """Whether a decimal text is the number, whatever zeros and white space are around it."""
    digits = text.strip(" \t\r\n")
    sign = -1 if digits.startswith("-") else 1
    digits = digits.removeprefix("-").removeprefix("+")
    if not digits.isascii() or not digits.isdigit():
        return False
    digits = digits.lstrip("0") or "0"
    # No serial has more than 20 octets (RFC 5280 4.1.2.2), and Python reads no number of any length.
    return len(digits) <= 100 and sign * int(digits) == number


def parse_name(text: str) -> tuple[RelativeName, ...]:
    """The parts of a name in the order in which they are written; raises `NameUnreadable`."""
    text = text.lstrip(" \t\r\n")  # at its end, white space may be escaped
    if len(text) > _LONGEST:
        raise NameUnreadable("a name of that length")
    parts: list[RelativeName] = []
    attributes: list[Attribute] = []
    at = 0
    while at < len(text) or attributes:
        attribute, at = _attribute(text, at)
        attributes.append(attribute)
        if at < len(text) and text[at] == "+":
            at += 1
            continue
        parts.append(tuple(attributes))
        attributes = []
        if at == len(text):
            break
        at += 1
        if not text[at:].strip():
            raise NameUnreadable("nothing after a separator")
    return tuple(parts)


def _attribute(text: str, at: int) -> tuple[Attribute, int]:
    equals = text.find("=", at)
    if equals < 0:
        raise NameUnreadable("an attribute without a value")
    keyword = text[at:equals].strip()
    found = _OID.fullmatch(keyword)
    types = (found[1],) if found else _KEYWORDS.get(keyword.upper())
    if types is None:
        raise NameUnreadable("an attribute of an unknown type")
    at = equals + 1
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    if at < len(text) and text[at] == "#":
        end = next((index for index in range(at, len(text)) if text[index] in "+,;"), len(text))
        return (types, _from_hexadecimal(text[at + 1 : end].strip())), end
    if at < len(text) and text[at] == '"':
        value, end = _quoted(text, at + 1)
    else:
        value, end = _plain(text, at)
    return (types, _prepared(value)), end


def _plain(text: str, at: int) -> tuple[str, int]:
    """A value up to the next separator, escapes resolved; white space at its end counts only if escaped."""
    octets = bytearray()
    kept_length = 0
    while at < len(text) and text[at] not in "+,;":
        if text[at] == "\\":
            piece, at = _escaped(text, at + 1)
            octets += piece
            kept_length = len(octets)
            continue
        octets += text[at].encode("utf-8", "surrogatepass")
        if text[at] not in " \t\r\n":
            kept_length = len(octets)
        at += 1
    return _decoded(bytes(octets[:kept_length])), at


def _quoted(text: str, at: int) -> tuple[str, int]:
    octets = bytearray()
    while at < len(text) and text[at] != '"':
        if text[at] == "\\":
            piece, at = _escaped(text, at + 1)
            octets += piece
            continue
        octets += text[at].encode("utf-8", "surrogatepass")
        at += 1
    if at == len(text):
        raise NameUnreadable("a quotation without an end")
    at += 1
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    if at < len(text) and text[at] not in "+,;":
        raise NameUnreadable("something after a quotation")
    return _decoded(bytes(octets)), at


def _escaped(text: str, at: int) -> tuple[bytes, int]:
    pair = text[at : at + 2]
    if len(pair) == 2 and all(digit in "0123456789abcdefABCDEF" for digit in pair):
        return bytes.fromhex(pair), at + 2
    if not pair:
        raise NameUnreadable("an escape without a character")
    return pair[0].encode("utf-8", "surrogatepass"), at + 1


def _decoded(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise NameUnreadable("octets that are not UTF-8") from None


def _from_hexadecimal(text: str) -> str | bytes:
    """A value in BER: a string where it is one, else as it is."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        raise NameUnreadable("a value that is not hexadecimal") from None
    if len(data) < 2:
        raise NameUnreadable("a value that is not BER")
    length, begin = data[1], 2
    if length & 0x80:
        count = length & 0x7F
        length, begin = int.from_bytes(data[2 : 2 + min(count, 4)], "big"), 2 + count
    if begin + length != len(data):
        raise NameUnreadable("a value that is not BER")
    encoding = _STRING_TYPES.get(data[0])
    if encoding is None:
        return data[begin:]
    try:
        return _prepared(data[begin:].decode(encoding))
    except UnicodeDecodeError:
        raise NameUnreadable("a string that is not of its type") from None


def _prepared(value: str) -> str:
    """A string as it is compared (RFC 4518 2): case, compatibility forms and white space do not count."""
    mapped = unicodedata.normalize("NFKC", _NOTHING.sub("", value).casefold()).casefold()
    return " ".join(mapped.split())


def _parts_of(name: x509.Name) -> tuple[RelativeName, ...]:
    return tuple(
        tuple(
            (
                (attribute.oid.dotted_string,),
                _prepared(attribute.value) if isinstance(attribute.value, str) else bytes(attribute.value),
            )
            for attribute in part
        )
        for part in name.rdns
    )


def _matches(parts: Sequence[RelativeName], others: Sequence[RelativeName]) -> bool:
    return len(parts) == len(others) and all(map(_is_same_part, parts, others))


def _is_same_part(part: RelativeName, other: RelativeName) -> bool:
    """The attributes of a part are a set."""
    unmatched = list(other)
    for types, value in part:
        same = next((a for a in unmatched if a[1] == value and not set(a[0]).isdisjoint(types)), None)
        if same is None:
            return False
        unmatched.remove(same)
    return not unmatched
