"""Finding a participant's metadata: BDXL names and NAPTR records (C3.4.2)."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes

from .errors import ProtocolError
from .identifiers import PARTICIPANT_SCHEME, DocumentType, ParticipantId
from .urls import UrlRefused, parse_http_url

NAPTR_SERVICE: Final = "meta:smp"


class NoServiceRecord(ProtocolError):
    """There is no NAPTR record with the address of the participant's metadata."""


@dataclass(frozen=True, slots=True)
class Naptr:
    """A NAPTR record (RFC 3403)."""

    order: int
    preference: int
    flags: str
    service: str
    regexp: str


def bdxl_name(participant: ParticipantId, zone: str) -> str:
    """The DNS name of a participant: base32 of SHA-256 of the identifier, the scheme, the SML's zone."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(participant.value.lower().encode())
    label = base64.b32encode(digest.finalize()).decode().rstrip("=")
    return f"{label}.{PARTICIPANT_SCHEME}.{zone.strip('.')}"


def smp_base_url(records: Iterable[Naptr]) -> str:
    """The SMP's base URL from the records, the lowest order and preference first.

    Raises `NoServiceRecord` where none has flag U, service Meta:SMP and a regexp of the form
    `!^.*$!URL!`.
    """
    for record in sorted(records, key=lambda record: (record.order, record.preference)):
        if record.flags.upper() != "U" or record.service.lower() != NAPTR_SERVICE:
            continue
        url = _replacement(record.regexp)
        if url is not None:
            return url.rstrip("/")
    raise NoServiceRecord("no usable NAPTR record")


def metadata_url(base: str, participant: ParticipantId, document_type: DocumentType) -> str:
    """The URL of the SignedServiceMetadata (SMP 1.0 3.4.1), each segment percent-encoded."""
    participant_segment = quote(f"{PARTICIPANT_SCHEME}::{participant.value}", safe="")
    document_segment = quote(f"{document_type.scheme}::{document_type.identifier}", safe="")
    return f"{base}/{participant_segment}/services/{document_segment}"


def _replacement(regexp: str) -> str | None:
    """The URL of an expression that matches everything: no other is meaningful for a hashed name."""
    if len(regexp) < 3:
        return None
    pieces = regexp.split(regexp[0])
    if len(pieces) != 4 or pieces[1] not in {"^.*$", ".*"} or pieces[3] not in {"", "i"}:
        return None
    try:
        return str(parse_http_url(pieces[2]))
    except UrlRefused:
        return None
