"""The findings of validation: broken rules with their places and the codes of a message receipt.

The text of a finding is written from the rule alone, and never quotes the document.
"""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Orsakskod (C3.2.4 section 4.2)."""

    SV = "SV"
    BV = "BV"
    SIG = "SIG"


class Detail(StrEnum):
    """Detaljkod (B1.3.3 section 5.3)."""

    STRUCTURE = "structure"
    INVARIANT = "invariant"
    FORBIDDEN = "forbidden"
    TOO_LONG = "too-long"
    DUPLICATE = "duplicate"
    NOT_SUPPORTED = "not-supported"
    NOT_FOUND = "not-found"
    SECURITY = "security"


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a document breaks, and where.

    `xpath` uses the prefixes of the specifications (tns, x, xha, xhb, app, cac, cbc) and positions.
    `reason` and `detail` are None for a rule that no receipt answers for (a broken receipt, AS4).
    `is_note` marks a remark that breaks no rule.
    """

    rule: str
    xpath: str
    text: str
    reason: Reason | None = None
    detail: Detail | None = None
    is_note: bool = False
