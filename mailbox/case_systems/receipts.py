"""Receipts of case systems: JSON documents that acknowledge or refuse a delivery, strictly read."""

import json
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from transport.names import is_name

MOST_BYTES: Final = 64 * 1024
LONGEST_CASE_NUMBER: Final = 60
LONGEST_REFERENCE: Final = 200
LONGEST_REASON: Final = 300
_ACCEPTED: Final = "accepted"
_REFUSED: Final = "refused"
_FIELDS: Final = {
    _ACCEPTED: {"delivery_id", "status", "case_number", "reference"},
    _REFUSED: {"delivery_id", "status", "reason"},
}


class ReceiptInvalid(Exception):
    """The document is no receipt; `reason` is a code and quotes nothing."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotJson(ReceiptInvalid):
    """The document is no JSON: it may not be whole yet."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a case system says of a delivery: its case number and reference, or why it refuses it."""

    delivery_id: UUID
    is_accepted: bool
    case_number: str = ""
    reference: str = ""
    reason: str = ""


def read(document: bytes) -> Receipt:
    """The receipt that a document holds. Raises `ReceiptInvalid`."""
    if len(document) > MOST_BYTES:
        raise ReceiptInvalid("too-large")
    try:
        values = json.loads(document.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise NotJson("not-json") from None
    if not isinstance(values, dict):
        raise ReceiptInvalid("not-an-object")
    status = values.get("status")
    if not isinstance(status, str) or status not in _FIELDS:
        raise ReceiptInvalid("status")
    if set(values) - _FIELDS[status]:
        raise ReceiptInvalid("unknown-field")
    delivery_id = _uuid(values.get("delivery_id"))
    if status == _REFUSED:
        return Receipt(delivery_id, False, reason=_line(values, "reason", LONGEST_REASON))
    return Receipt(
        delivery_id,
        True,
        case_number=_line(values, "case_number", LONGEST_CASE_NUMBER),
        reference=_line(values, "reference", LONGEST_REFERENCE, is_required=False),
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ReceiptInvalid("field-twice")
    return dict(pairs)


def _uuid(value: Any) -> UUID:
    try:
        found = UUID(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or str(found) != value:
        raise ReceiptInvalid("delivery-id")
    return found


def _line(values: dict[str, Any], name: str, longest: int, *, is_required: bool = True) -> str:
    value = values.get(name, None if is_required else "")
    text = value.strip() if isinstance(value, str) and len(value) <= longest and is_name(value) else None
    if text is None or (is_required and not text):
        raise ReceiptInvalid(name.replace("_", "-"))
    return text
