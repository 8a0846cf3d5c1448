"""Rights that go beyond membership: who sees a protected conversation, and who approves before sending."""

from .approval import ApprovalNotice, ApprovalRequest, ApprovalRule
from .protection import NamedMember, ProtectedOpening, ProtectionNotice

__all__ = [
    "ApprovalNotice",
    "ApprovalRequest",
    "ApprovalRule",
    "NamedMember",
    "ProtectedOpening",
    "ProtectionNotice",
]
